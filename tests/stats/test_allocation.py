"""Evidence on how failures and requests split over arms: exact laws by enumeration, and what it says."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from siklus.stats.allocation import Stage, allocation_evidence, log_allocation_evidence
from siklus.stats.failures import failure_evidence, stage_of

COUNTS = st.lists(st.integers(0, 5000), min_size=2, max_size=5)


def stage(counts: tuple[int, ...], shares: tuple[float, ...]) -> Stage:
    return Stage(counts=counts, shares=shares)


def shares_of(weights: list[float]) -> tuple[float, ...]:
    return tuple(weight / sum(weights) for weight in weights)


@given(
    COUNTS.flatmap(
        lambda c: st.tuples(st.just(c), st.lists(st.floats(0.05, 1), min_size=len(c), max_size=len(c)))
    ),
    st.floats(0.5, 10_000),
)
def test_the_evidence_is_scipys_ratio_of_two_laws(drawn: tuple[list[int], list[float]], kappa: float) -> None:
    counts, shares = tuple(drawn[0]), shares_of(drawn[1])
    prior = kappa * np.array(shares)
    expected = stats.dirichlet_multinomial.logpmf(counts, prior, sum(counts)) - stats.multinomial.logpmf(
        counts, sum(counts), shares
    )
    found = log_allocation_evidence([stage(counts, shares)], concentration=kappa)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("failures", [1, 7, 40])
def test_without_a_difference_the_evidence_is_1_on_average(share: float, failures: int) -> None:
    mean = sum(
        comb(failures, canary) * share**canary * (1 - share) ** (failures - canary)
        * np.exp(failure_evidence([stage((canary, failures - canary), (share, 1 - share))]).log_evidence)
        for canary in range(failures + 1)
    )  # fmt: skip
    assert mean == pytest.approx(1)


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 0.9))
def test_the_next_failure_leaves_the_evidence_as_it_is_on_average(
    canary: int, champion: int, share: float
) -> None:
    def log_e(one: int, other: int) -> float:
        return failure_evidence([stage((one, other), (share, 1 - share))]).log_evidence

    now = log_e(canary, champion)
    step = share * np.exp(log_e(canary + 1, champion) - now) + (1 - share) * np.exp(
        log_e(canary, champion + 1) - now
    )
    assert step == pytest.approx(1)


@pytest.mark.parametrize(("share", "alpha"), [(0.1, 0.05), (0.1, 0.2), (0.5, 0.05), (0.5, 0.2)])
def test_peeking_after_each_failure_rolls_an_equal_canary_back_in_at_most_alpha(
    share: float, alpha: float
) -> None:
    alive = {0: 1.0}  # failures of the canary so far, and the chance to be there without a rollback
    fallen = 0.0
    for failures in range(1, 81):
        after = dict.fromkeys(range(failures + 1), 0.0)
        for canary, chance in alive.items():
            after[canary] += chance * (1 - share)
            after[canary + 1] += chance * share
        alive = {}
        for canary, chance in after.items():
            found = failure_evidence([stage((canary, failures - canary), (share, 1 - share))], alpha=alpha)
            if found.worse:
                fallen += chance
            else:
                alive[canary] = chance
    assert 0 < fallen <= alpha


def test_a_mismatch_is_exactly_as_rare_as_stated_with_three_arms() -> None:
    shares, alpha, steps = (0.2, 0.3, 0.5), 0.2, 25
    alive = {(0, 0, 0): 1.0}
    for _ in range(steps):
        after: dict[tuple[int, ...], float] = {}
        for (counts, chance), arm in product(alive.items(), range(3)):
            place = tuple(count + (arm == other) for other, count in enumerate(counts))
            after[place] = after.get(place, 0.0) + chance * shares[arm]
        alive = {
            counts: chance
            for counts, chance in after.items()
            if not allocation_evidence([stage(counts, shares)], alpha=alpha, concentration=5).mismatch
        }
    assert 0 < 1 - sum(alive.values()) <= alpha


def test_stages_multiply_and_empty_ones_say_nothing() -> None:
    first, second = stage((3, 20), (0.05, 0.95)), stage((9, 40), (0.25, 0.75))
    alone = [failure_evidence([part]) for part in (first, second)]
    both = failure_evidence([first, stage((0, 0), (0.1, 0.9)), second])
    assert both.log_evidence == pytest.approx(sum(part.log_evidence for part in alone))
    assert both.expected == pytest.approx(23 * 0.05 + 49 * 0.25)
    assert (both.canary, both.failures) == (12, 72)
    assert failure_evidence([]).log_evidence == 0


def test_only_a_canary_that_fails_more_often_is_worse() -> None:
    more = failure_evidence([stage((20, 40), (0.1, 0.9))])
    fewer = failure_evidence([stage((0, 100), (0.1, 0.9))])
    assert more.worse
    assert fewer.log_evidence >= fewer.log_threshold
    assert not fewer.worse


def test_the_threshold_is_one_by_alpha() -> None:
    assert failure_evidence([], alpha=0.01).log_threshold == pytest.approx(np.log(100))
    assert allocation_evidence([]).log_threshold == pytest.approx(np.log(1000))


def test_a_split_that_is_off_is_a_mismatch_and_a_fair_one_is_none() -> None:
    assert allocation_evidence([stage((5500, 4500), (0.5, 0.5))]).mismatch
    fair = allocation_evidence([stage((1010, 8990), (0.1, 0.9)), stage((2480, 7520), (0.25, 0.75))])
    assert not fair.mismatch
    assert fair.rows == 20_000


def test_all_traffic_of_a_day_is_counted_without_losing_precision() -> None:
    # At 10⁹ things, Laplace's approximation of the mixture is right to a few parts in 10⁵.
    n, kappa = 10**9, 1000.0
    counts = (n // 2 + 300_000, n // 2 - 300_000)
    z2 = (600_000**2) / n
    expected = np.log(kappa / (n + kappa)) / 2 + z2 / 2 * n / (n + kappa)
    assert log_allocation_evidence([stage(counts, (0.5, 0.5))], concentration=kappa) == pytest.approx(
        expected, rel=1e-3
    )


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ((1,), (1.0,)),
        ((1, 2), (0.5, 0.3, 0.2)),
        ((1, -2), (0.5, 0.5)),
        ((1, 2), (0.5, 0.6)),
        ((1, 2), (1.0, 0.0)),
        ((1, 2), (float("nan"), 0.5)),
    ],
)
def test_what_is_no_stage_is_refused(counts: tuple[int, ...], shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"counts|shares"):
        stage(counts, shares)


def test_failures_are_those_of_two_arms() -> None:
    with pytest.raises(ValueError, match="canary and a champion"):
        failure_evidence([stage((1, 2, 3), (0.2, 0.3, 0.5))])


def test_the_canarys_share_is_that_of_the_requests_as_they_came() -> None:
    many = stage_of((30, 70), requests=(3000, 7000))
    assert many.counts == (30, 70)
    assert many.shares == pytest.approx((0.3, 0.7), abs=1e-3)
    assert not failure_evidence([many]).worse
    assert failure_evidence([stage_of((30, 70), requests=(1000, 9000))]).worse


@pytest.mark.parametrize("requests", [(0, 0), (0, 10), (10, 0)])
def test_an_arm_without_requests_says_nothing(requests: tuple[int, int]) -> None:
    assert failure_evidence([stage_of((0, 0), requests=requests)]).log_evidence == 0
