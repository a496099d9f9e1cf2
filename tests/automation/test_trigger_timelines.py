"""Time lines that nobody chose: whatever comes, and however clocks leap, one retraining at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from siklus.automation.retraining.signs import Signs
from siklus.automation.retraining.triggers import SMALL_STEP, Pace, begun_pace, consider, ended_pace
from siklus.monitor.signals import Signal
from siklus.project.loop import Retrain
from siklus.project.schedule import parse_schedule
from siklus.registry.asks import Ask, Via

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
COOLDOWN = 6 * HOUR
CRON = parse_schedule("0 3 * * *")
PLAN = Retrain(on=("drift", "labels:1000", "schedule:0 3 * * *"), cooldown="6h", per_day=2, min_labels=100)
START = datetime(2026, 2, 27, 1, tzinfo=UTC)
ENOUGH = 50  # labels an hour, which is enough for a retraining by schedule each day


class Loop(RuleBasedStateMachine):
    """One loop with one clock, which a person may set. `passed` is the time that really went by."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.passed, self.leaps = START, timedelta(0), 0
        self.pace, self.under_way = Pace(), False
        self.predictions, self.labelled, self.drift = 0, 500, False
        self.asks: list[Ask] = []
        self.asked = 0
        self.begun = 0
        # Since the clock was last set: what the loop began by itself, and what ended.
        self.by_itself: list[datetime] = []
        self.ended: list[datetime] = []
        self.heard = 0
        self.latest, self.schedule_late = START, False
        self.turn()

    def turn(self) -> None:
        """What the loop does each minute."""
        if self.latest - self.now > SMALL_STEP:
            self.latest = self.now
        last = CRON.last(self.now)
        self.schedule_late |= last is not None and last > self.latest
        self.latest = max(self.latest, self.now)
        signs = Signs(
            version="1",
            signals=(
                Signal(name="predictions_since_training", value=float(self.predictions)),
                Signal(name="labelled_since_training", value=float(self.labelled)),
                Signal(name="drift_alarm", value=float(self.drift)),
            ),
        )
        busy = "one is under way." if self.under_way else ""
        found = consider(signs, self.pace, PLAN, asks=self.asks, busy=busy, now=self.now)
        self.heard += found.news
        assert any(due.trigger.startswith("schedule") for due in found.due) == self.schedule_late
        if not found.begins:
            self.pace = found.pace
            return
        assert not self.under_way
        assert found.asks or (found.due and found.verdict.what == "retrain")
        if not found.asks and self.ended:
            assert self.now - self.ended[-1] >= COOLDOWN
        if not any(ask.via == "command" for ask in found.asks):
            self.by_itself.append(self.now)
            assert sum(self.now - moment < DAY for moment in self.by_itself) <= PLAN.per_day
        self.pace = begun_pace(found.pace, signs, now=self.now)
        self.begun += 1
        self.asks, self.schedule_late, self.under_way = [], False, True

    def go_on(self, minutes: int, *, step: int = 1) -> None:
        for _ in range(0, minutes, step):
            self.now += step * MINUTE
            self.passed += step * MINUTE
            self.labelled += step * ENOUGH // 60
            self.predictions += step
            self.turn()

    @rule(minutes=st.integers(1, 300))
    def time_passes(self, minutes: int) -> None:
        self.go_on(minutes, step=1 if minutes < 20 else 10)

    @rule(away=st.integers(1, 80))
    def nobody_looks_for_a_while(self, away: int) -> None:
        self.now += away * HOUR
        self.passed += away * HOUR
        self.labelled += away * ENOUGH
        self.turn()

    @rule(by=st.one_of(st.integers(-60 * 24 * 400, 60 * 24 * 400), st.integers(-59, 59)))
    def the_clock_is_set(self, by: int) -> None:
        self.now += by * MINUTE
        self.leaps += 1
        self.by_itself, self.ended = [], []
        self.turn()

    @rule(by=st.integers(1, 400))
    def the_clock_is_wrong_for_an_hour(self, by: int) -> None:
        self.the_clock_is_set(by * 60 * 24)
        self.go_on(60, step=30)
        if self.under_way:
            self.it_ends()
        self.the_clock_is_set(-by * 60 * 24)

    @rule(hours=st.integers(1, 60))
    def trainings_are_quick(self, hours: int) -> None:
        for _ in range(2 * hours):
            self.go_on(30, step=30)
            if self.under_way:
                self.it_ends()

    @rule()
    def drift_comes_or_goes(self) -> None:
        self.drift = not self.drift
        self.turn()

    @rule(via=st.sampled_from(["command", "webhook"]))
    def somebody_asks(self, via: Via) -> None:
        self.asked += 1
        self.asks.append(Ask(id=f"a{self.asked}", time=self.now, by="anna", via=via))
        self.turn()

    @precondition(lambda self: self.under_way)
    @rule()
    def it_ends(self) -> None:
        self.under_way = False
        self.pace = ended_pace(self.pace, now=self.now)
        self.ended.append(self.now)
        self.turn()

    @invariant()
    def it_keeps_its_pace(self) -> None:
        """Beside what people asked for: one each cooldown that really passed, and one each leap."""
        assert self.begun <= self.asked + 1 + self.leaps + self.passed / COOLDOWN

    @invariant()
    def the_journal_is_not_flooded(self) -> None:
        """Three triggers, their verdicts and holds, and each ask: some news an hour, never one a minute."""
        assert self.heard <= 12 * (1 + self.leaps + self.asked + self.begun + self.passed / HOUR)

    def teardown(self) -> None:
        """Whatever is due begins within a day and a cooldown of quiet, in which whatever begins ends."""
        due, already = self.schedule_late or self.drift or bool(self.asks), self.begun
        for _ in range(2 * 31):
            if self.under_way:
                self.it_ends()
            self.go_on(30, step=30)
        assert self.begun > already or not due
        assert not self.asks


QUICK = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
Loop.TestCase.settings = QUICK
TestTimeLines = Loop.TestCase


@pytest.mark.slow
class TestManyTimeLines(Loop.TestCase):
    settings = settings(QUICK, max_examples=500)


def test_a_clock_that_leaps_to_and_fro_makes_one_retraining_a_leap_at_most() -> None:
    loop = Loop()
    loop.drift = True
    for number in range(40):
        loop.the_clock_is_set(60 * 24 * (500 if number % 2 == 0 else -500))
        loop.go_on(30)
        if loop.under_way:
            loop.it_ends()
    assert loop.begun <= 41
    quiet = loop.begun
    loop.go_on(60 * 5)
    assert loop.begun <= quiet + 1
