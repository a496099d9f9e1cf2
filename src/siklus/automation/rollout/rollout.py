"""A rollout: a challenger's way to all requests, or out. Pure: evidence, plan and time in, a decision out."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from siklus.project.loop import SHADOW, RolloutPlan, Step
from siklus.registry.journal import AUTHOR
from siklus.registry.policy import PolicyArm
from siklus.stats.allocation import AllocationEvidence
from siklus.stats.challenge import ChallengeEvidence
from siklus.stats.failures import FailureEvidence
from siklus.stats.latency import LatencyEvidence

Kind: TypeAlias = Literal["rollout", "experiment"]
# Running and paused ones go on; all others are over.
Phase: TypeAlias = Literal["running", "paused", "promoted", "rolled_back", "given_up", "stopped", "overtaken"]
GOING_ON: tuple[Phase, ...] = ("running", "paused")
Action: TypeAlias = Literal["hold", "advance", "promote", "roll_back", "give_up"]


class StepCounts(Struct, frozen=True, kw_only=True):
    """What was counted of (challenger, champion) on one step.

    ``requests``: whole requests, as each is dealt to one arm; ``failures``: of these, by the server's fault.
    ``dealt``: of the answered ones, those whose arm no client has chosen; None: all.
    ``latencies``: of each arm, requests by bucket (`ledgers.layouts.LATENCY_BUCKETS`, then those above).
    On the shadow step the challenger's are of rows scored after the answer, and say nothing of shares.
    """

    step: Step
    requests: tuple[int, int]
    failures: tuple[int, int]
    dealt: tuple[int, int] | None = None
    latencies: tuple[tuple[int, ...], tuple[int, ...]]


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of a rollout at one look; None where nothing can be said.

    ``counted``: what the present step has seen; ``labels``: rows with outcomes that both were asked about.
    ``quality``: mean loss of the challenger minus the champion's, on the same rows; ``champion_loss``: the
    champion's mean on them, in the same unit. ``unfit``: why the challenger cannot be served (its bundle is
    damaged, or gone); "" while it can.
    """

    counted: StepCounts
    failures: FailureEvidence | None = None
    latency: LatencyEvidence | None = None
    allocation: AllocationEvidence | None = None
    quality: ChallengeEvidence | None = None
    champion_loss: float | None = None
    labels: int = 0
    unfit: str = ""


class Rollout(Struct, frozen=True, kw_only=True):
    """One challenger against one champion. ``plan`` is that of the day when it began.

    ``step``: an index into the plan's steps; ``since``: when it began, ``began``: when the first one did.
    ``closed``: what earlier steps have counted. ``standing``: tests that have once spoken against the
    challenger ("failures", "latency", "quality", "allocation"), which later looks do not take back.
    ``revision``: counts the writes, so that nobody decides on what somebody else has changed. ``traffic``:
    the revision of the traffic policy that this rollout has last made; with another one somebody has decided
    otherwise.
    ``retraining``: the number of the job that made the challenger. ``reason``: of the last decision.
    ``paused``: since when it is; ``rested``: seconds of earlier pauses, which do not count as its time.
    ``sticky``: by what its requests are dealt (`Allotment.sticky` of the policy that it began upon).
    """

    number: int = 0
    kind: Kind = "rollout"
    challenger: PolicyArm
    champion: PolicyArm
    plan: RolloutPlan
    step: int = 0
    phase: Phase = "running"
    began: datetime
    since: datetime
    closed: tuple[StepCounts, ...] = ()
    standing: tuple[str, ...] = ()
    revision: int = 0
    traffic: int = 0
    retraining: int | None = None
    by: str = AUTHOR
    reason: str = ""
    paused: datetime | None = None
    rested: float = 0.0
    sticky: str | None = None

    @property
    def going_on(self) -> bool:
        return self.phase in GOING_ON

    @property
    def share(self) -> float:
        """Of the requests, what the challenger answers on this step; 0 as a shadow."""
        step = self.plan.steps[self.step]
        return 0.0 if step == SHADOW else float(step)


class Decision(Struct, frozen=True, kw_only=True):
    """What is to be done, and why, in a sentence with its numbers. ``standing``: that of `Rollout`, then."""

    action: Action
    reason: str
    standing: tuple[str, ...] = ()
