"""Profiles of traffic: what servers counted is what the reference profile itself would have counted."""

from dataclasses import replace as with_fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec.structs import replace

from siklus.contract.columns import Category, Contract, Number, Target
from siklus.errors import MonitorError
from siklus.ledgers.layouts import layout_of
from siklus.ledgers.profiles import window_profile, window_profiles
from siklus.ledgers.totals import VersionTotals
from siklus.stats.profile import Profile, profile_numbers, profile_words
from siklus.table import FloatRows

WORDS = tuple(f"w{i}" for i in range(60))
CONTRACT = Contract(
    columns=(
        Number(name="distance", minimum=0, maximum=90, nullable=True),
        Category(name="origin", vocabulary=WORDS, nullable=True),
        Number(name="delay", nullable=True),
    ),
    target=Target(name="late", classes=WORDS),
)
DRAWN = np.random.default_rng(0)
REFERENCE = Profile(
    rows=1000,
    columns={
        "distance": profile_numbers(DRAWN.uniform(0, 90, 1000), minimum=0, maximum=90),
        "origin": profile_words(DRAWN.integers(0, 60, 1000).astype(float), WORDS),
        "delay": profile_numbers(DRAWN.normal(size=1000)),
    },
    prediction=profile_words(DRAWN.integers(0, 60, 1000).astype(float), WORDS),
)
CELLS = st.floats(width=32) | st.sampled_from([-1.0, 0.0, 1.0, 59.0, 60.0, 90.0, 91.0, float("nan")])


def counted(
    matrix: FloatRows, answers: list[int], *, reference: Profile = REFERENCE, version: str = "7"
) -> VersionTotals:
    """What a server's ledger would hold of these rows."""
    layout, bins = layout_of(version, CONTRACT, reference)
    counts = np.zeros(layout.title.counts, dtype=np.uint64)
    counts[layout.bins :] = bins.count(matrix)
    counts[layout.predictions : layout.bins] = np.bincount(answers, minlength=len(WORDS))
    return VersionTotals(layout, counts, np.zeros(layout.title.sums), 0.0)


def profiled(matrix: FloatRows, answers: list[int]) -> Profile:
    """The same rows, counted by the reference profile's own rule."""
    columns = {
        name: replace(column, counts=column.count(matrix[:, place]))
        for place, (name, column) in enumerate(REFERENCE.columns.items())
    }
    prediction = REFERENCE.prediction
    counts = prediction.count(np.array(answers, dtype=np.float64))
    return Profile(rows=len(matrix), columns=columns, prediction=replace(prediction, counts=counts))


@given(arrays(np.float32, st.tuples(st.integers(0, 30), st.just(3)), elements=CELLS), st.data())
def test_a_window_is_profiled_as_training_would_have_profiled_it(
    matrix: FloatRows, data: st.DataObject
) -> None:
    answers = data.draw(st.lists(st.integers(0, 59), min_size=len(matrix), max_size=len(matrix)))
    found = window_profile(counted(matrix, answers), reference=REFERENCE, contract=CONTRACT)
    assert found == profiled(matrix, answers)


def test_two_windows_together_are_the_sum_of_both() -> None:
    rows = DRAWN.normal(30, 40, size=(500, 3)).astype(np.float32)
    answers = DRAWN.integers(0, 60, 500).tolist()
    one, two = window_profiles(
        [counted(rows[:200], answers[:200]), counted(rows[200:], answers[200:])],
        reference=REFERENCE,
        contract=CONTRACT,
    )
    assert one.add(two) == profiled(rows, answers)


def test_counts_over_other_bins_are_refused() -> None:
    other = {**REFERENCE.columns, "delay": profile_numbers(DRAWN.normal(1, size=1000))}
    theirs = counted(np.zeros((3, 3), np.float32), [0, 1, 2], reference=replace(REFERENCE, columns=other))
    with pytest.raises(MonitorError, match="version 7: they are over other bins") as refused:
        window_profile(theirs, reference=REFERENCE, contract=CONTRACT)
    assert refused.value.code == "MO001"


def test_one_number_of_another_bin_is_refused_in_a_row_of_windows() -> None:
    fine = counted(np.zeros((3, 3), np.float32), [0, 1, 2])
    strange = with_fields(fine, layout=replace(fine.layout, rules="other"))
    with pytest.raises(MonitorError):
        window_profiles([fine, strange], reference=REFERENCE, contract=CONTRACT)


def test_columns_that_training_did_not_profile_are_left_out() -> None:
    known = replace(REFERENCE, columns={"delay": REFERENCE.columns["delay"]})
    totals = counted(np.ones((4, 3), np.float32), [0, 0, 0, 0], reference=known)
    found = window_profile(totals, reference=known, contract=CONTRACT)
    assert list(found.columns) == ["delay"]
    assert found.rows == 4


def test_no_windows_are_no_profiles() -> None:
    assert window_profiles([], reference=REFERENCE, contract=CONTRACT) == []
