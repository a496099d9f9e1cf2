"""Ranges of numbers follow the reference profile: four of about as many rows, or its few values."""

import numpy as np
import pytest

from siklus.stats.profile import profile_numbers
from siklus.stats.ranges import ranges_of

WEEK = np.arange(700) % 7


@pytest.mark.parametrize(
    ("values", "whole", "told"),
    [
        (np.arange(1000), True, {"up to 249": 250, "250 to 499": 250, "500 to 749": 250, "750 or more": 250}),
        (WEEK, True, dict.fromkeys("0123456", 100)),
        (WEEK / 4, False, dict.fromkeys(["0", "0.25", "0.5", "0.75", "1", "1.25", "1.5"], 100)),
        (np.full(5, 3.0), False, {"3": 5}),
        # Nine in a hundred are no zero: one cut more, at the value of which 95 are no larger.
        (np.repeat(np.arange(10.0), [91, *[1] * 9]), False, {"0": 91, "above 0 to 4": 4, "above 4": 5}),
    ],
)
def test_rows_of_the_reference_fall_into_them(values: np.ndarray, whole: bool, told: dict[str, int]) -> None:
    ranges = ranges_of(profile_numbers(values), whole=whole)
    places = ranges.places(values)
    assert {ranges.names[j]: int((places == j).sum()) for j in np.unique(places)} == told


def test_what_is_beyond_few_values_has_ranges_of_its_own() -> None:
    ranges = ranges_of(profile_numbers(WEEK), whole=True)
    assert [ranges.names[j] for j in ranges.places(np.array([-3.0, 6, 9, 1e300]))] == [
        "up to -1",
        "6",
        "7 or more",
        "7 or more",
    ]


def test_of_no_numbers_there_is_one_range() -> None:
    assert ranges_of(profile_numbers(np.empty(0)), whole=False).names == ("all",)
