"""A rollout under any evidence, any clock, anybody's hands and a death at any moment keeps its promises."""

from datetime import timedelta

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from siklus.automation.rollout.allotments import allotment_of
from siklus.automation.rollout.rollout import Decision, Evidence, Rollout, StepCounts
from siklus.automation.rollout.stepping import next_step
from siklus.automation.rollout.transitions import applied, ended, paused, resumed
from siklus.project.loop import RolloutPlan
from siklus.registry.policy import Allotment, checked
from tests.automation.rollouts import (
    ALONE,
    BEGAN,
    LOSS,
    NEW,
    NO_LATENCIES,
    OLD,
    failing,
    losses,
    proven,
    rollout,
    seen,
    slow,
    split,
)

PLANS = st.builds(
    RolloutPlan,
    steps=st.sampled_from(
        [("shadow", 0.05, 0.25, 1.0), ("shadow", 1.0), (0.1, 1.0), (0.1, 0.5), ("shadow", 0.2, 0.4, 0.8, 1.0)]
    ),
    hold=st.sampled_from(["0s", "1h"]),
    give_up=st.sampled_from(["2h", "7d"]),
    min_requests=st.sampled_from([0, 500]),
    min_labels=st.sampled_from([0, 2000]),
    margin=st.sampled_from([0.0, 0.02]),
)
# Mostly calm, so that rollouts come far; half a second to half a year, at times backwards.
SELDOM = st.sampled_from([False] * 9 + [True])
WAITS = st.sampled_from([3600, 600, 7200, 7200, 3600, 86_400, 0.5, 1.5e7, -3600, -1.5e7]).map(
    lambda seconds: timedelta(seconds=seconds)
)
QUALITIES = st.none() | st.tuples(st.floats(-2, 0.5), st.floats(0, 1)).map(lambda at: losses(at[0], sum(at)))


@st.composite
def evidences(draw: st.DrawFn, of: Rollout) -> Evidence:
    if draw(st.sampled_from([True, True, False])):
        return seen(of, **proven(draw(st.sampled_from([1999, 2000, 9000]))))
    requests, quality = draw(st.sampled_from([0, 499, 500, 9000])), draw(QUALITIES)
    return Evidence(
        counted=StepCounts(
            step=draw(st.sampled_from([of.plan.steps[of.step]] * 4 + list(of.plan.steps))),
            requests=(requests, 9000),
            failures=(0, 0),
            latencies=(NO_LATENCIES, NO_LATENCIES),
        ),
        failures=draw(st.none() | SELDOM.map(lambda worse: failing(worse=worse))),
        latency=draw(st.none() | SELDOM.map(lambda over: slow(over=over))),
        allocation=draw(st.none() | SELDOM.map(lambda off: split(off=off))),
        quality=quality,
        champion_loss=draw(st.none() | st.just(LOSS)),
        labels=0 if quality is None else draw(st.sampled_from([1, 1999, 2000, 50_000])),
        unfit=draw(SELDOM.map(lambda gone: "its bundle is gone" if gone else "")),
    )


def read_again(of: Rollout) -> Rollout:
    """As whoever starts anew finds it in the database."""
    return msgspec.json.decode(msgspec.json.encode(of), type=Rollout)


class AnyRollout(RuleBasedStateMachine):
    """``self.policy`` is the allotment in force: what the rollout asked for when it was last written."""

    @initialize(plan=PLANS, kind=st.sampled_from(["rollout", "rollout", "experiment"]))
    def begin(self, plan: RolloutPlan, kind: str) -> None:
        self.state = rollout(plan, kind=kind)
        self.now = BEGAN
        self.policy = allotment_of(self.state, ALONE)
        self.by_hand = False

    def write(self, after: Rollout) -> None:
        """One transaction: the next state, and what it asks for."""
        before, self.state = self.state, after
        self.policy = allotment_of(after, self.policy)
        if after is before:
            return
        assert after.revision == before.revision + 1
        assert before.going_on
        assert 0 <= after.step - before.step <= 1
        assert set(before.standing) <= set(after.standing)
        if after.phase != "rolled_back" or self.by_hand:
            assert after.standing in ((), ("allocation",), ("quality",), ("quality", "allocation"))

    @rule(data=st.data(), wait=WAITS, dies=st.booleans())
    def look(self, data: st.DataObject, wait: timedelta, dies: bool) -> None:
        self.now += wait
        before, evidence = self.state, data.draw(evidences(self.state))
        decision = next_step(before, evidence, now=self.now)
        after = applied(before, decision, counted=evidence.counted, now=self.now)
        if dies:  # after it has decided, before it could write: whoever comes next decides the very same
            before = read_again(before)
            assert next_step(before, evidence, now=self.now) == decision
            assert applied(before, decision, counted=evidence.counted, now=self.now) == after
        self.check(self.state, evidence, decision)
        self.write(after)

    def check(self, before: Rollout, evidence: Evidence, decision: Decision) -> None:
        plan, bound = before.plan, evidence.quality
        if decision.action in ("advance", "promote"):
            assert before.kind == "rollout"
            assert before.phase == "running"
            assert decision.standing == ()
            assert not evidence.unfit
            assert evidence.counted.requests[0] >= plan.min_requests
        if decision.action == "promote":
            assert evidence.labels >= max(plan.min_labels, 1)
            assert bound is not None
            assert bound.high < plan.margin * (evidence.champion_loss or 0)
            assert plan.steps[before.step + 1] == 1.0
        if decision.action == "give_up":
            assert (before.kind, before.phase) == ("rollout", "running")

    @precondition(lambda self: self.state.step > 0)
    @rule(wait=WAITS)
    def pause(self, wait: timedelta) -> None:
        self.now += wait
        self.write(paused(self.state, now=self.now, reason="by hand"))

    @precondition(lambda self: self.state.phase != "running")
    @rule(wait=WAITS)
    def resume(self, wait: timedelta) -> None:
        self.now += wait
        self.write(resumed(self.state, now=self.now, reason="by hand"))

    @precondition(lambda self: self.state.step > 0)
    @rule(how=st.sampled_from(["promoted", "rolled_back", "stopped", "overtaken"]))
    def end(self, how: str) -> None:
        self.by_hand = self.state.going_on
        self.write(ended(self.state, how, reason="by hand"))

    @rule()
    def die(self) -> None:
        again = read_again(self.state)
        assert again == self.state
        assert allotment_of(again, self.policy) == self.policy
        self.state = again

    @invariant()
    def somebody_answers_every_request(self) -> None:
        checked(self.policy)
        assert sum(arm.share for arm in self.policy.arms) == 1
        promoted = self.state.phase == "promoted"
        assert self.policy.champion.version == (NEW if promoted else OLD).version

    @invariant()
    def the_policy_is_what_the_state_asks_for(self) -> None:
        asked: Allotment = allotment_of(self.state, self.policy)
        assert asked == self.policy
        assert self.policy.sticky == ALONE.sticky
        shares = {arm.version: arm.share for arm in self.policy.everybody}
        if self.state.going_on:
            assert shares == {OLD.version: 1 - self.state.share, NEW.version: self.state.share}
            assert self.state.share < 1
        elif self.state.phase != "overtaken":
            assert list(shares.values()) == [1.0]


TestAnyRollout = AnyRollout.TestCase
TestAnyRollout.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
