"""scikit-learn's HistGradientBoosting models as trees: their missing values and categories included.

Inside, a column that was named categorical comes first and holds the rank of its value among those
seen in training; a value that was not seen follows the missing ones. The graph has no ranks: places
and sets are put back to the decoded rows here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siklus.errors import ExportError
from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.graphs.heads import LINKS, logistic
from siklus.train.graphs.trees import Floats, Tree, add_trees

LINK_OF_LOSS = {
    "squared_error": "identity",
    "absolute_error": "identity",
    "quantile": "identity",
    "gamma": "log",
    "poisson": "log",
}
LARGEST_MEMBER = 2.0**31  # the runtime keeps sets of int32
WIDEST_GAPS = 1024  # from the lowest to the highest category; a column has 255 at most


def histogram_classifier(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    return logistic(graph, _raw_sums(graph, model, rows))


def histogram_regressor(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    if model.loss not in LINK_OF_LOSS:
        what = f"HistGradientBoostingRegressor with loss {model.loss!r}"
        raise ExportError("EX001", what, expected=f"one of {list(LINK_OF_LOSS)}")
    return LINKS[LINK_OF_LOSS[model.loss]](graph, _raw_sums(graph, model, rows))


def _raw_sums(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    places, words = _places(model), _words(model)
    trees = [
        _tree(predictor, places, words, output=output)
        for iteration in model._predictors  # noqa: SLF001 - scikit-learn shows its trees nowhere else
        for output, predictor in enumerate(iteration)
    ]
    base = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)  # noqa: SLF001 - as above
    known = _unknown_as_missing(graph, rows, places, words) if words else rows
    return graph.scaled(add_trees(graph, known, trees, outputs=len(base)), by=[1.0], plus=base)


def _places(model: Any) -> NDArray[np.int64]:
    """Column inside the model → column of the rows."""
    if model.is_categorical_ is None:
        return np.arange(model.n_features_in_)
    chosen = np.asarray(model.is_categorical_)
    return np.concatenate([np.flatnonzero(chosen), np.flatnonzero(~chosen)])


@dataclass(frozen=True)
class _Words:
    """``seen``: the values that a column's ranks stand for. ``low`` and ``high``: beyond them every value
    reads as missing in the graph. ``gaps``: values between them that were not seen; None when they
    are too many to be listed, and then ``low`` and ``high`` are infinite."""

    seen: Floats
    low: float
    high: float
    gaps: Floats | None


def _words(model: Any) -> Mapping[int, _Words]:
    """By the column inside the model."""
    if model.is_categorical_ is None:
        return {}
    encoder = model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001 - as above
    return {column: _words_of(values) for column, values in enumerate(encoder.categories_)}


def _words_of(values: NDArray[Any]) -> _Words:
    if values.dtype.kind not in "iuf":
        what = f"HistGradientBoosting with categories of type {values.dtype}"
        raise ExportError("EX001", what, expected="whole numbers: indices of a vocabulary")
    seen = values[~np.isnan(values)].astype(np.float64)
    odd = seen[(seen != np.floor(seen)) | (np.abs(seen) >= LARGEST_MEMBER)]
    if len(odd):
        what = f"HistGradientBoosting with the category {odd[0]}"
        raise ExportError("EX001", what, expected="whole numbers: indices of a vocabulary")
    if not len(seen):
        return _Words(seen, np.inf, -np.inf, seen)
    if seen[-1] - seen[0] > WIDEST_GAPS:
        return _Words(seen, -np.inf, np.inf, None)
    return _Words(seen, seen[0], seen[-1], np.setdiff1d(np.arange(seen[0], seen[-1]), seen))


def _unknown_as_missing(
    graph: Graph, rows: Matrix, places: NDArray[np.int64], words: Mapping[int, _Words]
) -> Matrix:
    low, high = np.full(rows.width, -np.inf), np.full(rows.width, np.inf)
    for column, found in words.items():
        low[places[column]], high[places[column]] = found.low, found.high
    above = graph.node("GreaterOrEqual", [rows.name, graph.row(low)])
    below = graph.node("LessOrEqual", [rows.name, graph.row(high)])
    inside = graph.node("And", [above, below])
    return Matrix(graph.node("Where", [inside, rows.name, graph.row([np.nan])]), rows.width)


def _tree(predictor: Any, places: NDArray[np.int64], words: Mapping[int, _Words], *, output: int) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    missing_left = nodes["missing_go_to_left"].astype(bool)
    members = {}
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf).tolist():
        ranks = _set_bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        found = words[int(nodes["feature_idx"][node])]
        members[node], sides_change = _shorter_side(found, ranks, missing_left=bool(missing_left[node]))
        if sides_change:
            left[node], right[node] = right[node], left[node]
            missing_left[node] = not missing_left[node]
    return Tree(
        feature=places[np.where(leaf, 0, nodes["feature_idx"])],
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, -1, left),
        right=np.where(leaf, -1, right),
        missing_left=missing_left,
        value=nodes["value"].astype(np.float64),
        members=members,
        output=output,
    )


def _shorter_side(words: _Words, ranks: NDArray[np.int64], *, missing_left: bool) -> tuple[Floats, bool]:
    """The set to test for, and whether its members go right.

    The shorter one, because the runtime looks a large set through value by value.
    What was not seen goes where the missing ones go. So a gap is a member of that side; where gaps
    cannot be listed, the set is the other side's, and whatever is not in it goes the right way.
    """
    goes_left = np.isin(np.arange(len(words.seen)), ranks)
    to_left, to_right = words.seen[goes_left], words.seen[~goes_left]
    if words.gaps is None:
        return (to_right, True) if missing_left else (to_left, False)
    if missing_left:
        to_left = np.concatenate([to_left, words.gaps])
    else:
        to_right = np.concatenate([to_right, words.gaps])
    return (to_left, False) if len(to_left) <= len(to_right) else (to_right, True)


def _set_bits(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Which bits are 1, the lowest of the first word being 0."""
    little = np.ascontiguousarray(words).astype("<u4").view(np.uint8)
    return np.flatnonzero(np.unpackbits(little, bitorder="little"))
