"""Adjusted p-values are those of their definitions, whatever the order in which the tests stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from siklus.stats.families import benjamini_hochberg, holm

shares = st.floats(min_value=0, max_value=1)
families = st.lists(shares, min_size=1, max_size=30)


def rejected_by_holm(p: list[float], level: float) -> set[int]:
    """The definition: from the smallest on, reject while p ≤ level ÷ (tests that are left)."""
    found: set[int] = set()
    for place in sorted(range(len(p)), key=lambda i: p[i]):
        if p[place] > level / (len(p) - len(found)):
            break
        found.add(place)
    return found


@given(families, st.floats(min_value=0.001, max_value=0.999))
def test_holm_rejects_what_its_definition_rejects(p: list[float], level: float) -> None:
    adjusted = holm(p)
    near = np.isclose(adjusted, level, rtol=1e-9)  # there, rounding decides
    expected = np.isin(np.arange(len(p)), list(rejected_by_holm(p, level)))
    assert ((adjusted <= level) == expected)[~near].all()


@given(families)
def test_benjamini_hochberg_as_scipy(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@given(p=families, seed=st.integers(0, 1000))
def test_the_order_of_the_tests_does_not_matter(adjust, p, seed):
    order = np.random.default_rng(seed).permutation(len(p))
    assert adjust(np.array(p)[order]) == pytest.approx(adjust(p)[order])


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_no_tests_have_no_values(adjust):
    assert adjust([]).shape == (0,)


@given(families)
def test_one_false_alarm_is_harder_to_raise_than_a_share_of_them(p: list[float]) -> None:
    assert (holm(p) >= benjamini_hochberg(p) - 1e-12).all()
    assert (benjamini_hochberg(p) >= np.array(p) - 1e-12).all()
