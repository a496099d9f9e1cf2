"""Watches of several machines ask one set of rules of the same values."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from siklus.monitor.alerts.store import Alerts
from siklus.monitor.signals import Signal
from siklus.monitor.watches import Watches
from siklus.registry.control import Control, open_control
from tests.monitor.alerting import rule

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MODELS = (f"watched-{i}" for i in range(1_000))  # each test its own, since a server's database is shared


@pytest.fixture
def control(control_url: str | None, tmp_path: Path) -> Iterator[Control]:
    with open_control(control_url, file=tmp_path / "control.db") as found:
        yield found


def asked(watches: Watches, replica: str, minute: float, **values: float) -> dict[str, float]:
    """What rules are asked of at a look of this replica, which has found these values itself."""
    own = [Signal(name=name, value=value) for name, value in values.items()]
    found = watches.together(own, replica=replica, now=START + minute * MINUTE, every=MINUTE)
    return {each.name: each.value for each in found}


def test_what_each_machine_knows_alone_is_one_for_all(control: Control) -> None:
    watches = Watches(control, next(MODELS))
    assert asked(watches, "a", 0, cpu=1.5, error_rate=0.1) == {"cpu": 1.5, "error_rate": 0.1}
    found = asked(watches, "b", 0, cpu=2.0, quality_alarm=1.0)
    assert found == {"cpu": 2.0, "quality_alarm": 1.0}, "what all can see themselves is not told"
    assert asked(watches, "a", 1, cpu=0.5, quality_alarm=0.0) == {"cpu": 2.0, "quality_alarm": 1.0}
    assert asked(Watches(control, next(MODELS)), "a", 1, memory=1.0) == {"memory": 1.0}, "another model"


@pytest.mark.parametrize("minutes", [11, -11])
def test_a_machine_that_is_gone_is_forgotten(control: Control, minutes: int) -> None:
    watches = Watches(control, next(MODELS))
    asked(watches, "a", 0, cpu=1.0)
    assert asked(watches, "b", minutes, cpu=2.0) == {"cpu": 2.0}


def test_what_only_one_machine_finds_is_told_once(control: Control) -> None:
    model = next(MODELS)
    watches, alerts = Watches(control, model), Alerts(control, model)
    rules = [rule("quality_alarm", signal="quality_alarm", threshold=0.5)]
    told = []
    for minute in range(10):
        for replica, value in (("a", float(minute < 8)), ("b", 0.0)):
            own = [Signal(name="quality_alarm", value=value)]
            now = START + minute * MINUTE
            found = watches.together(own, replica=replica, now=now, every=MINUTE)
            told += [event.state for event in alerts.look(rules, found, now=now)]
    assert told == ["firing", "resolved"]
