"""scikit-learn's encoders of categories that are numbers, as the places of a vocabulary are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from siklus.errors import ExportError
from siklus.train.graphs.graph import Graph, Matrix

INFREQUENT_IF_EXIST = ("infrequent_if_exist", "warn")


def one_hot(graph: Graph, step: Any, rows: Matrix) -> Matrix | None:
    """None for an encoder that fails on an unknown value: there is no graph of ours that would."""
    codes = _codes(step)
    if step.handle_unknown == "error":
        return None
    found = _matches(graph, rows, codes)
    outputs = sum(len(code.kept) for code in codes)
    spread = np.zeros((found.width, outputs))
    first, output = 0, 0
    for code in codes:
        for rank, group in enumerate(code.kept):
            spread[first + np.flatnonzero(code.groups == group), output + rank] = 1
        first, output = first + len(code.words), output + len(code.kept)
    answer = found if np.array_equal(spread, np.eye(found.width)) else _product(graph, found, spread)
    if step.handle_unknown not in INFREQUENT_IF_EXIST or not any(code.has_infrequent for code in codes):
        return answer
    return _with_unknown_as_infrequent(graph, codes, found, answer)


def ordinal(graph: Graph, step: Any, rows: Matrix) -> Matrix | None:
    """None for an encoder that fails on an unknown value."""
    codes = _codes(step)
    if step.handle_unknown == "error":
        return None
    found = _matches(graph, rows, codes)
    ranks, known = np.zeros((found.width, rows.width)), np.zeros((found.width, rows.width))
    gaps = []
    first = 0
    for column, code in enumerate(codes):
        ranks[first : first + len(code.words), column] = code.groups
        known[first : first + len(code.words), column] = 1
        gaps.append(bool(np.isnan(code.words).any()))
        first += len(code.words)
    seen = graph.node("Cast", [_product(graph, found, known).name], {"to": TensorProto.BOOL})
    unknown = np.full(rows.width, step.unknown_value, dtype=np.float64)
    value = graph.node("Where", [seen, _product(graph, found, ranks).name, graph.row(unknown)])
    if any(gaps):
        missing = graph.node("And", [graph.node("IsNaN", [rows.name]), graph.constant(np.array([gaps]))])
        marks = np.full(rows.width, step.encoded_missing_value, dtype=np.float64)
        value = graph.node("Where", [missing, graph.row(marks), value])
    return Matrix(value, rows.width)


@dataclass(frozen=True)
class _Code:
    """One column's values, the number of the group that each counts to, and the groups that are kept."""

    words: NDArray[np.float64]
    groups: NDArray[np.int64]
    kept: tuple[int, ...]
    has_infrequent: bool


def _codes(step: Any) -> list[_Code]:
    if any(words.dtype.kind not in "biuf" for words in step.categories_):
        what = f"{type(step).__name__} of words"
        raise ExportError("EX001", what, expected="numbers, as in decoded rows")
    rare = getattr(step, "infrequent_categories_", None) or [None] * len(step.categories_)
    dropped = getattr(step, "drop_idx_", None)
    if dropped is None:
        dropped = [None] * len(step.categories_)
    return [_code(*column) for column in zip(step.categories_, rare, dropped, strict=True)]


def _code(categories: NDArray[Any], rare: NDArray[Any] | None, dropped: int | None) -> _Code:
    words = categories.astype(np.float64)
    infrequent = np.zeros(len(words), dtype=bool) if rare is None else _among(words, rare.astype(np.float64))
    # The frequent ones keep their order, and all the others together come last.
    groups = np.where(infrequent, np.sum(~infrequent), np.cumsum(~infrequent) - 1)
    gone = None if dropped is None else int(groups[int(dropped)])
    kept = tuple(group for group in range(int(groups.max(initial=-1)) + 1) if group != gone)
    return _Code(words, groups, kept, bool(infrequent.any()))


def _among(words: NDArray[np.float64], chosen: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isin(words, chosen) | (np.isnan(words) & bool(np.isnan(chosen).any()))


def _matches(graph: Graph, rows: Matrix, codes: list[_Code]) -> Matrix:
    """0 and 1 for each value of each column, side by side: does the row have it there?"""
    words = np.concatenate([code.words for code in codes])
    sizes = [len(code.words) for code in codes]
    spread = graph.columns(rows, np.repeat(np.arange(rows.width), sizes).tolist())
    equal = graph.node("Equal", [spread.name, graph.row(words)])
    missing = np.isnan(words)
    if missing.any():  # NaN equals nothing, not even the category NaN
        wanted = graph.constant(missing.reshape(1, -1))
        gaps = graph.node("And", [graph.node("IsNaN", [spread.name]), wanted])
        equal = graph.node("Or", [equal, gaps])
    return graph.numbers(equal, len(words))


def _with_unknown_as_infrequent(graph: Graph, codes: list[_Code], found: Matrix, answer: Matrix) -> Matrix:
    """A value that no column's list has counts to that column's infrequent ones, where it has some."""
    known = np.zeros((found.width, len(codes)))
    last = np.zeros((len(codes), answer.width))
    first, output = 0, 0
    for column, code in enumerate(codes):
        known[first : first + len(code.words), column] = 1
        if code.has_infrequent and int(code.groups.max()) in code.kept:
            last[column, output + len(code.kept) - 1] = 1
        first, output = first + len(code.words), output + len(code.kept)
    unknown = graph.scaled(_product(graph, found, known), by=[-1.0], plus=[1.0])
    added = _product(graph, unknown, last)
    return Matrix(graph.node("Add", [answer.name, added.name]), answer.width)


def _product(graph: Graph, left: Matrix, right: NDArray[np.float64]) -> Matrix:
    return Matrix(graph.node("MatMul", [left.name, graph.constant(right)]), right.shape[1])
