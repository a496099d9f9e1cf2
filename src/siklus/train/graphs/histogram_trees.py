"""scikit-learn's HistGradientBoosting models as trees: their missing values and categories included.

Inside, a column that was named categorical comes first and holds the rank of its value among those
seen in training. The graph has no such step: places and sets are put back to the decoded rows here.
"""

from collections.abc import Mapping
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
    base = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)  # noqa: SLF001
    sums = add_trees(graph, rows, trees, outputs=len(base))
    return graph.scaled(sums, by=[1.0], plus=base)


def _places(model: Any) -> NDArray[np.int64]:
    """Column inside the model → column of the rows."""
    if model.is_categorical_ is None:
        return np.arange(model.n_features_in_)
    chosen = np.asarray(model.is_categorical_)
    return np.concatenate([np.flatnonzero(chosen), np.flatnonzero(~chosen)])


def _words(model: Any) -> Mapping[int, Floats]:
    """Column inside the model → the values that its ranks stand for, the missing one left out."""
    if model.is_categorical_ is None:
        return {}
    encoder = model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001
    found = {}
    for column, words in enumerate(encoder.categories_):
        if words.dtype.kind not in "iuf":
            what = f"HistGradientBoosting with categories of type {words.dtype}"
            raise ExportError("EX001", what, expected="numbers: indices of a vocabulary")
        found[column] = words[~np.isnan(words)].astype(np.float64)
    return found


def _tree(predictor: Any, places: NDArray[np.int64], words: Mapping[int, Floats], *, output: int) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    missing_left = nodes["missing_go_to_left"].astype(bool)
    members = {}
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf).tolist():
        ranks = _set_bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        seen = words[int(nodes["feature_idx"][node])]
        goes_left = np.isin(np.arange(len(seen)), ranks)
        # A value that was not seen in training follows the missing ones. So the set holds the values that go
        # the other way, and whatever is not in it, NaN included, goes where the missing ones do.
        if missing_left[node]:
            left[node], right[node] = right[node], left[node]
            missing_left[node] = False
            goes_left = ~goes_left
        members[node] = seen[goes_left]
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


def _set_bits(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Which bits are 1, the lowest of the first word being 0."""
    little = np.ascontiguousarray(words).astype("<u4").view(np.uint8)
    return np.flatnonzero(np.unpackbits(little, bitorder="little"))
