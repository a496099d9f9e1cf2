"""Gauges: what a look has found, as families of series for the page that Prometheus scrapes."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from siklus.ledgers.board import Board, Gauge, Sample
from siklus.monitor.drift_report import ALARMING, DriftReport
from siklus.monitor.signals import Signal

LAST_LOOK = "ml_watch_last_look_timestamp_seconds"


def board_of(
    signals: Sequence[Signal], *, version: str | None, drift: DriftReport | None, now: datetime
) -> Board:
    """``version`` and ``drift`` are the champion's; None where nothing is served or counted yet."""
    gauges = [
        Gauge(
            name=LAST_LOOK,
            meaning="When the watch last looked, in Unix time.",
            samples=(({}, now.timestamp()),),
        ),
        Gauge(
            name="ml_signal",
            meaning="The signals that alert rules speak of, as of the last look.",
            samples=tuple(({"signal": each.name, **_of_feature(each)}, each.value) for each in signals),
        ),
    ]
    if version is not None:
        gauges += _quality_gauges(signals, version)
        gauges += [] if drift is None or not drift.enough else _drift_gauges(drift, version)
    return Board(written=now.timestamp(), gauges=tuple(gauge for gauge in gauges if gauge.samples))


def _of_feature(signal: Signal) -> dict[str, str]:
    return {"feature": signal.label} if signal.label else {}


def _quality_gauges(signals: Sequence[Signal], version: str) -> Iterator[Gauge]:
    values = {signal.name: signal.value for signal in signals}
    told = {
        "label_coverage": (
            "ml_label_coverage",
            "The share of the version's predictions that have their outcome.",
        ),
        "label_delay": ("ml_label_delay_seconds", "The median time from a prediction to its outcome."),
    }
    for signal, (name, meaning) in told.items():
        if signal in values:
            yield Gauge(name=name, meaning=meaning, samples=(({"version": version}, values[signal]),))


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
