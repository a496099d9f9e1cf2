"""Whatever happens, alerts keep their promises: looks, silences and leaping clocks against small models."""

from datetime import timedelta

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from siklus.monitor.alerts.events import Event
from tests.monitor.alerting import DAY, Watching, silence
from tests.monitor.alerting import rule as alert_rule

HELD, REPEAT = 120, 300  # seconds
NAMES = ("ops", "boss")
LABELS = ("a", "b")
VALUES = st.dictionaries(st.sampled_from(LABELS), st.sampled_from([0.5, 1.5, 1.5]))
LONGEST_STEP = 90
STEPS = st.sampled_from([10, 30, 60, 60, LONGEST_STEP])  # seconds to the next look
LEAPS = st.sampled_from([-400 * DAY, timedelta(hours=-1), timedelta(seconds=-90), timedelta(hours=3), DAY])


class SteadyClock(RuleBasedStateMachine):
    """The model says from when each label was true, and who heard what when, what must be told now."""

    def __init__(self) -> None:
        super().__init__()
        self.watching = Watching(alert_rule(held=HELD, repeat=REPEAT, receivers=NAMES))
        self.clock = 0
        self.silent_until = 0
        self.true_since: dict[str, int] = {}
        self.firing: set[str] = set()
        self.heard_at: dict[str, int] = {}  # labels of which all receivers have heard

    @rule(values=VALUES, step=STEPS)
    def look(self, values: dict[str, float], step: int) -> None:
        before = self.firing
        self.true_since = {
            label: self.true_since.get(label, self.clock) for label, value in values.items() if value > 1
        }
        self.firing = {label for label, since in self.true_since.items() if self.clock - since >= HELD}
        events = {(event.label, event.state): event for event in self.watching.look(values)}
        silenced = self.clock < self.silent_until
        wanted: dict[tuple[str, str], tuple[str, ...]] = {}
        for label in before - self.firing:
            heard = self.heard_at.pop(label, None)
            wanted[label, "resolved"] = () if silenced or heard is None else NAMES
        for label in self.firing:
            due = not silenced and self.clock - self.heard_at.get(label, -REPEAT) >= REPEAT
            if due:
                self.heard_at[label] = self.clock
            if due or label not in before:
                wanted[label, "firing"] = NAMES if due else ()
        assert {key: event.receivers for key, event in events.items()} == wanted
        assert self.watching.standing == {
            label: "firing" if label in self.firing else "pending" for label in self.true_since
        }
        self.advance(step)

    @rule(step=STEPS)
    def silenced_for_a_while(self, step: int) -> None:
        self.silent_until = max(self.silent_until, self.clock + 3 * step)
        self.watching.silences.append(silence(created=self.watching.now, hours=3 * step / 3600))

    def advance(self, step: int) -> None:
        self.clock += step
        # A look goes a minute ahead by itself.
        self.watching.now += timedelta(seconds=step - 60)


class LeapingClock(RuleBasedStateMachine):
    """The model counts the time that has really passed, and knows no clock.

    A leap may bring one notification, of what is to be told again; it never brings a second one, and what
    fires is told within the repeat interval, counted from the last leap at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watching = Watching(alert_rule(held=HELD, repeat=REPEAT))
        self.passed = 0.0
        self.leapt_at = 0.0
        self.leapt = False
        self.leaps = 0
        self.true_since: float | None = None
        self.heard_at: float | None = None

    @rule(leap=LEAPS)
    def clock_leaps(self, leap: timedelta) -> None:
        self.watching.now += leap
        if self.true_since is not None:
            self.leapt, self.leapt_at = True, self.passed
            self.leaps += 1

    @rule(bad=st.sampled_from([True, True, True, False]), step=STEPS)
    def look(self, bad: bool, step: int) -> None:
        events = self.watching.look(1.5 if bad else 0.5)
        assert len(events) <= 1
        told = "".join(event.state for event in events)
        if bad:
            self.true_since = self.passed if self.true_since is None else self.true_since
            self.check_firing(events, self.true_since)
        else:
            assert told == ("" if self.heard_at is None else "resolved")
            self.true_since = self.heard_at = None
            self.leapt, self.leaps = False, 0
        self.passed += step
        self.watching.now += timedelta(seconds=step - 60)

    def check_firing(self, events: tuple[Event, ...], true_since: float) -> None:
        if self.heard_at is None:
            # A leap ahead counts as ten minutes, more than the rule asks for. How long the pause between two
            # looks was cannot be known when the clock went back in it, so it counts nothing.
            assert events or self.passed - self.leaps * LONGEST_STEP - true_since < HELD
            assert not events or self.leapt or self.passed - true_since >= HELD
        elif events:
            assert self.leapt or self.passed - self.heard_at >= REPEAT
        else:
            assert self.passed - max(self.heard_at, self.leapt_at) < REPEAT
        if events:
            self.heard_at, self.leapt = self.passed, False


TestSteadyClock = SteadyClock.TestCase
TestLeapingClock = LeapingClock.TestCase
