"""`siklus report`"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from siklus import __version__
from siklus.bundle.read import Bundle
from siklus.cli.control import has_control, project_control
from siklus.cli.options import HERE, ProjectOption, WindowOption, opened, seconds_given
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.registered import champion_of, opened_version, versions_of
from siklus.cli.windows import Judge, Window, traffic_window
from siklus.files import write_atomic
from siklus.monitor.alerts.store import KIND, Alerts
from siklus.monitor.drift.judge import drift
from siklus.monitor.drift.words import say_report
from siklus.monitor.looks import project_looks
from siklus.monitor.pages.evidently import evidently_report
from siklus.monitor.pages.report_page import report_page
from siklus.monitor.pages.requests import Requests, counted_requests, logged_requests
from siklus.monitor.pages.window import Firing, WindowReport
from siklus.monitor.quality.question import QualityQuestion, quality_report
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.records.read import records_between
from siklus.registry.journal import Entry

app = command_app()

PAGE = Path("report.html")
MOST_ALERTS = 100  # of a window; the journal has them all


@app.command()
def report(
    window: WindowOption = None,
    which: Annotated[
        str | None,
        typer.Option("--version", help="A number, a stage or `latest`; what is served by default."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page; report.html here by default.", show_default=False),
    ] = None,
    evidently: Annotated[
        bool, typer.Option("--evidently", help="Evidently's report of the same rows too, beside the page.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Write an HTML page of a window of traffic: requests, drift, quality, alerts.

    With --json the numbers come instead, and a page only where --out names it.
    """
    now = datetime.now(UTC)
    project_file = opened(project)
    length = window or project_file.settings.monitor.window
    since = now - timedelta(seconds=seconds_given(length, option="--window"))
    bundle = champion_of(project_file) if which is None else opened_version(project_file, which)[1]
    seen = _window(project_file, bundle, length=length, until=now)
    found = _report(project_file, bundle, seen, since=since, until=now)
    page = out or (None if as_json and not evidently else PAGE)
    beside = page.with_suffix(".evidently.html") if page is not None and evidently else None
    if beside is not None:  # first, as it is what may fail
        write_atomic(beside, _evidently(project_file, bundle, since=since, until=now))
    if page is not None:
        write_atomic(page, report_page(found, made=now, version=__version__))
    if as_json:
        print_json(found)
    else:
        results().print(
            f"{say_report(found.drift)}\n→ {page}" + (f", {beside}" if beside else ""), markup=False
        )
    return 0


def _evidently(project: OpenProject, bundle: Bundle, *, since: datetime, until: datetime) -> str:
    """Of what the log has of the version."""
    records = records_between(Layout(project.paths.records), since, until)
    own = [record for record in records if record.version == bundle.version]
    return evidently_report(bundle, own, snapshots=project.paths.snapshots)


def _report(
    project: OpenProject, bundle: Bundle, seen: Window, *, since: datetime, until: datetime
) -> WindowReport:
    reference = bundle.profile()
    question = QualityQuestion(since=since, until=until, by=("version",))
    quality = quality_report(
        Layout(project.paths.records),
        question,
        project.settings,
        champion=bundle,
        bundle_of=versions_of(project, bundle),
    )
    firing, alerts = _alerts(project, since=since)
    return WindowReport(
        name=project.settings.project.name,
        version=bundle.version,
        since=since,
        until=until,
        said=seen.said,
        requests=_requests(project, bundle, seen, since=since, until=until),
        reference=reference,
        window=seen.profile,
        drift=drift(reference, seen.profile, settings=project.settings.monitor),
        quality=quality,
        firing=firing,
        alerts=alerts,
        remarks=tuple(_remarks(seen)),
    )


def _window(project: OpenProject, bundle: Bundle, *, length: str, until: datetime) -> Window:
    judge = Judge(contract=bundle.contract, bundle=bundle)
    return traffic_window(project, judge, bundle.profile(), window=length, now=until)


def _requests(
    project: OpenProject, bundle: Bundle, seen: Window, *, since: datetime, until: datetime
) -> Requests:
    if seen.source == "counters":
        with project_control(project) as control:
            looks = project_looks(control, project.settings)
            return counted_requests(looks, since=since, until=until)
    records = records_between(Layout(project.paths.records), since, until)
    return logged_requests(records, since=since, until=until, version=bundle.version)


def _alerts(project: OpenProject, *, since: datetime) -> tuple[tuple[Firing, ...] | None, tuple[Entry, ...]]:
    """What fires now, None where nobody has looked yet; and what the journal says of the window."""
    if not has_control(project):
        return None, ()
    with project_control(project) as control:
        alerts = Alerts(control, project.settings.project.name)
        standing = alerts.standing()
        entries = alerts.journal.history(limit=MOST_ALERTS, kinds=(KIND,))
    if standing.looked is None:
        return None, ()
    firing = tuple(
        Firing(
            rule=state.rule.name,
            label=state.label,
            since=state.since,
            severity=state.rule.severity,
            advice=state.rule.advice,
        )
        for state in standing.states
        if state.state == "firing"
    )
    return firing, tuple(entry for entry in entries if entry.time >= since)


def _remarks(seen: Window) -> Iterator[str]:
    if seen.rows is not None and seen.rows.unlogged:
        yield f"Not compared, as the log does not keep sensitive columns: {', '.join(seen.rows.unlogged)}"
    if seen.newest is not None:
        last = datetime.fromtimestamp(seen.newest.time_us / 1e6, UTC)
        yield f"Nothing was answered in this window; the last answer was given at {last:%Y-%m-%d %H:%M} UTC"
