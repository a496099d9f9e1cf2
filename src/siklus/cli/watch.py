"""`siklus watch`"""

import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.monitor.look import Seen
from siklus.monitor.signals import SIGNALS, Signal
from siklus.monitor.watch import Watch, main
from siklus.project.file import OpenProject
from siklus.registry.control import control_uri, open_control

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
    seen = _look(found)
    if as_json:
        print_json(seen)
        return 0
    results().print(table("", ["signal", "value", "what"], _rows(seen)))
    if seen.version is None:
        sys.stderr.write("siklus: no version is served here yet: `siklus serve` makes a start\n")
    return 0


def _look(project: OpenProject) -> Seen:
    url = control_uri(project.settings.state.control, project.paths.root)
    with open_control(url, file=project.paths.control_database) as control:
        return Watch(project, control, environment=os.environ).look(now=datetime.now(UTC))


def _rows(seen: Seen) -> list[tuple[str, str, str]]:
    return [(_name(each), _value(each), SIGNALS[each.name].meaning) for each in seen.signals]


def _name(signal: Signal) -> str:
    return f"{signal.name} {signal.label}".strip()


def _value(signal: Signal) -> str:
    unit = SIGNALS[signal.name].unit
    if unit == "yes/no":
        return "yes" if signal.value else "no"
    if unit == "bytes":
        return f"{signal.value / 1e6:,.0f} MB"
    if unit == "share":
        return f"{signal.value:.1%}"
    return f"{signal.value:,.4g} {unit}".strip()
