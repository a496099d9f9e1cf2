"""What was counted, as evidence: which counts speak, against which share, at which error."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from siklus.automation.rollout.rollout import Evidence, StepCounts
from siklus.automation.rollout.weighing import allocation_of, alpha_of_each, failures_of, latency_of
from siklus.ledgers.layouts import LATENCY_BUCKETS
from siklus.project.loop import Step
from tests.automation.rollouts import NO_LATENCIES, PLAN, rollout, step_counts


def counts(
    step: Step,
    requests: tuple[int, int],
    *,
    failures: tuple[int, int] = (0, 0),
    seconds: tuple[float, float] | None = None,
) -> StepCounts:
    """``seconds``: how long all requests of (challenger, champion) took."""
    latencies = (
        (NO_LATENCIES, NO_LATENCIES)
        if seconds is None
        else tuple(all_in(size, at) for size, at in zip(requests, seconds, strict=True))
    )
    return StepCounts(step=step, requests=requests, failures=failures, latencies=latencies)


def all_in(requests: int, seconds: float) -> tuple[int, ...]:
    found, _ = np.histogram(np.full(requests, seconds), bins=[0.0, *LATENCY_BUCKETS, np.inf])
    return tuple(found.tolist())


def test_three_tests_share_the_plans_error() -> None:
    assert alpha_of_each(PLAN) == pytest.approx(0.01 / 3)
    found = failures_of(rollout(), counts("shadow", (500, 500)))
    assert found is not None
    assert found.log_threshold == pytest.approx(np.log(300))


def test_failures_of_all_steps_speak_together() -> None:
    later = msgspec.structs.replace(rollout(step=1), closed=(counts("shadow", (900, 1000), failures=(4, 1)),))
    found = failures_of(later, counts(0.05, (50, 950), failures=(3, 2)))
    assert found is not None
    assert (found.canary, found.failures) == (7, 10)
    assert found.expected == pytest.approx(5 * 900 / 1900 + 5 * 50 / 1000, rel=0.05)
    alone = failures_of(rollout(step=1), counts(0.05, (50, 950), failures=(3, 2)))
    assert alone is not None
    assert found.log_evidence > alone.log_evidence


def test_where_one_arm_was_never_asked_nothing_is_said() -> None:
    for requests in ((0, 0), (0, 1000), (1000, 0)):
        counted = counts(0.05, requests, seconds=(0.001, 0.001))
        assert failures_of(rollout(step=1), counted) is None
        assert latency_of(rollout(step=1), counted, bounds=LATENCY_BUCKETS) is None


@pytest.mark.parametrize(("seconds", "verdict"), [(0.004, "within"), (0.009, "within"), (0.03, "over")])
def test_the_challenger_may_take_twice_what_the_champion_keeps(seconds: float, verdict: str) -> None:
    counted = counts(0.05, (2000, 5000), seconds=(seconds, 0.004))
    found = latency_of(rollout(step=1), counted, bounds=LATENCY_BUCKETS)
    assert found is not None
    assert found.budget == 2 * 0.005  # the champion's 99 % quantile lies below 5 ms
    assert found.verdict == verdict


def test_little_of_the_champion_makes_no_budget() -> None:
    few = counts(0.05, (30, 80), seconds=(9.0, 0.004))
    assert latency_of(rollout(step=1), few, bounds=LATENCY_BUCKETS) is None
    # With so many requests of the champion, none of them slow, its 90 % quantile is bounded.
    enough = counts(0.05, (30, 200), seconds=(9.0, 0.004))
    found = latency_of(rollout(step=1), enough, bounds=LATENCY_BUCKETS)
    assert found is not None
    assert (found.share, found.verdict) == (0.9, "over")


@pytest.mark.parametrize("requests", [1, 30, 2000])
def test_evidence_is_kept_as_json_and_read_back_the_same(requests: int) -> None:
    counted = counts(0.05, (requests, 5000), failures=(1, 2), seconds=(0.004, 0.004))
    at = rollout(step=1)
    evidence = Evidence(
        counted=counted,
        failures=failures_of(at, counted),
        latency=latency_of(at, counted, bounds=LATENCY_BUCKETS),
        allocation=allocation_of(at, counted),
    )
    assert evidence.latency is not None
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence) == evidence


def test_a_challenger_that_is_slow_at_times_shows_in_the_last_hundredth() -> None:
    evenly = all_in(10_000, 0.004)
    at_times = tuple(a + b for a, b in zip(all_in(9500, 0.004), all_in(500, 0.9), strict=True))
    counted = StepCounts(step=0.5, requests=(10_000, 10_000), failures=(0, 0), latencies=(at_times, evenly))
    found = latency_of(rollout(step=1), counted, bounds=LATENCY_BUCKETS)
    assert found is not None
    assert (found.share, found.verdict) == (0.99, "over")


def test_nobody_waits_for_a_shadow() -> None:
    watched = counts("shadow", (5000, 5000), seconds=(1.0, 0.004))
    assert latency_of(rollout(), watched, bounds=LATENCY_BUCKETS) is None
    assert allocation_of(rollout(), watched) is None


def test_a_split_that_is_off_is_seen_over_all_steps_and_a_shadow_has_none() -> None:
    closed = (counts("shadow", (400, 9000)), counts(0.05, (450, 7550)))
    begun = msgspec.structs.replace(rollout(step=2), closed=closed)
    fair = allocation_of(begun, counts(0.25, (2000, 6000)))
    assert fair is not None
    assert (fair.mismatch, fair.rows) == (False, 16_000)
    off = allocation_of(begun, counts(0.25, (2500, 6000)))
    assert off is not None
    assert off.mismatch
    assert stats.binomtest(2500, 8500, 0.25).pvalue < 1e-15


def test_where_keys_are_dealt_requests_tell_nothing_of_the_dealing() -> None:
    sticky = msgspec.structs.replace(rollout(step=1), sticky="header:x-user")
    assert allocation_of(sticky, counts(0.05, (900, 100))) is None


def test_a_step_that_nobody_has_met_yet_says_nothing() -> None:
    assert allocation_of(rollout(step=1), step_counts(0.05, 0)) is None
