"""Gauges: what a look has found, as families of series for the page that Prometheus scrapes."""

from collections.abc import Iterator

from siklus.ledgers.board import Board, Gauge, Sample
from siklus.monitor.drift.report import ALARMING, DriftReport
from siklus.monitor.look import Seen
from siklus.monitor.quality.watch import QualitySeen
from siklus.monitor.signals import Signal
from siklus.stats.intervals import Estimate

FRESH_SECONDS = 600.0  # what a look has found is shown for so long, or for some looks that fail
MISSED_LOOKS = 3
LAST_LOOK = "ml_watch_last_look_timestamp_seconds"


def board_of(seen: Seen, *, every: float) -> Board:
    """All that was found; what cannot be said has no series. ``every``: seconds from look to look."""
    gauges = [
        Gauge(
            name=LAST_LOOK,
            meaning="When the watch last looked, in Unix time.",
            samples=(({}, seen.time.timestamp()),),
        ),
        Gauge(
            name="ml_signal",
            meaning="The signals that alert rules speak of, as of the last look.",
            samples=tuple(({"signal": each.name, **_of_feature(each)}, each.value) for each in seen.signals),
        ),
    ]
    if seen.version is not None:
        if seen.drift is not None and seen.drift.enough:
            gauges += _drift_gauges(seen.drift, seen.version)
        gauges += () if seen.quality is None else _quality_gauges(seen.quality)
    told = tuple(gauge for gauge in gauges if gauge.samples)
    seconds = max(FRESH_SECONDS, MISSED_LOOKS * every)
    return Board(written=seen.time.timestamp(), seconds=seconds, gauges=told)


def _of_feature(signal: Signal) -> dict[str, str]:
    return {"feature": signal.label} if signal.label else {}


def _quality_gauges(quality: QualitySeen) -> Iterator[Gauge]:
    recent = quality.recent or Estimate(value=None)
    floor = None if quality.floor is None else quality.floor.limit
    of_version = {"version": quality.version}
    of_metric = {"metric": quality.metric, **of_version}
    coverage = "The share of the version's predictions that have their outcome."
    delay = "The median time from a prediction to its outcome."
    told: tuple[tuple[str, str, dict[str, str], float | None], ...] = (
        ("ml_quality", "The watched metric on the newest labelled predictions.", of_metric, recent.value),
        ("ml_quality_low", "The lower bound of its 95 % interval.", of_metric, recent.low),
        ("ml_quality_high", "The upper bound of its 95 % interval.", of_metric, recent.high),
        ("ml_quality_floor", "The bound that the watched metric must keep.", of_metric, floor),
        ("ml_label_coverage", coverage, of_version, quality.coverage),
        ("ml_label_delay_seconds", delay, of_version, quality.delay),
    )
    for name, meaning, labels, value in told:
        if value is not None:
            yield Gauge(name=name, meaning=meaning, samples=((labels, value),))


def _drift_gauges(drift: DriftReport, version: str) -> Iterator[Gauge]:
    def samples(of: str) -> tuple[Sample, ...]:
        found = [(column.name, getattr(column, of)) for column in drift.columns]
        return tuple(
            ({"feature": name, "version": version}, float(value))
            for name, value in found
            if value is not None
        )

    yield Gauge(
        name="ml_feature_drift_score",
        meaning="PSI of the feature against training, over [monitor] window.",
        samples=samples("psi"),
    )
    yield Gauge(
        name="ml_feature_drift_pvalue",
        meaning="The p-value that the feature has not moved beyond the tolerance, after Holm.",
        samples=samples("p_adjusted"),
    )
    alarms = [(column.name, float(column.verdict in ALARMING)) for column in drift.columns]
    yield Gauge(
        name="ml_drift_alarm",
        meaning="1 for a feature that this window's test finds shifted.",
        samples=tuple(({"feature": name, "version": version}, alarm) for name, alarm in alarms),
    )
