"""`siklus watch`"""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.cli.control import project_control
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.errors import FileError
from siklus.files import lock
from siklus.monitor.amounts import amount
from siklus.monitor.look import Seen
from siklus.monitor.notify.courier import Delivery
from siklus.monitor.rounds import LOCK
from siklus.monitor.signals import SIGNALS, Signal
from siklus.monitor.watch import Watch, main
from siklus.project.file import OpenProject

MOST_FEATURES = 5
DELIVERY_SECONDS = 60.0  # a cron job has the time

app = command_app()


@app.command()
def watch(
    once: Annotated[
        bool,
        typer.Option("--once", help="Look once, show what is seen, and end: for a cron job, or a person."),
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Look at a project's traffic every minute: signals, alerts and their mails, until stopped.

    `siklus serve` does this beside its server; alone it is for servers that were started without.
    """
    found = opened(project)
    if not once:
        return main(["--project", str(found.paths.root)])
    seen, delivery = _look(found)
    if as_json:
        print_json(seen)
        return 0
    results().print(table("", ["signal", "value", "what"], _rows(seen.signals)))
    for attempt in delivery.failed:
        sys.stderr.write(f"siklus: {attempt.notification.receiver} was not told: {attempt.problem}\n")
    if seen.version is None:
        sys.stderr.write("siklus: no version is served here yet: `siklus serve` makes a start\n")
    return 0


def _look(project: OpenProject) -> tuple[Seen, Delivery]:
    with project_control(project) as control:
        looking = Watch(project, control, environment=os.environ)
        try:
            with lock(project.paths.run / LOCK, what="a watch"):
                seen = looking.look(now=datetime.now(UTC))
                return seen, looking.deliver(now=datetime.now(UTC), wait=DELIVERY_SECONDS)
        except FileError as error:
            if error.code != "FS002":
                raise
        # The watch that runs here asks the rules, and knows more: a rate takes two looks.
        return looking.see(now=datetime.now(UTC)), Delivery()


def _rows(signals: Sequence[Signal]) -> Iterator[tuple[str, str, str]]:
    """Of a signal by feature the highest values only: a table of all columns tells nothing."""
    for name, kind in SIGNALS.items():
        found = sorted(
            (each for each in signals if each.name == name), key=lambda each: each.value, reverse=True
        )
        for each in found[:MOST_FEATURES]:
            yield f"{name} {each.label}".strip(), amount(each.value, kind.unit), kind.meaning
        if len(found) > MOST_FEATURES:
            yield "", f"and {len(found) - MOST_FEATURES} more", ""
