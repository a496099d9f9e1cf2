"""A profile's bins follow the reference, each value falls into one place, and counts add up exactly."""

import subprocess
import sys
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.stats.profile import (
    BINS,
    CategoryProfile,
    Counts,
    NumericProfile,
    Profile,
    count_category,
    count_numeric,
    numeric_cuts,
    profile_numbers,
    profile_words,
)

INF = float("inf")
NAN = float("nan")

anything = st.floats(width=32) | st.sampled_from([0.0, -0.0, 1.0, NAN, INF, -INF]) | st.floats()
columns = st.lists(anything, max_size=80).map(lambda values: np.array(values, dtype=np.float64))
indices = st.lists(st.sampled_from([NAN, -1.0, 0.0, 1.0, 2.0, 3.0, 9.0]), max_size=80).map(np.array)


def test_bins_of_a_smooth_column_hold_equal_shares() -> None:
    found = profile_numbers(np.random.default_rng(0).normal(size=10_000))
    assert len(found.cuts) == BINS - 1
    assert found.counts.bins == (500,) * BINS


def test_a_value_on_a_cut_belongs_to_the_bin_below() -> None:
    counts = count_numeric(np.array([1.0, 2.0, 2.0, 2.1, 3.0, 9.0]), np.array([2.0, 3.0]))
    assert counts.bins == (3, 2, 1)


def test_heavy_ties_get_a_bin_of_their_own() -> None:
    # Half of the rows are exactly 0, on both sides of which lie others.
    values = np.concatenate([np.zeros(500), np.linspace(-9, -1, 250), np.linspace(1, 9, 250)])
    found = profile_numbers(values)
    assert 500 in found.counts.bins
    at = found.counts.bins.index(500)
    assert found.cuts[at] == 0
    assert found.count(np.array([-1e-30])).bins[at] == found.count(np.array([1e-30])).bins[at] == 0


def test_a_constant_column_sees_mass_move_either_way() -> None:
    found = profile_numbers(np.full(100, 7.0))
    assert found.counts.bins == (0, 100, 0)
    assert found.count(np.array([6.999999, 7.0, 7.000001])).bins == (1, 1, 1)


def test_few_distinct_numbers_get_a_bin_each() -> None:
    found = profile_numbers(np.repeat([1, 2, 3, 4], 25))
    assert [count for count in found.counts.bins if count] == [25, 25, 25, 25]


def test_a_column_without_a_number_has_one_empty_bin() -> None:
    found = profile_numbers(np.array([NAN, INF, NAN]))
    assert (found.cuts, found.counts) == ((), Counts(bins=(0,), missing=2, non_finite=1))


def test_what_is_no_number_within_the_range_has_its_own_slot() -> None:
    values = np.array([NAN, INF, -INF, -1.0, 0.0, 5.0, 10.0, 11.0, 12.0])
    counts = count_numeric(values, np.array([4.0]), minimum=0, maximum=10)
    assert counts == Counts(bins=(1, 2), missing=1, non_finite=2, below_minimum=1, above_maximum=2)
    assert counts.rows == 9


def test_values_out_of_range_do_not_move_the_cuts() -> None:
    inside = np.arange(100.0)
    dirty = np.concatenate([inside, np.full(900, 1e9), [NAN, -5.0]])
    assert profile_numbers(dirty, minimum=0, maximum=99).cuts == profile_numbers(inside).cuts


def test_training_cells_and_served_rows_are_binned_alike() -> None:
    # 0.1 is a little more in float32; a maximum of 0.1 and a cut at 0.1 must not notice.
    reference = profile_numbers(np.array([0.1, 0.2, 0.3, 0.1]), minimum=0.1, maximum=0.3)
    served = np.array([0.1, 0.2, 0.3, 0.1], dtype=np.float32)
    assert reference.count(served) == reference.counts
    assert (reference.counts.below_minimum, reference.counts.above_maximum) == (0, 0)


def test_integers_are_counted_as_numbers() -> None:
    assert profile_numbers(np.arange(40)).counts.bins == (2,) * 20


@given(columns, st.integers(2, 12))
def test_every_number_falls_into_one_place(values: np.ndarray, bins: int) -> None:
    found = profile_numbers(values, minimum=-100.0, maximum=1000.0, bins=bins)
    assert found.counts.rows == len(values)
    assert list(found.cuts) == sorted(set(found.cuts))
    assert found.counts.bins == tuple(
        int(sum(low < x <= high for x in inside(values))) for low, high in edges(found)
    )


def inside(values: np.ndarray) -> list[float]:
    with np.errstate(over="ignore"):
        return [float(x) for x in values.astype(np.float32) if -100 <= x <= 1000]


def edges(found: NumericProfile) -> list[tuple[float, float]]:
    whole = [-INF, *found.cuts, INF]
    return list(pairwise(whole))


@given(columns, columns)
def test_counts_of_chunks_add_up_to_the_counts_of_the_whole(one: np.ndarray, other: np.ndarray) -> None:
    reference = profile_numbers(one, minimum=-10.0, maximum=10.0)
    whole = reference.count(np.concatenate([one, other]))
    assert reference.counts.add(reference.count(other)) == whole
    assert reference.count(other).add(reference.counts) == whole


@given(indices, indices, st.integers(1, 4))
def test_counts_of_words_add_up_too(one: np.ndarray, other: np.ndarray, most: int) -> None:
    reference = profile_words(one, ["a", "b", "c", "d"], most=most)
    assert reference.counts.rows == len(one)
    assert reference.counts.add(reference.count(other)) == reference.count(np.concatenate([one, other]))


def test_the_most_frequent_words_are_kept_and_the_rest_are_other() -> None:
    found = profile_words(np.array([0, 1, 1, 2, 2, 2, 3, NAN, -1]), ["a", "b", "c", "d"], most=2)
    assert (found.kept, found.words) == ((1, 2), ("b", "c"))
    assert found.counts == Counts(bins=(2, 3, 2), missing=1, unseen=1)


def test_words_that_are_equally_frequent_are_kept_in_the_vocabularys_order() -> None:
    assert profile_words(np.array([2, 1, 0]), [10, 20, 30], most=2).words == ("10", "20")


def test_an_index_beyond_the_vocabulary_is_unseen() -> None:
    assert count_category(np.array([0, 5, -1]), 2) == Counts(bins=(1, 0), unseen=2)


def test_booleans_and_classes_are_words_too() -> None:
    assert profile_words(np.array([1.0, 0.0, 1.0]), [False, True]).words == ("False", "True")
    assert profile_words(np.array([1, 0, 1]), ["no", "yes"]).counts.bins == (1, 2, 0)


def whole_profile(values: np.ndarray) -> Profile:
    return Profile(
        rows=len(values),
        columns={"distance": profile_numbers(values), "origin": profile_words(values % 3, ["a", "b", "c"])},
        prediction=profile_numbers(values * 2),
    )


def test_a_profile_goes_through_json_unchanged() -> None:
    found = whole_profile(np.arange(100) * 0.1)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Profile) == found


def test_profiles_over_the_same_bins_add_up() -> None:
    found = whole_profile(np.arange(100.0))
    twice = found.add(found)
    assert twice.rows == 200
    assert isinstance(twice.columns["origin"], CategoryProfile)
    assert twice.columns["origin"].counts.bins == (68, 66, 66, 0)
    assert twice.prediction.counts.rows == 200


def test_profiles_over_other_bins_or_columns_do_not_add_up() -> None:
    one, other = whole_profile(np.arange(100.0)), whole_profile(np.arange(50.0))
    with pytest.raises(ValueError, match="other bins"):
        one.add(other)
    with pytest.raises(ValueError, match=r"other columns: \['origin'\]"):
        one.add(msgspec.structs.replace(one, columns={"distance": one.columns["distance"]}))


def test_the_bins_option_sets_how_many_there_are() -> None:
    assert len(numeric_cuts(np.arange(1000.0), bins=10)) == 9


def test_counting_needs_numpy_and_msgspec_only() -> None:
    code = "import sys, siklus.stats.profile; print('scipy' in sys.modules or 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
