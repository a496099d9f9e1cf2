"""What an older Siklus has stored of alerts is read for ever: a file of each format number."""

from pathlib import Path

import msgspec

from siklus.monitor.alerts.events import Bars, Event, Notification, Series
from siklus.monitor.alerts.states import AlertState, Reading, Standing
from tests.monitor.alerting import MINUTE, START, rule

GOLDEN = Path(__file__).parent / "golden"


def test_states_of_format_1_are_read() -> None:
    kept = rule(
        held=60,
        severity="critical",
        advice="Mehr [serve] workers, größer.",
        feature="carrier",
        receivers=("ops", "boss"),
    )
    firing = AlertState(
        rule=kept,
        label="carrier",
        state="firing",
        value=1.5,
        since=START,
        seen=START + MINUTE,
        told=("ops",),
        told_at=START + MINUTE,
    )
    pending = AlertState(
        rule=rule("other", comparison="<", repeat=None),
        label="",
        state="pending",
        value=0.5,
        since=START,
        seen=START,
    )
    found = msgspec.json.decode((GOLDEN / "standing-1.json").read_bytes(), type=Standing)
    assert found == Standing(
        states=(firing, pending),
        readings=(Reading(rule="slow", label="carrier", value=1.5),),
        looked=START + MINUTE,
    )


def test_a_notification_of_format_1_is_read() -> None:
    fired = Event(
        rule="slow",
        signal="latency_p99",
        state="firing",
        comparison=">",
        threshold=1.0,
        value=1.5,
        label="carrier",
        since=START,
        severity="critical",
        advice="Größer.",
        receivers=("ops",),
        certainty="1.4 to 1.6",
    )
    over = Event(
        rule="slow",
        signal="latency_p99",
        state="resolved",
        comparison=">",
        threshold=1.0,
        value=None,
        since=START,
        severity="warning",
        advice="",
    )
    line = Series(
        title="latency",
        unit="seconds",
        times=(START, START + MINUTE),
        values=(0.5, 1.5),
        threshold=1.0,
    )
    bars = Bars(title="drift", unit="psi", names=("carrier",), values=(0.3,))
    found = msgspec.json.decode((GOLDEN / "notification-1.json").read_bytes(), type=Notification)
    assert found == Notification(
        project="flights", receiver="ops", time=START, events=(fired, over), evidence=(line, bars)
    )
