"""scikit-learn's forests and single trees, with the branch that each learned for missing values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from siklus.errors import ExportError
from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.graphs.heads import both_classes
from siklus.train.graphs.trees import Tree, add_trees


def forest(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    """RandomForest and ExtraTrees: the mean over the trees of their values or class shares."""
    return _mean(graph, [tree.tree_ for tree in model.estimators_], rows, model=model)


def single_tree(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    return _mean(graph, [model.tree_], rows, model=model)


def _mean(graph: Graph, found: Sequence[Any], rows: Matrix, *, model: Any) -> Matrix:
    if model.n_outputs_ != 1:
        what = f"{type(model).__name__} with {model.n_outputs_} targets"
        raise ExportError("EX001", what, expected="one target")
    classes = len(getattr(model, "classes_", ()))
    # Of two classes the second says it all; more classes have a weight each in every leaf.
    kept = slice(1, 2) if classes == 2 else slice(None)
    trees = [_tree(tree, tree.value[:, 0, kept]) for tree in found]
    width = trees[0].value.shape[1]
    # scikit-learn's trees cut float32 values, whatever they are given.
    total = add_trees(graph, graph.rounded(rows), trees, outputs=width)
    # Divided after summing, as scikit-learn does: whole votes then add up to ties exactly where its own do.
    mean = Matrix(graph.node("Div", [total.name, graph.row([float(len(trees))])]), width)
    return both_classes(graph, mean) if classes == 2 else mean


def _tree(tree: Any, value: Any) -> Tree:
    leaf = tree.children_left < 0
    return Tree(
        feature=np.where(leaf, 0, tree.feature),
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=tree.missing_go_to_left.astype(bool) & ~leaf,
        value=value,
    )
