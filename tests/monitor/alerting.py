"""Rules to ask and a clock to ask them by."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from siklus.monitor.alerts.evaluate import evaluate
from siklus.monitor.alerts.events import Event
from siklus.monitor.alerts.rules import Rule
from siklus.monitor.alerts.states import AlertState, Silence
from siklus.monitor.signals import Signal

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def rule(name: str = "slow", **more: Any) -> Rule:
    given: dict[str, Any] = {
        "name": name,
        "signal": "latency_p99",
        "comparison": ">",
        "threshold": 1.0,
        "receivers": ("ops",),
        **more,
    }
    return Rule(**given)


def silence(name: str = "slow", *, hours: float = 2, created: datetime = START, **more: Any) -> Silence:
    return Silence(rule=name, created=created, until=created + hours * HOUR, author="jane", **more)


def signals(values: Mapping[str, float], name: str = "latency_p99") -> list[Signal]:
    """By label; "" for a signal without one."""
    return [Signal(name=name, value=value, label=label) for label, value in values.items()]


class Watching:
    """What a watch does, without a database: each look begins where the last one ended."""

    def __init__(self, *rules: Rule, now: datetime = START) -> None:
        self.rules: Sequence[Rule] = rules
        self.now = now
        self.states: Sequence[AlertState] = ()
        self.silences: list[Silence] = []

    def look(
        self, value: float | Mapping[str, float] | None, *, after: timedelta = MINUTE
    ) -> tuple[Event, ...]:
        """``value``: one, or by label; None where the signal has none. The first look is at the start."""
        values = value if isinstance(value, Mapping) else {} if value is None else {"": value}
        found = evaluate(
            self.rules, signals(values), self.states, silences=self.silences, now=self.now, every=MINUTE
        )
        self.states = found.states
        self.now += after
        return found.events

    def looks(self, *values: float | None) -> list[str]:
        """One look each a minute; what each told, such as "firing", "resolved", or ""."""
        return [" ".join(event.state for event in self.look(value) if event.receivers) for value in values]

    @property
    def standing(self) -> dict[str, str]:
        return {state.label: state.state for state in self.states}
