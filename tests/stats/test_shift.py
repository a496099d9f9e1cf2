"""A window's tests are those of scipy, and say something sensible where there is hardly anything to judge."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from siklus.stats.profile import Counts, profile_numbers, profile_words
from siklus.stats.shift import (
    RARE,
    BinShift,
    ColumnShift,
    Part,
    bin_shift,
    bins_by_chance,
    column_shift,
    hypergeometric_tail,
    pooled,
    slot_shift,
)

SMALL = st.integers(0, 30)
ALL = 10_000  # rows of most references here


def judged(reference: Counts, window: Counts, *, tolerance: float = 0.01) -> ColumnShift:
    found = column_shift(reference, window, tolerance=tolerance, min_rows=1)
    assert found is not None
    return found


def bins_of(found: ColumnShift) -> BinShift:
    assert found.bins is not None
    return found.bins


@given(SMALL, SMALL, SMALL, SMALL)
def test_the_exact_tail_as_scipy(k: int, r: int, more: int, others: int) -> None:
    n, m = k + more, r + others
    expected = stats.hypergeom.sf(k - 1, n + m, k + r, n) if n + m else 1.0
    if n and m:
        assert hypergeometric_tail(k, r, n=n, m=m) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("k", "r", "n", "m"),
    [(5, 1, 200, ALL), (40, 10, 10**6, 10**6), (300_900, 300_000, 10**6, 10**6), (0, 9, 500, ALL)],
)
def test_the_exact_tail_of_many_rows_as_scipy(k: int, r: int, n: int, m: int) -> None:
    expected = stats.hypergeom.sf(k - 1, n + m, k + r, n)
    assert hypergeometric_tail(k, r, n=n, m=m) == pytest.approx(expected, rel=1e-6)


@given(SMALL, SMALL, SMALL, SMALL, st.floats(1, 50))
def test_the_exact_tail_at_other_odds_as_scipy(k: int, r: int, more: int, others: int, odds: float) -> None:
    n, m = k + more, r + others
    if n and m:
        expected = stats.nchypergeom_fisher.sf(k - 1, n + m, k + r, n, odds)
        assert hypergeometric_tail(k, r, n=n, m=m, odds=odds) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_exact_tail_counts_every_way_to_draw() -> None:
    # 3 marked rows among 7, of which 4 are drawn: by enumeration.
    ways = [sum(drawn[:3]) for drawn in product([0, 1], repeat=7) if sum(drawn) == 4]
    for k in range(4):
        share = sum(found >= k for found in ways) / len(ways)
        assert hypergeometric_tail(k, 3 - k, n=4, m=3) == pytest.approx(share)


def test_a_million_of_what_never_occurred_is_beyond_any_doubt() -> None:
    assert hypergeometric_tail(10**6, 0, n=2 * 10**6, m=ALL) == pytest.approx(0.0, abs=1e-100)


@given(st.lists(st.tuples(st.integers(5, 500), st.integers(1, 500)), min_size=2, max_size=30))
def test_x2_and_its_p_as_scipy(cells: list[tuple[int, int]]) -> None:
    reference, window = np.array(cells).T
    found = bin_shift(reference, window)
    expected = stats.chi2_contingency(np.array([reference, window]), correction=False)
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.freedom == expected.dof
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("tolerance", [0.0, 0.003, 0.01, 0.1])
@pytest.mark.parametrize("window", [[300, 310, 290, 320], [400, 300, 300, 200]])
def test_p_beyond_the_tolerance_as_scipy(window: list[int], tolerance: float) -> None:
    reference = np.array([2500] * 4)
    found = bin_shift(reference, np.array(window), tolerance=tolerance)
    assert found is not None
    centre = tolerance / (1 / sum(window) + 1 / ALL)
    assert found.p_beyond == pytest.approx(stats.ncx2.sf(found.statistic, 3, centre), rel=1e-6, abs=1e-14)


@pytest.mark.parametrize("window", [[300, 310, 290, 320], [400, 300, 300, 200], [900, 100, 100, 120]])
def test_the_bounds_of_the_effect_are_where_scipy_finds_the_tails(window: list[int]) -> None:
    found = bin_shift(np.array([2500] * 4), np.array(window))
    assert found is not None
    noise = 1 / sum(window) + 1 / ALL
    for bound, tail in ((found.high, 0.025), (found.low, 0.975)):
        if bound > 1e-9:
            assert stats.ncx2.cdf(found.statistic, 3, bound / noise) == pytest.approx(tail, abs=1e-6)
        else:
            assert stats.chi2.cdf(found.statistic, 3) <= tail
    assert found.low <= found.effect <= found.high


def test_the_effect_of_a_shift_is_about_its_square() -> None:
    rng = np.random.default_rng(0)
    profile = profile_numbers(rng.normal(size=100_000))
    for shift in (0.1, 0.2, 0.3):
        found = bins_of(judged(profile.counts, profile.count(rng.normal(size=100_000) + shift)))
        assert found.effect == pytest.approx(shift**2, rel=0.1)


def test_a_huge_window_does_not_alarm_on_what_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    profile = profile_numbers(rng.normal(size=1_000_000))
    found = judged(profile.counts, profile.count(rng.normal(size=1_000_000) + 0.02))
    assert found.p < 1e-6
    assert found.p_beyond > 0.999
    assert judged(profile.counts, profile.count(rng.normal(size=1_000_000) + 0.15)).p_beyond < 1e-6


def test_a_slot_that_matters_little_is_there_and_not_beyond() -> None:
    # 1.0 % missing became 1.1 %, over a million rows.
    found = slot_shift("missing", Part(10_000, 10**6), Part(11_000, 10**6))
    assert found.p < 1e-6
    assert found.p_beyond > 0.99
    assert slot_shift("missing", Part(10_000, 10**6), Part(30_000, 10**6)).p_beyond < 1e-6


def test_one_row_in_a_slot_is_no_more_than_the_tolerance_allows() -> None:
    # δ = 0.01 of one hit among 10,500 rows: shares of 0.103 % and 0.005 %, by which it is ours at even odds.
    assert slot_shift("unseen", Part(0, ALL), Part(1, 500)).p_beyond == pytest.approx(0.51, abs=0.01)
    # A rise by the tolerance is not even possible among so few.
    assert slot_shift("unseen", Part(0, 500), Part(50, ALL)).p_beyond == 1.0
    assert slot_shift("unseen", Part(0, 500), Part(500, ALL)).p_beyond < 1e-4


def test_p_beyond_is_never_less_than_p() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        bins = rng.integers(0, 60, size=(2, 6))
        slots = rng.integers(0, 4, size=2)
        reference, window = (
            Counts(bins=tuple(row.tolist()), missing=int(k)) for row, k in zip(bins, slots, strict=True)
        )
        found = judged(reference, window)
        assert found.p <= found.p_beyond
        assert all(slot.p <= slot.p_beyond for slot in found.slots)


def test_half_of_the_rows_missing_says_so_and_does_not_blame_the_bins() -> None:
    reference = Counts(bins=(5000, 5000))
    found = judged(reference, Counts(bins=(250, 250), missing=500))
    assert found.bins is not None
    assert found.bins.p == 1.0
    [slot] = found.slots
    assert (slot.slot, slot.share, slot.reference_share) == ("missing", 0.5, 0.0)
    assert found.p_beyond < 1e-100


def test_a_window_of_missing_rows_alone_is_judged() -> None:
    found = judged(Counts(bins=(5000, 5000)), Counts(bins=(0, 0), missing=300))
    assert found.bins is None
    assert found.p < 1e-100


def test_fewer_missing_rows_than_in_the_reference_are_not_asked_about() -> None:
    found = judged(Counts(bins=(500, 500), missing=9000), Counts(bins=(500, 500)))
    assert found.p == 1.0


def test_what_moves_off_a_constant_column_is_seen() -> None:
    profile = profile_numbers(np.full(1000, 7.0))
    found = judged(profile.counts, profile.count(np.array([7.0] * 990 + [8.0] * 10)))
    assert found.bins is None
    assert [slot.slot for slot in found.slots] == ["rare"]
    assert found.p == pytest.approx(stats.hypergeom.sf(9, 2000, 10, 1000))


def test_a_slot_that_never_occurs_costs_nothing() -> None:
    found = judged(Counts(bins=(500, 500)), Counts(bins=(120, 80)))
    assert found.p == bins_of(found).p


def test_within_a_column_as_many_tests_as_there_are_count() -> None:
    found = judged(Counts(bins=(500, 500), missing=20, unseen=3), Counts(bins=(120, 80), missing=30))
    assert len(found.slots) == 2
    smallest = min(bins_of(found).p, *(slot.p for slot in found.slots))
    assert found.p == pytest.approx(3 * smallest)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(1, 10**6))
def test_every_bin_is_judged_with_enough_rows_or_is_rare(reference: list[int], rows: int) -> None:
    bins = np.array(reference)
    groups = pooled(bins, rows=rows)

    def enough(chosen: NDArray[np.bool_]) -> bool:
        found = bins[chosen].sum()
        return bool(found >= 20 and found * rows >= 5 * bins.sum())

    assert all(enough(groups == group) for group in range(groups.max() + 1))
    assert not enough(groups == RARE)
    assert all(
        (groups == group).sum() == 1 for i, group in enumerate(groups) if enough(np.arange(len(bins)) == i)
    )


@given(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=8), st.integers(0, 5), st.integers(0, 5))
def test_degenerate_counts_are_judged_without_a_word(
    cells: list[tuple[int, int]], missing: int, unseen: int
) -> None:
    reference = Counts(bins=tuple(a for a, _ in cells), missing=missing)
    window = Counts(bins=tuple(b for _, b in cells), unseen=unseen)
    found = column_shift(reference, window, min_rows=1)
    if found is None:
        assert window.rows == 0 or reference.rows == 0
    else:
        assert 0 <= found.p <= found.p_beyond <= 1


def test_the_same_shares_are_no_shift() -> None:
    reference = Counts(bins=(4000, 3000, 2000, 1000), missing=100)
    found = judged(reference, Counts(bins=(400, 300, 200, 100), missing=10))
    assert bins_of(found).effect == 0.0
    assert found.effect == 0.0
    assert found.p > 0.5


def test_a_reference_of_50_rows_is_judged_in_fewer_bins() -> None:
    profile = profile_numbers(np.random.default_rng(0).normal(size=50))
    found = judged(profile.counts, profile.count(np.random.default_rng(1).normal(size=100_000)))
    assert bins_of(found).freedom < 3
    assert found.p > 0.01
    moved = judged(profile.counts, profile.count(np.random.default_rng(1).normal(size=1000) + 2))
    assert moved.p < 1e-6


def test_words_that_have_a_bin_by_chance_are_judged_with_those_that_have_none() -> None:
    # 400 words, equally frequent: the 49 with a bin are those that happened to be drawn most often.
    rng = np.random.default_rng(0)
    profile = profile_words(rng.integers(0, 400, size=4000), range(400))
    window = profile.count(rng.integers(0, 400, size=4000))
    assert column_shift(profile.counts, window).p < 1e-3
    found = column_shift(profile.counts, window, together=bins_by_chance(profile))
    assert found is not None
    assert (found.bins, found.p) == (None, 1.0)


def test_frequent_words_are_told_apart_in_a_long_vocabulary() -> None:
    rng = np.random.default_rng(0)
    usual = np.where(
        rng.random(50_000) < 0.5, rng.integers(0, 3, size=50_000), rng.integers(0, 400, size=50_000)
    )
    profile = profile_words(usual, range(400))
    window = profile.count(np.where(usual == 0, 1, usual)[:5000])
    found = column_shift(profile.counts, window, together=bins_by_chance(profile))
    assert found is not None
    assert bins_of(found).freedom >= 3
    assert found.p_beyond < 1e-6


def test_numbers_and_short_vocabularies_have_no_bins_by_chance() -> None:
    rng = np.random.default_rng(0)
    assert bins_by_chance(profile_numbers(rng.normal(size=100))) == ()
    assert bins_by_chance(profile_words(rng.integers(0, 9, size=100), range(9))) == ()


def test_nothing_is_said_of_too_few_rows_or_without_a_reference() -> None:
    bins = Counts(bins=(500, 500))
    assert column_shift(bins, Counts(bins=(100, 99))) is None
    assert column_shift(bins, Counts(bins=(100, 100))) is not None
    assert column_shift(bins, Counts(bins=(0, 0)), min_rows=0) is None
    assert column_shift(Counts(bins=(0, 0)), bins) is None


def test_counts_over_other_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="3 bins, where the reference has 2"):
        column_shift(Counts(bins=(1, 2)), Counts(bins=(1, 2, 3)))
