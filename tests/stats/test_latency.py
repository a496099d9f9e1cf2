"""A quantile against its budget, from a histogram: exact error rates, and what buckets can tell."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from siklus.stats.anytime import Proportion
from siklus.stats.latency import (
    LatencyEvidence,
    latency_evidence,
    log_beyond,
    log_not_beyond,
    quantile_sequence,
)

BOUNDS = (0.01, 0.05, 0.1, 0.5)
HISTOGRAMS = st.lists(st.integers(0, 3000), min_size=5, max_size=5)


def judged(*counts: int, share: float = 0.99, budget: float = 0.1) -> LatencyEvidence:
    return latency_evidence(counts, bounds=BOUNDS, share=share, budget=budget)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize(("hits", "rows"), [(0, 4), (40, 50), (190, 200)])
def test_the_evidence_is_that_of_the_smaller_chances_in_jeffreys_proportions(
    hits: int, rows: int, share: float
) -> None:
    prior = stats.beta(0.5, 0.5)

    def bets(low: float, high: float) -> float:
        drawn, _ = integrate.quad(
            lambda chance: stats.binom.pmf(hits, rows, chance) * prior.pdf(chance), low, high, limit=300
        )
        return float(np.log(drawn / (prior.cdf(high) - prior.cdf(low)) / stats.binom.pmf(hits, rows, share)))

    assert log_beyond(Proportion(hits, rows), share) == pytest.approx(bets(0, share), abs=1e-4)
    assert log_not_beyond(Proportion(hits, rows), share) == pytest.approx(bets(share, 1), abs=1e-4)


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_looking_after_each_request_is_wrong_in_at_most_alpha(share: float, alpha: float) -> None:
    # The quantile lies just at the budget: one request more in share would be within it.
    for wrong in (log_beyond, log_not_beyond):
        alive, fallen = np.array([1.0]), 0.0
        for rows in range(1, 121):
            after = np.append(alive * (1 - share), 0.0) + np.append(0.0, alive * share)
            over = [wrong(Proportion(hits, rows), share) >= -np.log(alpha) for hits in range(rows + 1)]
            fallen += after[over].sum()
            alive = np.where(over, 0.0, after)
        assert 0 < fallen <= alpha


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.05, 0.99), st.floats(0, 1))
def test_the_next_request_adds_no_evidence_on_average_as_long_as_the_budget_is_kept(
    hits: int, misses: int, share: float, spare: float
) -> None:
    def log_e(more_hits: int, more_misses: int) -> float:
        rows = hits + misses + more_hits + more_misses
        return log_beyond(Proportion(hits + more_hits, rows), share)

    chance = share + spare * (1 - share)
    now = log_e(0, 0)
    step = chance * np.exp(log_e(1, 0) - now) + (1 - chance) * np.exp(log_e(0, 1) - now)
    assert step <= 1 + 1e-6


@given(HISTOGRAMS, st.sampled_from([0.5, 0.9, 0.99]))
def test_bounds_are_around_the_quantile_that_was_seen_and_never_cross(
    counts: list[int], share: float
) -> None:
    low, high = quantile_sequence(counts, bounds=BOUNDS, share=share, alpha=0.05)
    assert low < high
    if sum(counts):
        values = np.repeat([0.005, 0.03, 0.07, 0.3, 2.0], counts)
        assert low < np.quantile(values, share, method="inverted_cdf") <= high


@given(HISTOGRAMS)
def test_a_verdict_at_a_bound_is_what_the_bounds_say(counts: list[int]) -> None:
    for budget in BOUNDS:
        found = judged(*counts, budget=budget)
        assert (found.verdict == "over") == (found.low >= budget)
        assert (found.verdict == "within") == (found.high is not None and found.high <= budget)


def test_bounds_of_all_buckets_together_are_wrong_as_seldom_as_one() -> None:
    # Three buckets, the median at the first bound: it lies beyond neither. Every order of nine requests.
    chances, alpha, longest = (0.5, 0.2, 0.3), 0.2, 9
    alive, fallen = {(0, 0, 0): 1.0}, 0.0
    for _ in range(longest):
        after: dict[tuple[int, ...], float] = {}
        for (counts, chance), bucket in product(alive.items(), range(3)):
            place = tuple(count + (bucket == other) for other, count in enumerate(counts))
            after[place] = after.get(place, 0.0) + chance * chances[bucket]
        lows = {c: quantile_sequence(c, bounds=(1.0, 2.0), share=0.5, alpha=alpha)[0] for c in after}
        fallen += sum(chance for counts, chance in after.items() if lows[counts] > 0)
        alive = {counts: chance for counts, chance in after.items() if lows[counts] == 0}
    assert 0 < fallen <= alpha


def test_slow_requests_are_seen_and_fast_ones_too() -> None:
    assert judged(800, 100, 60, 40, 0).verdict == "over"
    assert judged(900, 90, 9, 1, 0).verdict == "within"
    assert judged(900, 80, 11, 9, 0).verdict == "unclear"
    assert judged(0, 0, 0, 0, 0).verdict == "unclear"


def test_a_budget_inside_a_bucket_is_judged_by_the_bounds_around_it() -> None:
    inside = judged(5000, 2000, 2000, 1000, 0, share=0.8, budget=0.07)
    # The 80 % quantile is between 0.05 and 0.1: nobody knows on which side of 0.07.
    assert (inside.low, inside.high) == (0.05, 0.1)
    assert inside.verdict == "unclear"
    assert judged(5000, 1000, 1000, 3000, 0, share=0.8, budget=0.07).verdict == "over"
    assert judged(5000, 4000, 1000, 0, 0, share=0.8, budget=0.07).verdict == "within"


def test_a_budget_beyond_all_bounds_is_never_shown_to_be_exceeded() -> None:
    found = judged(0, 0, 0, 0, 10_000, budget=0.7)
    assert (found.low, found.high, found.verdict) == (0.5, None, "unclear")
    assert judged(10_000, 0, 0, 0, 0, budget=0.001).verdict == "unclear"


def test_a_day_of_traffic_gives_finite_evidence() -> None:
    found = judged(9_000_000, 990_000, 9_000, 1000, 0)
    assert found.verdict == "within"
    assert np.isfinite([found.log_over, found.log_within]).all()


def test_counts_that_do_not_fit_the_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="4 counts for 4 bounds"):
        judged(1, 2, 3, 4)
