"""A model whose champion answers everything, in a control database, and decisions about it."""

from datetime import datetime
from typing import NamedTuple

from siklus.automation.by_hand import ByHand, Change
from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.rollouts import Rollouts, drafted
from siklus.automation.rollout.stepping import next_step
from siklus.project.loop import RolloutPlan
from siklus.registry.control import Control
from siklus.registry.journal import Entry, Journal
from siklus.registry.policy import TrafficPolicy, everything_to
from siklus.registry.traffic import Traffic
from tests.automation.rollouts import ALONE, BEGAN, NEW, PLAN, after, failing, seen


class Kept(NamedTuple):
    """All that is kept of a model, the newest first: a decision changes all of it or nothing."""

    rollouts: list[Rollout]
    policies: list[TrafficPolicy]
    entries: list[Entry]
    frozen: bool


class World:
    """One model and whoever decides about it."""

    def __init__(self, control: Control, model: str) -> None:
        self.rollouts = Rollouts(control, model)
        self.by_hand = ByHand(control, model)
        self.traffic = Traffic(control, model)
        self.journal = Journal(control, model)

    def kept(self) -> Kept:
        return Kept(
            rollouts=self.rollouts.history(limit=1000),
            policies=self.traffic.history(limit=1000),
            entries=self.journal.history(limit=1000),
            frozen=self.rollouts.frozen(after(minutes=1)) is not None,
        )

    @property
    def policy(self) -> TrafficPolicy:
        found = self.traffic.current()
        assert found is not None
        return found

    @property
    def current(self) -> Rollout:
        found = self.rollouts.current()
        assert found is not None
        return found

    def first_policy(self) -> TrafficPolicy:
        """Version 7 has all requests."""
        return self.traffic.append(ALONE, follows=0, by="jane", now=BEGAN)

    def start(self, plan: RolloutPlan = PLAN) -> Rollout:
        """Version 8 beside version 7, as a shadow."""
        return self.rollouts.start(drafted(NEW, policy=self.policy, plan=plan, now=BEGAN))

    def turn(self, *, now: datetime, **found: object) -> Rollout:
        """What the loop would do with this evidence."""
        rollout = self.current
        evidence = seen(rollout, **found)
        decision = next_step(rollout, evidence, now=now)
        return self.rollouts.carry_out(rollout, decision, evidence=evidence, now=now)

    def advance(self) -> Rollout:
        return self.turn(now=after(hours=2))

    def roll_back(self) -> Rollout:
        return self.turn(now=after(minutes=1), failures=failing(worse=True))

    def promote_by_hand(self) -> TrafficPolicy:
        allotment = everything_to(NEW, after=self.policy.allotment)
        change = Change(kind="promotion", allotment=allotment, by="jane", now=BEGAN)
        return self.by_hand.decide(change, seen=self.policy)

    def roll_back_by_hand(self) -> TrafficPolicy:
        """To the champion, beside whom a challenger is being tried."""
        champion = self.policy.allotment.champion
        change = Change(
            kind="rollback",
            allotment=everything_to(champion, after=self.policy.allotment),
            by="jane",
            now=BEGAN,
            frozen_until=after(days=1),
        )
        return self.by_hand.decide(change, seen=self.policy)


# Those that write, each, to every table that they ever write to.
DECISIONS = {
    "start": World.start,
    "advance": World.advance,
    "roll_back": World.roll_back,
    "promote_by_hand": World.promote_by_hand,
    "roll_back_by_hand": World.roll_back_by_hand,
}
