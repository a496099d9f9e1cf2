"""The quality report: a stretch of the records joined with its outcomes, judged whole and in parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from siklus.bundle.read import Bundle
from siklus.contract.columns import Column, Contract, Integer, Number
from siklus.errors import MonitorError
from siklus.monitor.microseconds import moment_of
from siklus.monitor.quality.alarm import quality_alarm
from siklus.monitor.quality.estimate import expected_quality
from siklus.monitor.quality.floors import floor_of, watched_metric
from siklus.monitor.quality.judging import (
    WHOLE,
    Judged,
    Measure,
    groups,
    part_of,
    windows,
    with_two_probabilities,
)
from siklus.monitor.quality.label_checks import clients_of, label_bias
from siklus.monitor.quality.report import QualityFloor, QualityPart, QualityReport
from siklus.monitor.quality.rescoring import MOST_ROWS, rescore
from siklus.monitor.quality.words import remarks_on
from siklus.project.durations import seconds_of
from siklus.project.sections import Monitor, Project
from siklus.project.tables import near
from siklus.records.joined import JoinedRows, Stretch, read_joined
from siklus.records.layout import Layout
from siklus.stats.intervals import LEVEL
from siklus.stats.profile import ColumnProfile, NumericProfile
from siklus.stats.ranges import Ranges, ranges_of
from siklus.stats.scores import METRICS, metric_named, names_of

VERSION, ARM = "version", "arm"
INSTEAD = "accuracy"  # of a metric that cannot be computed, so that something is watched
MOST_WINDOWS = 1_000
FEW_WINDOWS = 24
# Lengths that people can read, of which the shortest is taken that gives few windows.
LENGTHS = ("1m", "5m", "10m", "30m", "1h", "3h", "6h", "12h", "1d", "7d", "30d")


@dataclass(frozen=True, kw_only=True)
class QualityQuestion:
    """Predictions made from ``since`` (None: the first) until before ``until``, moments with a time zone.

    ``by``: `version`, `arm` or columns, beside those of [monitor] slices; ``metric`` instead of the watched
    one; ``every``: the length of a window (None: one that gives at most 24 of them).
    """

    since: datetime | None
    until: datetime
    by: tuple[str, ...] = ()
    metric: str | None = None
    every: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Yardstick:
    """What the answers of a project (``name``) are held against.

    ``version``: the champion; ``evidence``: its evaluation.json; ``metric``: the watched one, and ``why`` it
    is another than the project says.
    """

    name: str
    version: str
    evidence: Mapping[str, Any]
    metric: str
    floor: QualityFloor | None
    settings: Monitor
    why: str = ""


def quality_report(
    layout: Layout,
    question: QualityQuestion,
    settings: Project,
    *,
    champion: Bundle,
    bundle_of: Callable[[str], Bundle | None],
) -> QualityReport:
    """Read and judge. ``bundle_of``: another version that the records name, None where it is lost.

    PJ010 for a metric that the task does not have, MonitorError MO020 to MO023, RecordsError RC003, RC006.
    """
    contract, yardstick = champion.contract, yardstick_of(question, settings, champion)
    classes = contract.target.classes
    again = asks_again(yardstick.metric, contract)
    rows = read_joined(
        layout,
        Stretch(since=question.since, until=question.until),
        classes=classes,
        columns=columns_of(question, settings.monitor, champion),
        featured=MOST_ROWS if again else 0,
    )
    rescored = rescore(rows, bundle_of)
    known = rescored.probabilities if again else with_two_probabilities(rows)
    remarks = (*rescored.remarks, *([yardstick.why] if yardstick.why else []))
    return judge_quality(Judged(rows=rows, probabilities=known), question, yardstick, remarks=remarks)


def judge_quality(
    judged: Judged, question: QualityQuestion, yardstick: Yardstick, *, remarks: Sequence[str] = ()
) -> QualityReport:
    """Judge what was read; ``remarks``: what was found in reading it. MonitorError MO022, MO023."""
    rows = judged.rows
    since, until = _bounds(question, rows, yardstick.settings)
    measure = Measure(metrics=(yardstick.metric,), floor=yardstick.floor, fewest=yardstick.settings.min_rows)
    every = question.every or _readable(until - since)
    if (until - since) / every > MOST_WINDOWS:
        told = f"{(until - since) / every:,.0f} windows from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"
        raise MonitorError("MO022", told, expected=f"at most {MOST_WINDOWS:,}: longer windows")
    own = judged.take(np.flatnonzero(_is_version(rows, yardstick.version)))
    report = QualityReport(
        name=yardstick.name,
        task=judged.task,
        metric=yardstick.metric,
        level=LEVEL,
        since=since,
        until=until,
        champion=yardstick.version,
        whole=part_of(judged, WHOLE, _all_metrics(measure, judged), since=since, until=until),
        windows=tuple(windows(judged, measure, since=since, until=until, every=every)),
        groups=_groups(judged, question, measure, since=since, until=until),
        floor=yardstick.floor,
        alarm=None if yardstick.floor is None else quality_alarm(own, yardstick.floor, yardstick.settings),
        expected=expected_quality(own.rows, yardstick.evidence),
        bias=label_bias(rows, fewest=yardstick.settings.min_rows),
        clients=clients_of(judged, yardstick.metric),
    )
    found = (*remarks_on(report, judged, fewest=measure.fewest), *remarks)
    return msgspec.structs.replace(report, remarks=found)


def yardstick_of(question: QualityQuestion, settings: Project, champion: Bundle) -> Yardstick:
    """PJ010 or PJ012 for what is no metric or no bound, MonitorError MO020."""
    task, evidence = champion.contract.task, champion.document("evaluation.json")
    metric, why = question.metric, ""
    if metric is None:
        metric = watched_metric(settings, evidence, task=task)
        if needs_lost_probabilities(metric, champion.contract):
            why = (
                f"{metric} needs the probability of every class, which neither the log nor a model of "
                f"sensitive columns can tell: {INSTEAD} is watched instead."
            )
            metric = INSTEAD
    metric = metric_named(metric, task=task, where="the metric asked for").name
    return Yardstick(
        name=settings.project.name,
        version=champion.version,
        evidence=evidence,
        metric=metric,
        floor=floor_of(metric, settings, evidence, task=task),
        settings=settings.monitor,
        why=why,
    )


def asks_again(metric: str, contract: Contract) -> bool:
    """Whether the log's one probability is not enough, so that the model must be asked again."""
    return METRICS[metric].needs == "probabilities" and len(contract.target.classes or ()) > 2


def needs_lost_probabilities(metric: str, contract: Contract) -> bool:
    """Whether it would have to be asked with cells that the log does not keep."""
    return asks_again(metric, contract) and any(column.sensitive for column in contract.columns)


def columns_of(question: QualityQuestion, settings: Monitor, champion: Bundle) -> Mapping[str, Ranges | None]:
    """The columns by which quality is asked, numbers in ranges of the champion's profile, others by value.

    MonitorError MO021 for one that is not there.
    """
    contract = champion.contract
    wanted = dict.fromkeys([*settings.slices, *(name for name in question.by if name not in (VERSION, ARM))])
    for name in wanted:
        if name not in contract.names:
            known = [VERSION, ARM, *contract.names]
            raise MonitorError("MO021", f"quality by {name!r}", expected=near(name, known))
    seen = champion.profile().columns if wanted else {}
    return {name: _ranges(seen.get(name), contract.column(name)) for name in wanted}


def _ranges(seen: ColumnProfile | None, column: Column) -> Ranges | None:
    """None for what is no number, and for what the log keeps as a digest."""
    if column.sensitive or not isinstance(column, Number | Integer) or not isinstance(seen, NumericProfile):
        return None
    return ranges_of(seen, whole=isinstance(column, Integer))


def _groups(
    judged: Judged, question: QualityQuestion, measure: Measure, *, since: datetime, until: datetime
) -> dict[str, tuple[QualityPart, ...]]:
    """By version always; by arm where it was asked for, or where there are several; by all columns read."""
    rows = judged.rows
    wanted = {VERSION: rows.version}
    if ARM in question.by or len(np.unique(rows.arm.codes)) > 1:
        wanted[ARM] = rows.arm
    return {
        name: groups(judged, words, measure, since=since, until=until)
        for name, words in (wanted | dict(rows.columns)).items()
    }


def _all_metrics(measure: Measure, judged: Judged) -> Measure:
    others = [name for name in names_of(judged.task) if name != measure.watched]
    return replace(measure, metrics=(measure.watched, *others))


def _is_version(rows: JoinedRows, version: str) -> np.ndarray:
    if version not in rows.version.names:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(rows.version.codes == rows.version.names.index(version))


def _bounds(question: QualityQuestion, rows: JoinedRows, settings: Monitor) -> tuple[datetime, datetime]:
    """The stretch with its beginning: where none was asked for, that of the first prediction."""
    since, until = question.since, question.until
    if since is None:
        window = timedelta(seconds=seconds_of(settings.window))
        since = moment_of(int(rows.made.min())) if len(rows) else until - window
    if since >= until:
        told = f"quality from {since:%Y-%m-%d %H:%M} until {until:%Y-%m-%d %H:%M}"
        raise MonitorError("MO023", told, expected="a beginning before the end")
    return since, until


def _readable(stretch: timedelta) -> timedelta:
    lengths = [timedelta(seconds=seconds_of(text)) for text in LENGTHS]
    return next((length for length in lengths if stretch / length <= FEW_WINDOWS), lengths[-1])
