"""Means of two groups, at any number of rows: Welch's interval at a wider level, seldom wrong at any look."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from siklus.stats.anytime import BURN_IN, anytime_level
from siklus.stats.unpaired import separate_means
from tests.figures import Figure

SHARES = st.tuples(st.integers(0, 400), st.integers(100, 400)).map(lambda of: (min(of), of[1]))


def zeros_and_ones(hits: int, rows: int) -> np.ndarray:
    return np.repeat([1.0, 0.0], [hits, rows - hits])


def test_bounds_are_welchs_at_the_level_of_all_looks() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.gamma(2, size=30_000), rng.gamma(2.2, size=4000)
    found = separate_means(one, other, level=0.95)
    welch = stats.ttest_ind(one, other, equal_var=False)
    bounds = welch.confidence_interval(anytime_level(34_000, level=0.95))
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high), rel=2e-3)
    assert found.difference == pytest.approx(one.mean() - other.mean())
    assert found.rows == (30_000, 4000)


@pytest.mark.parametrize(
    ("one", "other"), [((30, 200), (90, 1000)), ((0, 100), (40, 2000)), ((100, 100), (1, 100))]
)
def test_bounds_of_shares_are_agrestis_and_caffos(one: tuple[int, int], other: tuple[int, int]) -> None:
    found = separate_means(zeros_and_ones(*one), zeros_and_ones(*other), level=0.95)
    # Agresti & Caffo: p = (hits + 1) / (rows + 2) of each group, and Wald's interval of these.
    p, q = ((hits + 1) / (rows + 2) for hits, rows in (one, other))
    error = (p * (1 - p) / (one[1] + 2) + q * (1 - q) / (other[1] + 2)) ** 0.5
    known = stats.norm.interval(anytime_level(one[1] + other[1], level=0.95), loc=p - q, scale=error)
    seen = one[0] / one[1] - other[0] / other[1]
    assert (found.low, found.high) == pytest.approx((min(known[0], seen), max(known[1], seen)))


def test_few_rows_and_values_that_are_no_numbers_bound_nothing() -> None:
    many, few = np.linspace(0, 2, BURN_IN), np.linspace(0, 2, BURN_IN - 1)
    assert separate_means(many, few).low is None
    assert separate_means(many, many).low is not None
    endless = separate_means(np.append(many, np.inf), many)
    assert (endless.low, endless.high, endless.difference) == (None, None, None)
    assert separate_means(np.array([]), many).means == (None, pytest.approx(1.0))


@given(SHARES, SHARES)
def test_the_groups_may_be_exchanged(one: tuple[int, int], other: tuple[int, int]) -> None:
    there = separate_means(zeros_and_ones(*one), zeros_and_ones(*other))
    back = separate_means(zeros_and_ones(*other), zeros_and_ones(*one))
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.low <= there.difference <= there.high


def ever_apart(draw: "stats.rv_frozen", *, share: float, runs: int, seed: int) -> tuple[float, float]:
    """Of two groups of one law, ``share`` of 4,000 rows in the one: how often are they told apart at any of
    20 looks, by these bounds and by Welch's test at 5 %?"""
    rng = np.random.default_rng(seed)
    always = once = 0
    for _ in range(runs):
        values = np.asarray(draw.rvs(size=4000, random_state=rng), dtype=np.float64)
        first = rng.random(4000) < share
        found, single = [], []
        for n in range(200, 4001, 200):
            groups = values[:n][first[:n]], values[:n][~first[:n]]
            found.append(separate_means(*groups))
            single.append(
                min(map(np.ptp, groups)) > 0 and stats.ttest_ind(*groups, equal_var=False).pvalue < 0.05
            )
        always += any(each.low is not None and not each.low <= 0 <= each.high for each in found)
        once += any(single)
    return always / runs, once / runs


@pytest.mark.parametrize(
    ("draw", "share"),
    [
        pytest.param(stats.lognorm(1), 0.3, id="skewed"),
        pytest.param(stats.bernoulli(0.1), 0.5, id="a tenth"),
        pytest.param(stats.bernoulli(0.02), 0.1, id="rare, in a small arm"),
    ],
)
def test_equal_groups_are_seldom_told_apart(draw: "stats.rv_frozen", share: float, figure: Figure) -> None:
    always, once = ever_apart(draw, share=share, runs=100, seed=2)
    figure(
        f"equal groups told apart at any of 20 looks ({draw.dist.name}), by Welch's test", f"{always}, {once}"
    )
    assert always <= 0.05
    assert once >= 0.12
