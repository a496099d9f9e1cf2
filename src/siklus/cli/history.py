"""`siklus history`"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus.automation.by_hand import shares
from siklus.automation.past import Answering, Past
from siklus.cli.control import has_control, project_control
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.project.file import OpenProject
from siklus.registry.journal import Entry, Journal

# What the journal holds beside these, `siklus alerts history` shows: it would drown the decisions.
KINDS = (
    "trigger",
    "retraining",
    "challenger",
    "rollout",
    "experiment",
    "promotion",
    "rollback",
    "freeze",
    "pause",
    "resume",
    "traffic",
    "push",
    "signature",
    "drill",
    "proof",
)
ALL = "all"
CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?Z?")

app = command_app()


@app.command()
def history(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of the newest.")] = 20,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="What was live then: 2026-11-01T12:00 (local time), or with Z or +01:00 behind it; 12:00.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only promotion, rollback …; `all`: alerts too."),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Show what was decided about the model, by whom and why, the newest first.

    With --at: which versions answered at that moment, and what had been decided by then. Ends with 1 when
    nothing was live then.
    """
    found, kinds = opened(project), _kinds(kind or [])
    if at is not None:
        return _then(found, moment_given(at, now=datetime.now(UTC)), as_json=as_json)
    entries = _entries(found, limit=limit, kinds=kinds)
    if as_json:
        print_json(entries)
    else:
        _print_entries(entries)
    return 0


def moment_given(text: str, *, now: datetime) -> datetime:
    """The moment that `--at` names; without an offset it is local time, without a day today's.

    typer.BadParameter for none, or one that is yet to come.
    """
    given = text.strip().replace(" UTC", "Z")
    if CLOCK.fullmatch(given):
        today = now if given.endswith("Z") else now.astimezone()
        given = f"{today:%Y-%m-%d} {given}"
    try:
        moment = datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        wanted = "a moment such as 2026-11-01T12:00, 2026-11-01T12:00Z, 2026-11-01 or, of today, 12:00"
        raise typer.BadParameter(f"{text!r} is not {wanted}", param_hint="--at") from exc
    if moment > now:
        raise typer.BadParameter(f"{both_clocks(moment)} is yet to come", param_hint="--at")
    return moment


def both_clocks(moment: datetime) -> str:
    """Local time, and behind it UTC; UTC alone where that is the local time."""
    local, universal = moment.astimezone(), moment.astimezone(UTC)
    if not local.utcoffset():
        return f"{universal:%Y-%m-%d %H:%M:%S} UTC"
    day = "" if local.date() == universal.date() else f"{universal:%Y-%m-%d} "
    return f"{local:%Y-%m-%d %H:%M:%S %Z} ({day}{universal:%H:%M:%S} UTC)"


def _kinds(given: Sequence[str]) -> tuple[str, ...]:
    unknown = [word for word in given if word not in (*KINDS, ALL)]
    if unknown:
        told = f"{unknown[0]!r} is none of {', '.join(KINDS)}, {ALL}"
        raise typer.BadParameter(told, param_hint="--kind")
    return () if ALL in given else tuple(given) or KINDS


def _entries(project: OpenProject, *, limit: int, kinds: tuple[str, ...]) -> list[Entry]:
    if not has_control(project):
        return []
    with project_control(project) as control:
        return Journal(control, project.settings.project.name).history(limit=limit, kinds=kinds)


def _print_entries(entries: Sequence[Entry]) -> None:
    if not entries:
        results().print("Nothing was decided yet.", markup=False)
        return
    rows = [(f"{entry.time.astimezone():%Y-%m-%d %H:%M %Z}", entry.author, entry.text) for entry in entries]
    results().print(table("", ["time", "by", "what"], rows))


def _then(project: OpenProject, moment: datetime, *, as_json: bool) -> int:
    found = None
    if has_control(project):
        with project_control(project) as control:
            found = Past(control, project.settings.project.name).answering(moment)
    if as_json:
        print_json(found)
    elif found is None:
        told = f"At {both_clocks(moment)} nothing was live yet: no traffic policy had been made."
        results().print(told, markup=False)
    else:
        _print_then(found)
    return 1 if found is None else 0


def _print_then(found: Answering) -> None:
    policy, champion = found.policy, found.policy.allotment.champion
    lines = [
        f"At {both_clocks(found.at)}: {shares(policy.allotment)}.",
        f"Version {champion.version} was the champion since {both_clocks(found.champion_since)}.",
        f"Decided at {both_clocks(policy.created)} by {policy.by} (revision {policy.revision}).",
    ]
    why = policy.reason if found.entry is None else found.entry.text
    if why:
        lines.append(f"Why: {why}")
    for line in lines:
        results().print(line, markup=False)
