"""Bounds and alarms that hold at all times are what their definitions say, and speak up when they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats

from siklus.stats.anytime import (
    BURN_IN,
    SIMULATED,
    anytime_estimate,
    anytime_level,
    floor_evidence,
    log_floor_evidence,
    proportion_sequence,
)
from siklus.stats.intervals import estimate
from siklus.stats.scores import METRICS, names_of

MONTH = 4320 / 0.05
HITS = st.integers(0, 400).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


def answered(
    rng: np.random.Generator, right: float, rows: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Two classes, of which the true one is said with a chance of ``right``."""
    y = rng.integers(0, 2, size=rows)
    said = np.where(rng.random(rows) < right, y, 1 - y)
    return y, np.column_stack([0.8 - 0.6 * said, 0.2 + 0.6 * said])


def off_by(
    rng: np.random.Generator, error: float, rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Errors whose mean size is ``error``."""
    predictions = rng.normal(100, 5, size=rows)
    return predictions + rng.laplace(scale=error, size=rows), predictions


@given(HITS)
def test_the_ends_of_a_proportion_are_where_bets_have_won_20_to_1(counted: tuple[int, int]) -> None:
    hits, rows = counted
    low, high = proportion_sequence(hits, rows, level=0.95)
    for end in {low, high} - {0.0, 1.0}:
        # The likelihood under a share drawn from Jeffreys' prior, by that under the end itself.
        drawn = stats.betabinom.logpmf(hits, rows, 0.5, 0.5)
        assert drawn - stats.binom.logpmf(hits, rows, end) == pytest.approx(np.log(20), abs=1e-4)


@given(HITS)
def test_bounds_for_all_times_hold_the_score_and_are_wider_than_for_one(counted: tuple[int, int]) -> None:
    hits, rows = counted
    low, high = proportion_sequence(hits, rows, level=0.95)
    if rows == 0:
        assert (low, high) == (0, 1)
        return
    assert 0 <= low <= hits / rows <= high <= 1
    once = stats.binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    assert low <= once.low + 1e-12
    assert high >= once.high - 1e-12


def test_the_level_for_all_times_is_that_of_the_boundary_in_the_paper() -> None:
    # Waudby-Smith et al., with ρ² for which the boundary is tightest at 1000 rows.
    alpha, rows = 0.05, 400
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1) / 1000
    boundary = np.sqrt(2 * (rows * rho2 + 1) / (rows**2 * rho2) * np.log(np.sqrt(rows * rho2 + 1) / alpha))
    expected = 2 * stats.norm.cdf(boundary * np.sqrt(rows)) - 1
    assert anytime_level(rows, level=1 - alpha) == pytest.approx(expected, abs=1e-12)


def test_the_boundary_loses_least_at_the_rows_that_it_is_tuned_for() -> None:
    def reach(tuned_for: int) -> float:
        return anytime_level(5000, tuned_for=tuned_for)

    assert min([500, 2000, 5000, 20_000, 80_000], key=reach) == 5000


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_has_bounds_for_all_times_but_the_simulated(name: str) -> None:
    rng = np.random.default_rng(0)
    y, predictions = answered(rng, 0.8, 600) if name in names_of("classification") else off_by(rng, 1.0, 600)
    always, once = anytime_estimate(name, y, predictions, seed=0), estimate(name, y, predictions, seed=0)
    assert always.value == once.value
    if name in SIMULATED:
        assert always.low is always.high is None
    else:
        assert always.low < once.low < once.high < always.high


def test_few_rows_have_bounds_only_where_they_are_exact() -> None:
    rng = np.random.default_rng(0)
    y, predictions = answered(rng, 0.8, BURN_IN - 1)
    assert anytime_estimate("accuracy", y, predictions, seed=0).low is not None
    assert anytime_estimate("f1", y, predictions, seed=0).low is None
    assert anytime_estimate("f1", y, predictions, seed=0).value is not None


@pytest.mark.parametrize("floor", [0.5, 0.8, 0.95])
@pytest.mark.parametrize(("hits", "rows"), [(30, 60), (45, 60), (60, 60)])
def test_the_evidence_of_an_accuracy_is_that_of_a_truncated_prior(hits: int, rows: int, floor: float) -> None:
    y = np.ones(rows, dtype=np.int64)
    said = (np.arange(rows) < hits).astype(np.float64)
    found = log_floor_evidence("accuracy", y, np.column_stack([1 - said, said]), floor=floor)
    prior = stats.beta(0.5, 0.5)
    drawn, _ = integrate.quad(
        lambda share: stats.binom.pmf(hits, rows, share) * prior.pdf(share), 0, floor, epsabs=0, limit=200
    )
    expected = np.log(drawn / prior.cdf(floor) / stats.binom.pmf(hits, rows, floor))
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_evidence_of_a_mean_is_that_of_half_a_normal_mixture() -> None:
    y, predictions = off_by(np.random.default_rng(0), 1.3, 500)
    found = estimate("mae", y, predictions, seed=0, level=0.95)
    error = np.log(found.value / found.low) / stats.norm.ppf(0.975)
    z = np.log(found.value / 1.0) / error

    def bet(shift: float) -> float:  # in standard errors of 1000 rows, the rows it is tuned for
        scaled = shift * np.sqrt(500 / 1000)
        return 2 * stats.norm.pdf(shift) * np.exp(scaled * z - scaled**2 / 2)

    drawn, _ = integrate.quad(bet, 0, 40, limit=200)
    assert log_floor_evidence("mae", y, predictions, floor=1.0) == pytest.approx(np.log(drawn), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "floor", "good", "bad"),
    [
        ("accuracy", 0.8, 0.85, 0.7),
        ("precision", 0.8, 0.85, 0.7),
        ("f1", 0.8, 0.85, 0.7),
        ("balanced_accuracy", 0.8, 0.85, 0.7),
        ("mae", 1.0, 0.9, 1.3),
        ("rmse", 1.42, 0.9, 1.3),
        ("median_absolute_error", 0.7, 0.9, 1.3),
        ("r2", 0.9, 0.5, 1.7),
    ],
)
def test_a_fall_below_the_floor_raises_an_alarm_and_none_is_raised_above(
    name: str, floor: float, good: float, bad: float
) -> None:
    draw = answered if name in names_of("classification") else off_by
    rng = np.random.default_rng(0)
    parts = [draw(rng, good, 3000), draw(rng, bad, 2000)]
    y, predictions = (np.concatenate(part) for part in zip(*parts, strict=True))
    steps = {"floor": floor, "threshold": MONTH}
    before = floor_evidence(name, y[:3000], predictions[:3000], starts=range(0, 3000, 100), **steps)
    after = floor_evidence(name, y, predictions, starts=range(0, 5000, 100), **steps)
    assert not before.alarm
    assert after.alarm
    assert after.since is not None
    assert 15 <= after.since <= 25


def test_more_evidence_where_there_is_more_error() -> None:
    y, predictions = off_by(np.random.default_rng(0), 1.0, 500)
    floors = [1.4, 1.1, 1.0, 0.9, 0.7]
    found = [log_floor_evidence("mae", y, predictions, floor=floor) for floor in floors]
    assert found == sorted(found)


def test_labels_that_say_nothing_yet_are_no_evidence() -> None:
    y, predictions = off_by(np.random.default_rng(0), 9.0, BURN_IN - 1)
    found = floor_evidence("mae", y, predictions, starts=[0, 50], floor=1.0, threshold=MONTH)
    assert (found.since, found.alarm) == (None, False)
    nothing = floor_evidence("mae", y[:0], predictions[:0], starts=[0], floor=1.0, threshold=MONTH)
    assert (nothing.since, nothing.alarm) == (None, False)


def test_steps_without_labels_and_old_ones_are_left_out() -> None:
    y, predictions = off_by(np.random.default_rng(0), 1.2, 7000)
    settings = {"floor": 1.0, "threshold": MONTH}
    steps = list(range(0, 7000, 100))
    found = floor_evidence("mae", y, predictions, starts=steps, **settings)
    assert floor_evidence("mae", y, predictions, starts=[*steps, *steps, 7000], **settings) == found
    assert floor_evidence("mae", y, predictions, starts=steps[10:], **settings) == found


@pytest.mark.parametrize("floor", [0.0, 1.0])
@pytest.mark.parametrize("right", [0.0, 0.5, 1.0])
def test_a_floor_at_an_end_is_answered(floor: float, right: float) -> None:
    y, predictions = answered(np.random.default_rng(0), right, 300)
    found = floor_evidence("accuracy", y, predictions, starts=[0, 100], floor=floor, threshold=MONTH)
    assert found.alarm == (floor == 1.0 and right < 1.0)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_degenerate_labels_are_answered(name: str) -> None:
    if name in names_of("classification"):
        one_class = np.zeros(200, dtype=np.int64)
        cases = [(one_class, np.tile([p, 1 - p], (200, 1))) for p in (0.0, 0.5, 1.0)]
    else:
        same = np.full(200, 3.0)
        cases = [(same, same), (same, same + 1), (np.arange(200.0), np.full(200, np.inf))]
    for y, predictions in cases:
        found = floor_evidence(name, y, predictions, starts=[0, 50], floor=0.5, threshold=MONTH)
        assert not np.isnan(found.log_evidence)
        assert anytime_estimate(name, y, predictions, seed=0) is not None
