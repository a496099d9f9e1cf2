"""Ensembles of binary trees as one ONNX operator, from the flat arrays that every library keeps.

`TreeEnsemble` (ai.onnx.ml 5) knows set membership and sends a missing value either way, node by node;
its leaves weigh on one output each. Leaves with a weight for each class (forests of three classes
and more) take its predecessor, `TreeEnsembleRegressor`, which walks a tree once for all classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, numpy_helper

from siklus.errors import ExportError
from siklus.train.graphs.graph import ML, Graph, Matrix

# Of all trees together: about 1 GB of graph. A protobuf message ends at 2 GB, and a server loads it all.
MOST_NODES = 30_000_000

AT_MOST, BELOW, MEMBER = 0, 1, 6  # node modes as the operator numbers them

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One tree, as arrays over its nodes; node 0 is the root.

    ``left`` and ``right``: the child's node, below 0 at a leaf. A row goes left when its ``feature`` is
    at most ``threshold``, or is in the node's ``members``, or is NaN and ``missing_left`` holds.
    ``value``: what a leaf adds, shape (nodes,), or (nodes, outputs) for all outputs at once.
    ``output``: which column of the answer the tree adds to (with one value a leaf).
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Bools
    value: Floats
    members: Mapping[int, Floats] = field(default_factory=dict)
    output: int = 0


def one_leaf(value: float, *, output: int) -> Tree:
    """A tree without a split: the same for every row."""
    return Tree(
        feature=np.zeros(1, dtype=np.int64),
        threshold=np.zeros(1),
        left=np.array([-1]),
        right=np.array([-1]),
        missing_left=np.zeros(1, dtype=bool),
        value=np.array([value]),
        output=output,
    )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a library walks its trees and adds their leaves.

    ``below``: a row goes left when it is below the threshold, not at most it. ``sums``: the precision in
    which rows are compared and leaves are added, one tree after the other.
    """

    below: bool = False
    sums: type[np.float32] | type[np.float64] = np.float64


def add_trees(
    graph: Graph, rows: Matrix, trees: Sequence[Tree], *, outputs: int, rule: Rule = Rule()
) -> Matrix:
    """The sum over all trees, shape (rows, outputs). ExportError EX003 when they are too large together."""
    count = sum(len(tree.feature) for tree in trees)
    if count > MOST_NODES:
        raise ExportError(
            "EX003", f"{count} tree nodes", expected=f"at most {MOST_NODES}: fewer or smaller trees"
        )
    forest = _planted([_with_a_split(tree) for tree in trees])
    if forest.value.shape[1] > 1:
        return graph.widened(_by_leaf_vectors(graph, rows, forest, rule), outputs)
    sums = _by_single_leaves(graph, rows, forest, rule, outputs=outputs)
    return Matrix(sums, outputs) if rule.sums is np.float64 else graph.widened(sums, outputs)


@dataclass(frozen=True, kw_only=True)
class _Forest:
    """All trees one after the other: children and members are numbered through."""

    roots: Ints
    sizes: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Bools
    value: Floats  # (nodes, values a leaf)
    members: Mapping[int, Floats]
    output: Ints  # (trees,)

    @property
    def leaf(self) -> Bools:
        return self.left < 0


def _planted(trees: Sequence[Tree]) -> _Forest:
    sizes = np.array([len(tree.feature) for tree in trees], dtype=np.int64)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shift = np.repeat(roots, sizes)
    left = np.concatenate([tree.left for tree in trees]).astype(np.int64)
    right = np.concatenate([tree.right for tree in trees]).astype(np.int64)
    threshold = np.concatenate([tree.threshold for tree in trees]).astype(np.float64)
    members = {
        int(root) + node: words
        for root, tree in zip(roots, trees, strict=True)
        for node, words in tree.members.items()
    }
    # A set without members has no form in the operator; nothing is at most minus infinity either.
    threshold[[node for node, words in members.items() if not len(words)]] = -np.inf
    return _Forest(
        roots=roots,
        sizes=sizes,
        feature=np.concatenate([tree.feature for tree in trees]),
        threshold=threshold,
        left=np.where(left < 0, -1, left + shift),
        right=np.where(left < 0, -1, right + shift),
        missing_left=np.concatenate([tree.missing_left for tree in trees]).astype(bool),
        value=np.concatenate([tree.value.reshape(len(tree.feature), -1) for tree in trees]),
        members={node: words for node, words in members.items() if len(words)},
        output=np.array([tree.output for tree in trees], dtype=np.int64),
    )


def _with_a_split(tree: Tree) -> Tree:
    """A tree that is one leaf gets a split that decides nothing: the operator's roots are splits."""
    if len(tree.feature) > 1:
        return tree
    return Tree(
        feature=np.zeros(3, dtype=np.int64),
        threshold=np.zeros(3),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        missing_left=np.zeros(3, dtype=bool),
        value=np.repeat(tree.value, 3, axis=0),
        output=tree.output,
    )


def _by_single_leaves(graph: Graph, rows: Matrix, forest: _Forest, rule: Rule, *, outputs: int) -> str:
    leaf = forest.leaf
    split = np.flatnonzero(~leaf)
    # Splits and leaves are numbered apart; a child's number means the one or the other by its flag.
    number = np.where(leaf, np.cumsum(leaf), np.cumsum(~leaf)) - 1
    left, right = forest.left[split], forest.right[split]
    modes = np.full(len(leaf), BELOW if rule.below else AT_MOST, dtype=np.uint8)
    modes[list(forest.members)] = MEMBER
    output = np.repeat(forest.output, forest.sizes)
    attributes = [
        _integers("tree_roots", number[forest.roots]),
        _integers("nodes_featureids", forest.feature[split]),
        _tensor("nodes_modes", modes[split]),
        _tensor("nodes_splits", forest.threshold[split].astype(rule.sums)),
        _integers("nodes_truenodeids", number[left]),
        _integers("nodes_falsenodeids", number[right]),
        _integers("nodes_trueleafs", leaf[left]),
        _integers("nodes_falseleafs", leaf[right]),
        _integers("leaf_targetids", output[leaf]),
        _tensor("leaf_weights", forest.value[leaf, 0].astype(rule.sums)),
        AttributeProto(name="n_targets", type=AttributeProto.INT, i=outputs),
    ]
    if forest.missing_left[split].any():  # the runtime walks faster where it need not ask
        attributes.append(_integers("nodes_missing_value_tracks_true", forest.missing_left[split]))
    if forest.members:
        sets = [np.append(forest.members[node], np.nan) for node in sorted(forest.members)]
        attributes.append(_tensor("membership_values", np.concatenate(sets).astype(rule.sums)))
    given = rows.name if rule.sums is np.float64 else graph.narrowed(rows)
    return graph.node("TreeEnsemble", [given], {a.name: a for a in attributes}, domain=ML)


def _by_leaf_vectors(graph: Graph, rows: Matrix, forest: _Forest, rule: Rule) -> str:
    if forest.members or rule.sums is not np.float64:
        raise ExportError("EX001", "sets or float32 with a weight a class", expected="one weight a leaf")
    leaf = forest.leaf
    tree = np.repeat(np.arange(len(forest.roots)), forest.sizes)
    shift = forest.roots[tree]
    weights = forest.value * leaf[:, None]
    node, output = np.nonzero(weights)
    split_mode = b"BRANCH_LT" if rule.below else b"BRANCH_LEQ"
    modes = np.where(leaf, b"LEAF", split_mode).tolist()
    attributes = [
        _integers("nodes_treeids", tree),
        _integers("nodes_nodeids", np.arange(len(leaf)) - shift),
        AttributeProto(name="nodes_modes", type=AttributeProto.STRINGS, strings=modes),
        _integers("nodes_featureids", np.where(leaf, 0, forest.feature)),
        _tensor("nodes_values_as_tensor", np.where(leaf, 0.0, forest.threshold)),
        _integers("nodes_truenodeids", np.where(leaf, 0, forest.left - shift)),
        _integers("nodes_falsenodeids", np.where(leaf, 0, forest.right - shift)),
        _integers("target_ids", output),
        _integers("target_nodeids", node - shift[node]),
        _integers("target_treeids", tree[node]),
        _tensor("target_weights_as_tensor", weights[node, output].astype(np.float64)),
        AttributeProto(name="n_targets", type=AttributeProto.INT, i=forest.value.shape[1]),
    ]
    if forest.missing_left[~leaf].any():
        attributes.append(_integers("nodes_missing_value_tracks_true", forest.missing_left & ~leaf))
    return graph.node("TreeEnsembleRegressor", [rows.name], {a.name: a for a in attributes}, domain=ML)


def _integers(name: str, values: Ints | Bools) -> AttributeProto:
    # onnx.helper looks at each element on its own: a second for what takes a hundredth here.
    return AttributeProto(name=name, type=AttributeProto.INTS, ints=values.astype(np.int64).tolist())


def _tensor(name: str, values: NDArray[Any]) -> AttributeProto:
    return AttributeProto(name=name, type=AttributeProto.TENSOR, t=numpy_helper.from_array(values, name))
