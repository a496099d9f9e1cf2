"""Agreement: when two sets of answers count as the same."""

import numpy as np
import pytest

from siklus.stats.agreement import FLOAT32_STEP, agreement, agreement_on_chosen


def test_values_are_measured_by_their_spread() -> None:
    reference = np.array([0.0, 10.0, 20.0])
    found = agreement(reference + np.array([0, 0, 1e-4]), reference, task="regression", tolerance=1e-5)
    # The last is 10 from the mean, which is more than the standard deviation of 8.2.
    assert found.relative == pytest.approx(1e-4 / 10)
    assert (found.max_difference, found.rows_beyond) == (pytest.approx(1e-4), 0)


def test_a_spread_that_is_known_is_not_stretched_by_one_strange_row() -> None:
    reference = np.array([1.0, 2.0, 1e7])
    answers = reference + np.array([0.5, 0, 0])
    assert agreement(answers, reference, task="regression").holds
    known = agreement(answers, reference, task="regression", known_spread=1.0)
    assert (known.holds, known.relative) == (False, 0.5)
    alone = agreement(np.array([215.0]), np.array([215.0 + 2**-16]), task="regression", known_spread=90.0)
    assert alone.relative == pytest.approx(2**-16 / 90)


def test_a_class_is_the_same_when_it_is_chosen_or_tied() -> None:
    chances = np.array([[0.25, 0.75], [0.5, 0.5], [0.5 - FLOAT32_STEP / 4, 0.5 + FLOAT32_STEP / 4]])
    same = agreement_on_chosen(chances, np.array([1, 0, 1]), np.array([0.75, 0.5, 0.5]))
    assert (same.holds, same.differing_classes, same.ties) == (True, 0, 0)
    tied = agreement_on_chosen(chances, np.array([1, 1, 0]), np.array([0.75, 0.5, 0.5]))
    assert (tied.holds, tied.differing_classes, tied.ties) == (True, 0, 2)
    other = agreement_on_chosen(chances, np.array([0, 0, 1]), np.array([0.25, 0.5, 0.5]))
    assert (other.holds, other.differing_classes, other.rows_beyond) == (False, 1, 0)


def test_no_class_and_no_probability_are_infinitely_far() -> None:
    chances = np.array([[0.25, 0.75]])
    for chosen, probability in ((-1, 0.75), (1, np.nan)):
        found = agreement_on_chosen(chances, np.array([chosen]), np.array([probability]))
        assert (found.holds, found.max_difference) == (False, np.inf)
