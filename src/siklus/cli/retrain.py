"""`siklus retrain`"""

import time
import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.automation.lease import Lease
from siklus.automation.retraining.jobs import Retraining
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.telling import Telling
from siklus.cli.control import author, project_control
from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results
from siklus.cli.retrain_here import retrain_here
from siklus.cli.retrain_outlook import outlook_of
from siklus.cli.retrain_words import ended_said, print_outlook, waiting_said
from siklus.project.file import OpenProject
from siklus.registry.asks import MOST_CHARACTERS, Ask
from siklus.registry.control import Control

POLL_SECONDS = 1.0

app = command_app()


@app.command()
def retrain(
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only explain: the triggers, the verdict, the rows; nothing begins."),
    ] = False,
    reason: ReasonOption = "",
    here: Annotated[
        bool, typer.Option("--now", help="Where no loop runs: train and judge in this command.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="End when the retraining has ended.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Ask for a retraining: a new model on recent rows, judged against the one that answers.

    The loop (`siklus up`) begins it at its next turn, whatever triggers and cooldown say, but not beside
    another retraining or a rollout. With --wait or --now the exit code is 0 for a model that is accepted or
    waits for labels, 1 for one that is refused or failed.
    """
    found = opened(project)
    if dry_run:
        return _explain(found, as_json=as_json)
    ask = Ask(
        id=uuid.uuid4().hex,
        time=datetime.now(UTC),
        by=author(),
        via="command",
        reason=" ".join(reason.split())[:MOST_CHARACTERS],
    )
    with project_control(found) as control:
        also = Telling(control, found.settings)
        retrainings = Retrainings(control, found.settings.project.name, also=also)
        if here:
            return _told(retrain_here(found, control, ask), as_json=as_json)
        retrainings.ask(ask)
        if wait:
            _remark("asked for; waiting for it to end (Ctrl-C stops the waiting only)")
            if not loop_runs(found, control):
                _remark("no loop runs: `siklus up` begins it, or `siklus retrain --now` does it here")
            return _told(_ended(retrainings, ask.id), as_json=as_json)
        if as_json:
            print_json(ask)
            return 0
        said = waiting_said(retrainings, loop=loop_runs(found, control), look=found.settings.monitor.look)
        results().print(said, markup=False)
    return 0


def loop_runs(project: OpenProject, control: Control) -> bool:
    """Whether some machine's loop decides for the project."""
    held = Lease(control, project.settings.project.name, holder=author(), seconds=0).seen()
    return held is not None and not held.over


def _explain(project: OpenProject, *, as_json: bool) -> int:
    with project_control(project) as control:
        outlook = outlook_of(project, control, now=datetime.now(UTC), loop=loop_runs(project, control))
    if as_json:
        print_json(outlook)
    else:
        print_outlook(outlook)
    return 0


def _ended(retrainings: Retrainings, ask_id: str) -> Retraining:
    while True:
        job = retrainings.answering(ask_id)
        if job is not None and not job.at_work:
            return job
        time.sleep(POLL_SECONDS)


def _told(job: Retraining, *, as_json: bool) -> int:
    if as_json:
        print_json(job)
    else:
        results().print(ended_said(job), markup=False)
    return 1 if job.state in ("refused", "failed") else 0


def _remark(text: str) -> None:
    remarks().print(f"siklus: {text}", markup=False)
