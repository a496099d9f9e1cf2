"""docs/metrics.md and the page name the same gauges of the watch, with the same labels."""

from datetime import UTC, datetime

from siklus.monitor.drift.judge import drift
from siklus.monitor.gauges import board_of
from siklus.monitor.look import Seen
from siklus.monitor.quality.report import QualityFloor
from siklus.monitor.quality.watch import QualitySeen
from siklus.monitor.signals import Signal
from siklus.project.sections import Monitor
from siklus.stats.intervals import Estimate
from tests.architecture.source import ROOT
from tests.monitor.counts import REFERENCE
from tests.serve.test_whole_server import WATCH, documented

NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUALITY = QualitySeen(
    version="7",
    metric="accuracy",
    labelled=500,
    coverage=0.5,
    delay=60.0,
    recent=Estimate(value=0.9, low=0.87, high=0.93),
    floor=QualityFloor(
        metric="accuracy",
        comparison=">=",
        limit=0.8,
        source="[gates]",
        said="accuracy >= 0.8, the bound of [gates]",
    ),
    alarm=None,
)


def test_the_docs_name_every_gauge_with_its_labels() -> None:
    seen = Seen(
        time=NOW,
        version="7",
        signals=(Signal(name="memory", value=1.0), Signal(name="drift_score", value=0.1, label="origin")),
        drift=drift(REFERENCE, REFERENCE, settings=Monitor(min_rows=10)),
        quality=QUALITY,
    )
    shown = {
        gauge.name: {label for labels, _ in gauge.samples for label in labels}
        for gauge in board_of(seen, every=60.0).gauges
    }
    assert shown == documented((ROOT / "docs" / "metrics.md").read_text(), of=WATCH)


def test_what_cannot_be_said_has_no_series() -> None:
    gauges = board_of(Seen(time=NOW, version=None, signals=()), every=60.0).gauges
    assert [gauge.name for gauge in gauges] == ["ml_watch_last_look_timestamp_seconds"]
