"""`siklus quality`"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer

from siklus.cli.options import (
    HERE,
    ProjectOption,
    WindowOption,
    listed,
    moment_option,
    opened,
    seconds_given,
)
from siklus.cli.output import JsonFlag, command_app, print_json, remarks, results, table
from siklus.cli.registered import champion_of, versions_of
from siklus.errors import MonitorError
from siklus.ledgers.totals import COUNTERS, Totals, read_totals
from siklus.monitor.amounts import amount, counted
from siklus.monitor.prometheus import PrometheusCounts
from siklus.monitor.quality.question import QualityQuestion, quality_report
from siklus.monitor.quality.report import QualityPart, QualityReport
from siklus.monitor.quality.words import refused_feedback, told
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.stats.intervals import Estimate

app = command_app()

BEYOND = 1


@app.command()
def quality(
    window: WindowOption = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Predictions made from this moment on (ISO 8601, UTC).")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="And before this one; now by default.")] = None,
    by: Annotated[
        str, typer.Option("--by", help="version, arm or columns (by commas), whose values are told apart.")
    ] = "",
    metric: Annotated[
        str | None, typer.Option("--metric", help="Instead of the watched one.", show_default=False)
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", help="The length of a window in time: 10m, 1h, 1d …")
    ] = None,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 when it is beyond its floor.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Say how good the answers were, as far as their outcomes are known.

    Each figure stands beside its interval, the share of predictions that have their outcome, and how late
    the outcomes came.
    """
    now = datetime.now(UTC)
    opened_project = opened(project)
    end = moment_option(until, "--until") if until is not None else now
    question = QualityQuestion(
        since=_since(since, window, until=end, settled=opened_project.settings.monitor.window),
        until=end,
        by=listed(by),
        metric=metric,
        every=None if every is None else timedelta(seconds=seconds_given(every, option="--every")),
    )
    champion = champion_of(opened_project)
    report = quality_report(
        Layout(opened_project.paths.records),
        question,
        opened_project.settings,
        champion=champion,
        bundle_of=versions_of(opened_project, champion),
    )
    refused = _refused(opened_project, now=now)
    report = msgspec.structs.replace(report, remarks=(*report.remarks, *refused))
    if as_json:
        print_json(report)
    else:
        show(report)
        for line in report.remarks:
            remarks().print(f"siklus: {line}", markup=False)
    return BEYOND if fail and report.beyond else 0


def _refused(project: OpenProject, *, now: datetime) -> Iterator[str]:
    """What servers did not store: this machine's or, where a Prometheus counts, all that it scrapes."""
    url = project.settings.monitor.prometheus
    if url is None:
        yield from refused_feedback(read_totals(project.paths.run / COUNTERS))
        return
    try:
        counted = PrometheusCounts(url=url, job=project.settings.project.name).read([], now=now)
    except MonitorError as error:  # the records are here all the same
        yield f"What was refused is not known: {error}"
        return
    servers = tuple(server for totals in counted.values() for server in totals.servers)
    yield from refused_feedback(Totals((), servers))


def show(report: QualityReport) -> None:
    """The report as tables, the whole first."""
    console = results()
    title = f"Quality of {report.name}, {told(report.since)} to {told(report.until)} UTC"
    console.print(table(title, ["", ""], _summary(report)))
    if report.whole.metrics:
        headings = ["metric", "value", f"{100 * report.level:g} % interval"]
        metrics = [(name, *_figures(found)) for name, found in report.whole.metrics.items()]
        console.print(table("\nOf all labelled predictions", headings, metrics))
    for name, parts in report.groups.items():
        if len(parts) > 1 or name != "version":
            console.print(_parts(f"\nBy {name}", name, parts, report))
    told_windows = [part for part in report.windows if part.labels.predictions]
    if len(told_windows) > 1:
        console.print(_parts("\nOver time", "from", told_windows, report))


def _summary(report: QualityReport) -> Iterator[tuple[str, str]]:
    labels = report.whole.labels
    share = "" if labels.coverage is None else f" ({amount(labels.coverage, 'share')})"
    yield "predictions", f"{labels.predictions:,}, of which {labels.labelled:,} with an outcome{share}"
    if labels.delay_median is not None:
        half, most = _shown(labels.delay_median, "seconds"), _shown(labels.delay_p90, "seconds")
        yield "outcomes came", f"after {half} (half of them), {most} (nine tenths)"
    yield report.metric, _measured(report.whole.metrics.get(report.metric))
    if report.floor is not None:
        yield "floor", f"{report.floor.said}: {report.whole.verdict}"
    if report.alarm is not None:
        rows = f", over {counted(report.alarm.rows, 'row')} of version {report.champion}"
        yield "at all times", f"{_measured(report.alarm.estimate)}{rows}"
        yield "alarm", report.alarm.said
    if report.expected is not None:
        figures = [f"{name} {value:.4g}" for name, value in report.expected.metrics.items()]
        yield "expected", f"{', '.join(figures)}. {report.expected.said}"


def _parts(title: str, name: str, parts: Sequence[QualityPart], report: QualityReport) -> object:
    headings = [name, "predictions", "labelled", "coverage", "delay", report.metric, "interval", "floor"]
    rows = [
        (
            part.name,
            f"{part.labels.predictions:,}",
            f"{part.labels.labelled:,}",
            _shown(part.labels.coverage, "share"),
            _shown(part.labels.delay_median, "seconds"),
            *_figures(part.metrics.get(report.metric)),
            part.verdict,
        )
        for part in parts
    ]
    return table(title, headings, rows)


def _shown(value: float | None, unit: str) -> str:
    return "" if value is None else amount(value, unit)


def _figures(found: Estimate | None) -> tuple[str, str]:
    """Value and interval."""
    if found is None:
        return "", ""
    if found.value is None:
        return "undefined", ""
    bounds = "" if found.low is None or found.high is None else f"{found.low:.4g} to {found.high:.4g}"
    return f"{found.value:.4g}", bounds


def _measured(found: Estimate | None) -> str:
    value, bounds = _figures(found)
    return f"{value} ({bounds})" if bounds else value or "not known"


def _since(since: str | None, window: str | None, *, until: datetime, settled: str) -> datetime:
    if since is not None and window is not None:
        raise typer.BadParameter("takes one of --since and --window")
    if since is not None:
        return moment_option(since, "--since")
    return until - timedelta(seconds=seconds_given(window or settled, option="--window"))
