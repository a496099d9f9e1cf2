"""A rollout's tests on what was counted. Together they err as seldom as its plan says.

Of the plan's ``alpha`` each of the three tests that can end a rollout has a third: failures, latency,
quality. So a challenger that is no worse is rolled back by any of them, at any look of the whole rollout,
with a chance of at most ``alpha``. Each is always valid (`siklus.stats`): looking more often costs nothing.

Failures and the split are judged over all steps together, each step being a stage with its own shares.
Latency is judged on each step by itself, against the champion's at the same time: days differ, and the
arms' shares do. Therefore each step that has both arms gets an equal part of that third, and on it each of
two quantiles. A challenger that is slow throughout shows at 90 % after a few dozen requests, where rare waits
that both have still hide it at 99 %; one that is slow at times shows at 99 % only.
"""

from collections.abc import Sequence

from siklus.automation.rollout.rollout import Rollout, StepCounts
from siklus.project.loop import SHADOW, RolloutPlan
from siklus.stats.allocation import AllocationEvidence, Stage, allocation_evidence
from siklus.stats.failures import FailureEvidence, failure_evidence, stage_of
from siklus.stats.latency import LatencyEvidence, latency_evidence, quantile_sequence

TESTS = 3  # that can end a rollout
QUANTILES = (0.9, 0.99)  # of the latency
BOUNDS = 2  # a slow challenger is one whose quantile is above what the champion's is shown to be below


def alpha_of_each(plan: RolloutPlan) -> float:
    """What each test may err; also that of each bound of the challenger's quality."""
    return plan.alpha / TESTS


def failures_of(rollout: Rollout, counted: StepCounts) -> FailureEvidence | None:
    """Does the challenger fail more often, over all steps until now? None before anybody was asked.

    A shadow scores rows after the answer, and only those that the champion has answered; that the champion
    fails for other reasons too can only speak for the challenger.
    """
    stages = [
        stage_of(step.failures, requests=step.requests)
        for step in _steps(rollout, counted)
        if all(step.requests)
    ]
    return failure_evidence(stages, alpha=alpha_of_each(rollout.plan)) if stages else None


def latency_of(rollout: Rollout, counted: StepCounts, *, bounds: Sequence[float]) -> LatencyEvidence | None:
    """Is the challenger too slow on this step? ``bounds``: of the buckets of ``counted``, seconds, ascending.

    The budget is ``latency_factor`` times a bound that the champion's quantile is shown to keep on the same
    step. Of the two quantiles it is the one that speaks most against the challenger. None where there is no
    budget yet, and for a shadow, which nobody waits for.
    """
    if counted.step == SHADOW or not all(counted.requests):
        return None
    parts = len(_shared(rollout.plan)) * len(QUANTILES) * BOUNDS
    challengers, champions = counted.latencies
    found = []
    for share in QUANTILES:
        alpha = alpha_of_each(rollout.plan) / parts
        _, kept = quantile_sequence(champions, bounds=bounds, share=share, alpha=alpha)
        if kept <= bounds[-1]:
            budget = rollout.plan.latency_factor * kept
            found.append(
                latency_evidence(challengers, bounds=bounds, share=share, budget=budget, alpha=alpha)
            )
    return max(found, key=lambda evidence: evidence.log_over, default=None)


def allocation_of(rollout: Rollout, counted: StepCounts) -> AllocationEvidence | None:
    """Do requests fall to the arms as their shares say? None before they are shared.

    None too where a key decides (``rollout.sticky``): what is dealt then are keys, and how many requests
    each of them sends says nothing of the dealing.
    """
    if rollout.sticky is not None:
        return None
    stages = [
        Stage(counts=step.dealt or step.requests, shares=(float(step.step), 1 - float(step.step)))
        for step in _steps(rollout, counted)
        if step.step != SHADOW and any(step.requests)
    ]
    return allocation_evidence(stages) if stages else None


def _steps(rollout: Rollout, counted: StepCounts) -> tuple[StepCounts, ...]:
    return (*rollout.closed, counted)


def _shared(plan: RolloutPlan) -> list[float]:
    """The steps on which both arms answer; at least one, so that a plan without any divides by no 0."""
    return [float(step) for step in plan.steps if step != SHADOW and float(step) < 1] or [1.0]
