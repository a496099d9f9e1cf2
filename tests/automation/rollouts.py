"""Rollouts and evidence to decide about, as a test needs them."""

from datetime import UTC, datetime, timedelta

import msgspec

from siklus.automation.rollout.rollout import Evidence, Kind, Rollout, StepCounts
from siklus.ledgers.layouts import LATENCY_BUCKETS
from siklus.project.loop import RolloutPlan, Step
from siklus.registry.policy import CHALLENGER, CHAMPION, Allotment, PolicyArm
from siklus.stats.allocation import AllocationEvidence
from siklus.stats.challenge import ChallengeEvidence
from siklus.stats.failures import FailureEvidence
from siklus.stats.latency import LatencyEvidence

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = RolloutPlan(
    steps=("shadow", 0.05, 0.25, 1.0), hold="1h", give_up="7d", min_requests=500, min_labels=2000
)
OLD = PolicyArm(name=CHAMPION, version=7, share=1.0, digest="7" * 64)
NEW = PolicyArm(name=CHALLENGER, version=8, share=0.0, digest="8" * 64)
ALONE = Allotment(arms=(OLD,), sticky="header:x-user", salt="before")
NO_LATENCIES = (0,) * (len(LATENCY_BUCKETS) + 1)
LOSS = 8.0  # the champion's


def rollout(plan: RolloutPlan = PLAN, *, kind: Kind = "rollout", step: int = 0) -> Rollout:
    return Rollout(
        number=3, kind=kind, challenger=NEW, champion=OLD, plan=plan, step=step, began=BEGAN, since=BEGAN
    )


def after(**length: float) -> datetime:
    """So long after the rollout began."""
    return BEGAN + timedelta(**length)


def step_counts(step: Step, requests: int = 0) -> StepCounts:
    return StepCounts(
        step=step, requests=(requests, requests), failures=(0, 0), latencies=(NO_LATENCIES, NO_LATENCIES)
    )


def seen(of: Rollout, requests: int = 10_000, **found: object) -> Evidence:
    """Of its present step, with nothing against the challenger unless it is ``found``."""
    return msgspec.structs.replace(Evidence(counted=step_counts(of.plan.steps[of.step], requests)), **found)


def failing(*, worse: bool) -> FailureEvidence:
    return FailureEvidence(
        canary=40, failures=50, expected=2.5, log_evidence=30.0 if worse else -1.0, log_threshold=5.7
    )


def slow(*, over: bool) -> LatencyEvidence:
    return LatencyEvidence(
        share=0.99,
        budget=0.01,
        rows=900,
        low=0.05,
        high=0.1,
        log_over=20.0 if over else -1.0,
        log_within=-1.0,
        log_threshold=6.0,
    )


def split(*, off: bool) -> AllocationEvidence:
    return AllocationEvidence(log_evidence=9.0 if off else 0.0, log_threshold=6.9, rows=10_000)


def losses(low: float, high: float, *, rows: int = 2500) -> ChallengeEvidence:
    """The challenger's mean loss less the champion's lies between."""
    return ChallengeEvidence(rows=rows, mean=(low + high) / 2, low=low, high=high, alpha=0.003, loss="mae")


def proven(rows: int = 2500) -> dict[str, object]:
    """Evidence that the challenger's answers are better."""
    return {"quality": losses(-1.2, -0.4, rows=rows), "champion_loss": LOSS, "labels": rows}
