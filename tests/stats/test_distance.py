"""Distances are scipy's where scipy has them, and what theory says of a shift elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from siklus.stats.distance import DISTANCES, hellinger, jensen_shannon, psi, wasserstein
from siklus.stats.profile import CategoryProfile, Counts, NumericProfile, profile_numbers

ROWS = st.integers(0, 500)
CELLS = st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=20).filter(
    lambda cells: all(any(side) for side in zip(*cells, strict=True))
)
SLOT = st.integers(0, 9)


def words(*rows: int, missing: int = 0) -> CategoryProfile:
    kept = tuple(range(len(rows) - 1))
    counts = Counts(bins=rows, missing=missing)
    return CategoryProfile(kept=kept, words=tuple(map(str, kept)), size=len(kept), counts=counts)


def shares(rows: tuple[int, ...]) -> NDArray[np.float64]:
    return np.array(rows) / sum(rows)


@given(CELLS)
def test_jensen_shannon_as_scipy(cells: list[tuple[int, int]]) -> None:
    reference, window = zip(*cells, strict=True)
    expected = jensenshannon(shares(window), shares(reference), base=2)
    assert jensen_shannon(words(*reference), Counts(bins=window)) == pytest.approx(expected, abs=1e-7)


@given(CELLS)
def test_hellinger_is_the_angle_between_roots(cells: list[tuple[int, int]]) -> None:
    reference, window = zip(*cells, strict=True)
    affinity = np.sqrt(shares(window) * shares(reference)).sum()
    expected = np.sqrt(max(1 - affinity, 0.0))
    assert hellinger(words(*reference), Counts(bins=window)) == pytest.approx(expected, abs=1e-7)


@given(CELLS, SLOT, SLOT)
def test_what_compares_shares_is_symmetric_and_0_for_the_same(
    cells: list[tuple[int, int]], missing: int, missing_now: int
) -> None:
    old, new = zip(*cells, strict=True)
    reference, window = words(*old, missing=missing), words(*new, missing=missing_now)
    for distance in (psi, jensen_shannon, hellinger):
        there, back = distance(reference, window.counts), distance(window, reference.counts)
        assert there is not None
        assert there == pytest.approx(back, abs=1e-12)
        assert there >= 0
        assert distance(reference, reference.counts) == pytest.approx(0, abs=1e-7)


@given(CELLS, st.randoms(use_true_random=False))
def test_the_order_of_the_bins_does_not_matter(cells: list[tuple[int, int]], random) -> None:
    shuffled = list(cells)
    random.shuffle(shuffled)
    for distance in (psi, jensen_shannon, hellinger):
        values = [
            distance(words(*reference), Counts(bins=window))
            for reference, window in (zip(*order, strict=True) for order in (cells, shuffled))
        ]
        assert values[0] == pytest.approx(values[1], abs=1e-9)


def test_nothing_in_common_is_1() -> None:
    reference, window = words(100, 0), Counts(bins=(0, 70))
    assert jensen_shannon(reference, window) == pytest.approx(1)
    assert hellinger(reference, window) == pytest.approx(1)


def test_psi_of_a_shift_is_its_square() -> None:
    # KL(N(d), N(0)) + KL(N(0), N(d)) = d²; 20 bins lose a little.
    rng = np.random.default_rng(0)
    profile = profile_numbers(rng.normal(size=200_000))
    for shift in (0.1, 0.33, 0.46):
        found = psi(profile, profile.count(rng.normal(size=200_000) + shift))
        assert found == pytest.approx(shift**2, rel=0.08)


def test_psi_without_drift_is_what_chance_makes() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(100):
        profile = profile_numbers(rng.normal(size=5000))
        found.append(psi(profile, profile.count(rng.normal(size=1000))))
    assert np.mean(found) == pytest.approx(19 * (1 / 1000 + 1 / 5000), rel=0.1)


def test_an_empty_bin_is_no_alarm() -> None:
    assert psi(words(0, 1000, 1000), Counts(bins=(1, 1000, 1000))) < 0.001
    assert psi(words(0, 1000, 1000, 0), Counts(bins=(0, 1000, 1000, 0))) == 0


def test_missing_rows_count_as_a_bin_of_their_own() -> None:
    reference, window = words(500, 500), Counts(bins=(50, 50), missing=25)
    for distance in (psi, jensen_shannon, hellinger):
        bare = distance(words(500, 500, 0), Counts(bins=(50, 50, 25)))
        assert distance(reference, window) == pytest.approx(bare)


DRAWS = {
    "normal": lambda rng, rows: rng.normal(size=rows),
    "uniform": lambda rng, rows: rng.random(rows),
    "exponential": lambda rng, rows: rng.exponential(size=rows),
}


@pytest.mark.parametrize("shift", [0.1, 0.5])
@pytest.mark.parametrize("law", DRAWS)
def test_wasserstein_of_bins_is_near_that_of_the_rows(law: str, shift: float) -> None:
    rng = np.random.default_rng(0)
    before, now = (DRAWS[law](rng, 50_000) for _ in range(2))
    now = now + shift * before.std()
    profile = profile_numbers(before)
    expected = stats.wasserstein_distance(before, now) / before.std()
    assert wasserstein(profile, profile.count(now)) == pytest.approx(expected, rel=0.08)


def test_wasserstein_between_values_that_repeat() -> None:
    # Heavy values have bins of their own, so little has to be assumed.
    rng = np.random.default_rng(0)
    before, now = rng.integers(0, 5, size=20_000), rng.choice(5, size=20_000, p=[0.4, 0.3, 0.1, 0.1, 0.1])
    profile = profile_numbers(before)
    expected = stats.wasserstein_distance(before, now) / before.std()
    assert wasserstein(profile, profile.count(now)) == pytest.approx(expected, rel=0.01)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=60), st.lists(st.integers(-60, 60), min_size=1))
def test_wasserstein_is_0_for_the_same_and_never_below(before: list[int], now: list[int]) -> None:
    profile = profile_numbers(np.array(before))
    found = wasserstein(profile, profile.count(np.array(now)))
    if found is not None:
        assert 0 <= found < np.inf
        assert wasserstein(profile, profile.counts) == pytest.approx(0, abs=1e-9)


def test_wasserstein_does_not_change_with_the_unit() -> None:
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=5000), rng.normal(size=5000) * 1.5
    metres, feet = profile_numbers(before), profile_numbers(before * 1024)
    assert wasserstein(metres, metres.count(now)) == pytest.approx(wasserstein(feet, feet.count(now * 1024)))


def test_a_tail_ends_where_the_contract_does() -> None:
    # Half of the rows lie below the first cut: how far, the bins do not say, but the contract's range may.
    counts, now = Counts(bins=(50, 25, 25)), Counts(bins=(80, 10, 10))
    free = NumericProfile(cuts=(1.0, 2.0), counts=counts)
    held = NumericProfile(cuts=(1.0, 2.0), minimum=0.9, maximum=2.1, counts=counts)
    # Tails of mean 0.1 about a bin from 1 to 2: the mean is 1.35, and the variance the sum of these.
    variance = 0.5 * (0.45**2 + 0.1**2) + 0.25 * (0.15**2 + 1 / 12) + 0.25 * (0.75**2 + 0.1**2)
    moved = 0.3 * 0.1 + (0.3 + 0.15) / 2 + 0.15 * 0.1
    assert wasserstein(held, now) == pytest.approx(moved / variance**0.5)
    assert wasserstein(free, now) != wasserstein(held, now)


def test_a_distance_that_is_not_defined_is_none() -> None:
    nobody = Counts(bins=(0, 0))
    for distance in DISTANCES.values():
        assert distance(words(5, 5), nobody) is None
        assert distance(words(0, 0), Counts(bins=(5, 5))) is None
    assert wasserstein(words(5, 5), Counts(bins=(5, 5))) is None
    constant = profile_numbers(np.full(100, 7.0))
    assert wasserstein(constant, constant.count(np.array([8.0]))) is None
    halves = NumericProfile(cuts=(1.0,), counts=Counts(bins=(50, 50)))
    assert wasserstein(halves, Counts(bins=(10, 90))) is None
    empty = profile_numbers(np.empty(0))
    assert wasserstein(empty, empty.count(np.array([8.0]))) is None
