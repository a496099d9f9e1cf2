"""`siklus rollout`"""

from datetime import UTC, datetime
from typing import Annotated

import typer
from msgspec import Struct

from siklus.automation.reasons import sentence
from siklus.automation.rollout.accounts import part
from siklus.automation.rollout.freezes import Freeze
from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.table import Looked
from siklus.cli.control import author
from siklus.cli.going_on import asked_rollouts, begin, drafted_for, going_on, open_rollouts
from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened, refuse_options_before
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.rollout_words import standing
from siklus.cli.staged import make_live

app = command_app()


class Status(Struct, frozen=True, kw_only=True):
    """A rollout, what was seen of it last, and until when no new one begins by itself; None without."""

    rollout: Rollout | None = None
    looked: Looked | None = None
    frozen: Freeze | None = None


@app.callback(invoke_without_command=True)
def rollout(context: typer.Context, project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """A new version's way to all requests, step by step. Without a command: status."""
    if context.invoked_subcommand is None:
        return status(None, project, as_json)
    refuse_options_before(context, project=project, as_json=as_json)
    return 0


@app.command()
def status(
    number: Annotated[
        int | None, typer.Argument(help="Of an earlier one; without it the latest.", show_default=False)
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Show how the rollout stands: which step, what was seen so far, and what it waits for."""
    now = datetime.now(UTC)
    with asked_rollouts(opened(project)) as rollouts:
        found = Status()
        if rollouts is not None:
            latest = rollouts.history(limit=1) if number is None else [rollouts.get(number)]
            looked = rollouts.looked(latest[0].number) if latest else None
            found = Status(rollout=latest[0] if latest else None, looked=looked, frozen=rollouts.frozen(now))
    if as_json:
        print_json(found)
    else:
        _print(found, now=now)
    return 0


@app.command()
def start(
    which: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a stage or `latest`.")],
    reason: ReasonOption = "",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Try a version beside the champion, by the steps of [rollout].

    `siklus up` takes it from step to step, or back. A freeze keeps nobody from starting one by hand.
    """
    found = opened(project)
    begun = begin(found, drafted_for(found, which, plan=found.settings.rollout, reason=reason))
    make_live(found)
    if as_json:
        print_json(begun)
    else:
        told = (
            f"Rollout {begun.number} has begun: version {begun.challenger.version} beside version "
            f"{begun.champion.version}, {part(begun)}."
        )
        results().print(told, markup=False)
        results().print("`siklus up` goes on with it; `siklus rollout` shows how it stands.", markup=False)
    return 0


@app.command()
def stop(reason: ReasonOption = "", project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """End the rollout: the champion has all requests again, and nothing is frozen."""
    found = opened(project)
    with open_rollouts(found) as rollouts:
        seen = going_on(rollouts, "rollout")
        over = rollouts.stop(seen, by=author(), now=datetime.now(UTC), reason=reason)
    make_live(found)
    if as_json:
        print_json(over)
    else:
        champion = over.champion.version
        told = f"Rollout {over.number} is stopped: version {champion} has all requests again."
        results().print(told, markup=False)
    return 0


def _print(found: Status, *, now: datetime) -> None:
    lines = ["There was no rollout yet: `siklus rollout start VERSION` begins one."]
    if found.rollout is not None:
        lines = standing(found.rollout, found.looked, now=now)
    if found.frozen is not None:
        until = f"{found.frozen.until.astimezone():%Y-%m-%d %H:%M %Z}"
        why = sentence(found.frozen.reason)
        lines.append(f"Nothing is rolled out by itself until {until}: {why} `siklus resume` ends that.")
    for line in lines:
        results().print(line, markup=False)
