"""`siklus drift`"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from siklus.cli.options import HERE, ProjectOption, opened, seconds_given
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results, table
from siklus.cli.registered import champion_of, opened_version
from siklus.cli.windows import (
    Judge,
    Window,
    file_window,
    logged_window,
    query_window,
    rows_of_file,
    traffic_window,
)
from siklus.contract.columns import Tensor, Text, read_contract
from siklus.errors import MonitorError, RegistryError
from siklus.monitor.amounts import counted, percent
from siklus.monitor.drift.joint import JointDrift, joint_drift_of, joint_drift_of_rows
from siklus.monitor.drift.judge import drift as judge_window
from siklus.monitor.drift.report import ColumnDrift, DriftReport
from siklus.monitor.drift.rows import WindowRows, profile_reference
from siklus.monitor.drift.words import TRAINING, say_chance, say_far, say_not_judged
from siklus.project.file import OpenProject
from siklus.records.reading import PredictionRecord
from siklus.stats.profile import Profile

app = command_app()

NO_VERSION = "RG001"
STEADY_NAMED = 12  # columns of which nothing is to be said but their names
WIDE = 110  # characters of a terminal from which on a sentence beside the numbers is readable
PROBLEMS_SAID = 8  # columns of which it is told how they break the contract


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the window is held against. ``rows`` where they were read from a file."""

    said: str
    profile: Profile
    rows: WindowRows | None = None


@app.command()
def drift(
    window: Annotated[
        str | None,
        typer.Option("--window", help="The traffic of the last 30m, 6h, 7d …; [monitor] window by default."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The rows of a file instead.", show_default=False)
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            "--query", help="The log's rows that a SELECT names (docs/records.md).", show_default=False
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="A version (a number, a stage, `latest`) or a file; what is served by default.",
            show_default=False,
        ),
    ] = None,
    joint: Annotated[
        bool, typer.Option("--joint", help="Also whether a classifier can tell the rows from training's.")
    ] = False,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 when there is drift.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Compare traffic, or any rows, with what a version was trained on.

    Each column and the predictions, with how far they have moved, and how sure that is.
    """
    if sum(given is not None for given in (window, data, sql)) > 1:
        raise typer.BadParameter("takes one of --window, --data and --query")
    opened_project = opened(project)
    file = _as_file(against)
    judge = _judge(opened_project, None if file is not None else against)
    reference = _reference(judge, file)
    if data is not None:
        seen = file_window(data, judge, reference.profile)
    elif sql is not None:
        seen = query_window(sql, opened_project, judge, reference.profile)
    else:
        seen = _traffic(opened_project, judge, reference, window, rows_too=joint or file is not None)
    settings = opened_project.settings.monitor
    where = TRAINING if file is None else f"in {file.name}"
    report = judge_window(reference.profile, seen.profile, settings=settings, where=where)
    told_apart = _joint(opened_project, judge, reference, seen) if joint else None
    if as_json:
        print_json(
            {
                "window": {"source": seen.source, "said": seen.said},
                "against": reference.said,
                "report": report,
                "joint": told_apart,
            }
        )
    else:
        _show(report, seen, reference, where=where)
        if told_apart is not None:
            _show_joint(told_apart)
    for line in [*_remarks(judge, seen), *report.remarks]:
        remarks().print(f"siklus: {line}", markup=False)
    return int(fail and (report.alarm or (told_apart is not None and told_apart.alarm)))


def _as_file(against: str | None) -> Path | None:
    """A version has neither a dot nor a slash in it."""
    if against is None:
        return None
    path = Path(against)
    return path if path.suffix or "/" in against or path.is_file() else None


def _judge(project: OpenProject, which: str | None) -> Judge:
    """The version that is asked for; the contract alone where there is none yet."""
    try:
        bundle = champion_of(project) if which is None else opened_version(project, which)[1]
    except RegistryError as error:
        if which is not None or error.code != NO_VERSION:
            raise
        return Judge(contract=read_contract(project.paths.contract), bundle=None)
    return Judge(contract=bundle.contract, bundle=bundle)


def _reference(judge: Judge, file: Path | None) -> Reference:
    if file is not None:
        rows = rows_of_file(file, judge)
        return Reference(said=str(file), profile=profile_reference(rows), rows=rows)
    if judge.bundle is None:
        raise MonitorError(
            "MO005",
            "there is no version to compare with",
            expected="one that `siklus train` has registered, or --against a FILE of rows",
        )
    return Reference(said=f"the training of version {judge.version}", profile=judge.bundle.profile())


def _traffic(
    project: OpenProject, judge: Judge, reference: Reference, window: str | None, *, rows_too: bool
) -> Window:
    """Whoever needs the rows themselves gets them from the log."""
    length = window or project.settings.monitor.window
    seconds_given(length, option="--window")
    find = logged_window if rows_too else traffic_window
    return find(project, judge, reference.profile, window=length, now=datetime.now(UTC))


def _joint(project: OpenProject, judge: Judge, reference: Reference, seen: Window) -> JointDrift | None:
    settings = project.settings.monitor
    if seen.rows is None:
        return None
    if reference.rows is not None:
        return joint_drift_of_rows(reference.rows, seen.rows, settings=settings)
    if judge.bundle is None:
        return None
    return joint_drift_of(judge.bundle, seen.rows, paths=project.paths, settings=settings)


def _show(report: DriftReport, seen: Window, reference: Reference, *, where: str) -> None:
    console = results()
    console.print(
        f"{counted(report.rows, 'row')} of {seen.said}, beside {report.reference_rows:,} of {reference.said}",
        markup=False,
    )
    if not report.enough:
        console.print(f"{say_not_judged(report).capitalize()}, so nothing is judged", markup=False)
        return
    told = [column for column in report.columns if column.verdict != "steady"]
    if told:
        console.print()
        _show_columns(console, told)
        console.print()
    steady = [column.name for column in report.columns if column.verdict == "steady"]
    if steady:
        more = f" and {len(steady) - STEADY_NAMED} more" if len(steady) > STEADY_NAMED else ""
        console.print(f"As {where}: {', '.join(steady[:STEADY_NAMED])}{more}", markup=False)
    console.print(_verdict(report), markup=False)
    if told:
        console.print(
            "how far: as a shift of the mean by so many σ, with its 95 % interval\n"
            "p: how likely chance alone makes such a difference; q: a larger one than is tolerated, among "
            "all columns\ndocs/drift.md tells more",
            markup=False,
            style="dim",
        )


def _show_columns(console: Console, told: Sequence[ColumnDrift]) -> None:
    """The sentences stand in the table where there is room for them, else below it."""
    headings = ["column", "verdict", "how far", "p", "q", "PSI", "what"]
    rows = [_row(column) for column in told]
    if console.width >= WIDE:
        console.print(table("", headings, rows))
        return
    console.print(table("", headings[:-1], [row[:-1] for row in rows]))
    console.print()
    for column in told:
        console.print(f"{column.name}: {column.said}", markup=False)


def _row(column: ColumnDrift) -> tuple[str, ...]:
    return (
        column.name,
        column.verdict,
        say_far(column.effect),
        say_chance(column.p),
        say_chance(column.q),
        "" if column.psi is None else f"{column.psi:.2f}",
        column.said,
    )


def _verdict(report: DriftReport) -> str:
    if not report.alarm:
        return "No drift beyond the tolerance"
    rate = percent(report.false_alarm_rate)
    said = f"Drift in {len(report.alarming)} of {len(report.columns)} columns"
    return f"{said}; where nothing has changed, at most {rate} of such looks say so"


def _show_joint(found: JointDrift) -> None:
    console = results()
    console.print()
    if found.auc is None:
        console.print(f"All columns together: {found.said}", markup=False)
        return
    interval = f"AUC {found.low:.3f} to {found.high:.3f} (95 %), p {say_chance(found.p)}"
    console.print(f"All columns together: {found.said}; {interval}", markup=False)


def _remarks(judge: Judge, seen: Window) -> Iterator[str]:
    """What could not be read, what is not compared, and why."""
    rows = seen.rows
    first = {problem.column: problem.message for problem in reversed(rows.problems if rows else ())}
    for column, message in sorted(first.items(), key=str)[:PROBLEMS_SAID]:
        yield f"{column}: {message}" if column else message
    if rows is not None and rows.refused:
        yield "a cell that the contract cannot read counts as missing, and a column that it lacks is left out"
    if rows is not None and rows.unlogged:
        yield f"not compared, because the log keeps no sensitive column: {', '.join(rows.unlogged)}"
    if seen.source == "log" and not seen.profile.rows:
        whose = "" if judge.version is None else f" of version {judge.version}"
        yield f"no row{whose} in that time; {_newest(seen.newest)}"
    unlike = [column.name for column in judge.contract.columns if isinstance(column, Text | Tensor)]
    if unlike:
        yield f"not compared, because texts and tensors have no bins: {', '.join(unlike)}"


def _newest(record: PredictionRecord | None) -> str:
    if record is None:
        return "the log holds none at all: `siklus serve` keeps what it answers"
    when = datetime.fromtimestamp(record.time_us / 1e6, UTC)
    return f"the newest one in the log is of {when:%Y-%m-%d %H:%M} UTC, of version {record.version}"
