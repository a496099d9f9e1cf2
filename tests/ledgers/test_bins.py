"""Bins: a server counts rows as the reference profile does, whatever they hold and however they come."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siklus.contract.columns import Category, Contract, Datetime, Number, Target
from siklus.ledgers.bins import (
    ABOVE,
    BELOW,
    MISSING,
    NON_FINITE,
    OTHER,
    UNSEEN,
    FeatureBins,
    bins_of,
    column_bins,
)
from siklus.stats.profile import (
    CategoryProfile,
    ColumnProfile,
    Counts,
    NumericProfile,
    Profile,
    profile_numbers,
    profile_words,
)

FLOATS = st.floats(width=32)  # NaN, both infinities, denormals and -0.0 among them
BOUNDS = st.none() | st.floats(-100, 100)


@st.composite
def numeric_profiles(draw: st.DrawFn) -> NumericProfile:
    reference = draw(st.lists(st.floats(-100, 100) | FLOATS, max_size=60))
    low, high = draw(BOUNDS), draw(BOUNDS)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return profile_numbers(
        np.array(reference, dtype=np.float64), minimum=low, maximum=high, bins=draw(st.integers(2, 20))
    )


@st.composite
def category_profiles(draw: st.DrawFn) -> CategoryProfile:
    size = draw(st.integers(1, 80))
    reference = draw(st.lists(st.integers(-1, size - 1), max_size=100))
    words = [str(i) for i in range(size)]
    return profile_words(np.array(reference, dtype=np.float64), words, most=draw(st.integers(0, 60)))


def told(counts: Counts, profile: ColumnProfile) -> list[int]:
    """The counts of a profile in the order of a column's labels."""
    if isinstance(profile, CategoryProfile):
        return [*counts.bins, counts.missing, counts.unseen]
    found = [*counts.bins, counts.missing, counts.non_finite]
    found += [] if profile.minimum is None else [counts.below_minimum]
    return found + ([] if profile.maximum is None else [counts.above_maximum])


def edges_of(profile: ColumnProfile) -> list[float]:
    """The values at which a rule could go wrong, and their neighbours on both sides."""
    if isinstance(profile, CategoryProfile):
        at = np.arange(-2, profile.size + 3, dtype=np.float32)
    else:
        bounds = [bound for bound in (profile.minimum, profile.maximum) if bound is not None]
        at = np.array([*profile.cuts, *bounds, 0.0], dtype=np.float32)
    with np.errstate(over="ignore"):
        beside = [np.nextafter(at, np.float32(side)) for side in (-np.inf, np.inf)]
    return [*at.tolist(), *np.concatenate(beside).tolist(), float("nan"), float("inf"), float("-inf"), -0.0]


@given(st.data(), numeric_profiles() | category_profiles())
def test_one_column_is_counted_as_the_profile_counts_it(data: st.DataObject, profile: ColumnProfile) -> None:
    values = data.draw(st.lists(FLOATS | st.sampled_from(edges_of(profile)), max_size=50))
    rows = np.array([*values, *edges_of(profile)], dtype=np.float32)
    found = FeatureBins([column_bins("x", profile)]).count(rows[:, None])
    assert found.tolist() == told(profile.count(rows), profile)


@given(
    st.lists(numeric_profiles() | category_profiles(), min_size=1, max_size=4),
    st.data(),
    st.lists(st.integers(1, 9), max_size=6),
)
def test_columns_are_counted_apart_and_chunks_add_up(
    profiles: Sequence[ColumnProfile], data: st.DataObject, chunks: Sequence[int]
) -> None:
    rows = data.draw(arrays(np.float32, (sum(chunks), len(profiles)), elements=FLOATS))
    bins = FeatureBins([column_bins(f"x{i}", profile) for i, profile in enumerate(profiles)])
    cuts = np.cumsum(chunks)[:-1] if chunks else []
    total = sum((bins.count(chunk) for chunk in np.split(rows, cuts)), start=np.zeros(bins.size, np.uint64))
    expected = [told(profile.count(rows[:, i]), profile) for i, profile in enumerate(profiles)]
    assert total.tolist() == [count for column in expected for count in column]


def test_labels_follow_the_profile() -> None:
    number = column_bins("a", profile_numbers(np.array([1.0, 2, 3, 4]), minimum=0, bins=2))
    assert number.labels == ("(-inf, 2.0]", "(2.0, inf]", MISSING, NON_FINITE, BELOW)
    assert number.reference == (0.5, 0.5, 0, 0, 0)
    assert ABOVE in column_bins("a", profile_numbers(np.array([1.0]), maximum=9)).labels
    word = column_bins("b", profile_words(np.array([0.0, 0, 1, np.nan]), ["JFK", "LGA", "EWR"], most=2))
    assert word.labels == ("JFK", "LGA", OTHER, MISSING, UNSEEN)
    assert word.reference == (0.5, 0.25, 0, 0.25, 0)


@pytest.mark.parametrize("word", [MISSING, OTHER, UNSEEN, "<x>", "<>"])
def test_a_word_never_shares_its_label_with_another_count(word: str) -> None:
    labels = column_bins("a", profile_words(np.array([0.0, 1.0]), [word, f"<{word}>"])).labels
    assert len(set(labels)) == len(labels)


def test_every_float_of_a_row_has_bins_even_where_the_profile_knows_none() -> None:
    contract = Contract(
        columns=(
            Category(name="origin", vocabulary=("JFK",)),
            Datetime(name="t", parts=("hour", "day")),
            Number(name="n"),
        ),
        target=Target(name="y"),
    )
    nothing = Profile(rows=0, columns={}, prediction=profile_numbers(np.empty(0)))
    columns = bins_of(contract, nothing)
    assert [column.name for column in columns] == ["origin", "t.hour", "t.day", "n"]
    assert all(column.reference == () for column in columns)
    counted = FeatureBins(columns).count(np.array([[-1, 3, 4, np.nan]], dtype=np.float32))
    by_label = dict(
        zip([(column.name, label) for column in columns for label in column.labels], counted, strict=True)
    )
    assert by_label["origin", UNSEEN] == by_label["n", MISSING] == 1
