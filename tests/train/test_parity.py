"""The certificate measures what it says, and does not hold when it should not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from siklus.errors import ExportError
from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.parity import certify


def numbers(count: int, *, centre: float, spread: float) -> NDArray[np.float32]:
    """One column with exactly this mean and standard deviation, in pairs about the mean."""
    signs = np.where(np.arange(count) % 2, 1, -1)
    return (centre + spread * signs).astype(np.float32).reshape(-1, 1)


def identity_graph(width: int) -> bytes:
    graph = Graph(shape=[width])
    return graph.finished(graph.rows, task="regression" if width == 1 else "classification")


def test_equal_answers_hold_with_no_difference() -> None:
    rows = numbers(10, centre=5, spread=2)
    parity = certify(identity_graph(1), rows, rows[:, 0].astype(np.float64), task="regression")
    assert (parity.rows, parity.max_difference, parity.mean_difference, parity.relative) == (10, 0, 0, 0)
    assert parity.holds


def test_differences_of_numbers_are_counted_in_standard_deviations() -> None:
    rows = numbers(1000, centre=5, spread=2)
    reference = rows[:, 0].astype(np.float64)
    reference[7] += 0.5
    parity = certify(identity_graph(1), rows, reference, task="regression")
    assert parity.max_difference == 0.5
    assert parity.mean_difference == pytest.approx(0.5 / 1000)
    # Row 7 lies 2.5 from the mean, which is more than the standard deviation of 2.
    assert parity.relative == pytest.approx(0.5 / 2.5, rel=1e-3)
    assert not parity.holds


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_the_target_does_not_matter(scale: float) -> None:
    rows = numbers(100, centre=5 * scale, spread=2 * scale)
    reference = rows[:, 0].astype(np.float64) + 1e-4 * scale
    parity = certify(identity_graph(1), rows, reference, task="regression")
    assert parity.relative == pytest.approx(5e-5, rel=0.01)


def test_rounding_to_float32_holds_even_where_the_target_hardly_moves() -> None:
    random = np.random.default_rng(0)
    exact = 2013 + 0.01 * random.normal(size=500)
    rounded = exact.astype(np.float32).reshape(-1, 1)
    assert certify(identity_graph(1), rounded, exact, task="regression").holds
    assert not certify(identity_graph(1), rounded, exact + 1e-3, task="regression").holds


def test_a_constant_reference_is_compared_by_its_own_size() -> None:
    rows = np.full((5, 1), 0.1, dtype=np.float32)
    assert certify(identity_graph(1), rows, np.full(5, 0.1), task="regression").holds
    assert not certify(identity_graph(1), rows, np.full(5, 0.1001), task="regression").holds
    assert not certify(identity_graph(1), rows, np.zeros(5), task="regression").holds


def test_probabilities_are_compared_as_they_are() -> None:
    rows = np.array([[0.25, 0.75], [0.5, 0.5]], dtype=np.float32)
    reference = rows.astype(np.float64)
    reference[0] += [2e-5, -2e-5]
    parity = certify(identity_graph(2), rows, reference, task="classification")
    assert parity.max_difference == parity.relative == pytest.approx(2e-5)
    assert (parity.differing_classes, parity.holds) == (0, False)
    assert certify(identity_graph(2), rows, reference, task="classification", tolerance=1e-4).holds


@pytest.mark.parametrize(
    ("gap", "differing", "ties", "holds"),
    [
        (1e-17, 0, 0, True),  # 0.5 itself: the same first of equals
        (1e-9, 0, 1, True),  # another class, but float32 has no two numbers so close
        (1e-6, 1, 0, False),  # within the tolerance, and yet another class
    ],
)
def test_another_class_breaks_it_but_for_a_tie(gap: float, differing: int, ties: int, holds: bool) -> None:
    rows = np.array([[0.5, 0.5], [1.0, 0.0]], dtype=np.float32)
    reference = np.array([[0.5 - gap, 0.5 + gap], [1.0, 0.0]])
    parity = certify(identity_graph(2), rows, reference, task="classification")
    assert parity.relative < parity.tolerance
    assert (parity.differing_classes, parity.ties, parity.holds) == (differing, ties, holds)


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_never_holds(answer: float) -> None:
    rows = np.array([[1.0], [answer]], dtype=np.float32)
    parity = certify(identity_graph(1), rows, np.array([1.0, 2.0]), task="regression")
    assert parity.max_difference == np.inf
    assert not parity.holds


def test_more_rows_than_go_through_at_once() -> None:
    rows = numbers(10_001, centre=0, spread=1)
    reference = rows[:, 0].astype(np.float64)
    reference[-1] += 1
    parity = certify(identity_graph(1), rows, reference, task="regression")
    assert (parity.rows, parity.max_difference) == (10_001, 1)


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ExportError, match="EX005"):
        certify(b"no graph", numbers(2, centre=0, spread=1), np.zeros(2), task="regression")


def test_answers_of_another_shape_are_refused() -> None:
    graph = Graph(shape=[1])
    doubled = Matrix(graph.beside([graph.rows, graph.rows]).name, 2)
    written = graph.finished(doubled, task="classification")
    rows = numbers(4, centre=0, spread=1)
    with pytest.raises(ExportError, match=r"EX006 answers of shape \(4, 2\)"):
        certify(written, rows, np.zeros((4, 3)), task="classification")
    with pytest.raises(ExportError, match="EX006"):
        certify(written, rows[:0], np.zeros((0, 2)), task="classification")
