"""LightGBM models as trees, read from the text that LightGBM itself saves and loads.

How it decides (its `tree.h`): a missing value reads as 0 unless the column had missing values in
training; a category goes left when its bit is set, and right when it is missing, negative or unknown.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from siklus.errors import ExportError
from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.graphs.heads import LINKS, both_classes, sigmoid, softmax
from siklus.train.graphs.trees import Floats, Ints, Tree, add_trees, one_leaf

LINK_OF_OBJECTIVE = {
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "log",
    "gamma": "log",
    "tweedie": "log",
}
CLASSIFIES = {"binary", "multiclass"}
# Bits of a node's decision_type.
CATEGORICAL, DEFAULT_LEFT, MISSING_IS_ZERO, MISSING_IS_NAN = 1, 2, 4, 8

Section = Mapping[str, str]


def lightgbm_classifier(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    head, trees = _sections(model)
    objective, settings = _objective(head)
    sums = _raw_sums(graph, rows, head, trees)
    if objective == "binary":
        steepness = float(settings.get("sigmoid", "1"))
        return both_classes(graph, sigmoid(graph, graph.scaled(sums, by=[steepness], plus=[0.0])))
    if objective == "multiclass":
        return softmax(graph, sums)
    raise _refused(f"the objective {objective!r}", "binary or multiclass")


def lightgbm_regressor(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    head, trees = _sections(model)
    objective, settings = _objective(head)
    if objective not in LINK_OF_OBJECTIVE or "sqrt" in settings:
        raise _refused(f"the objective {head.get('objective')!r}", f"one of {list(LINK_OF_OBJECTIVE)}")
    return LINKS[LINK_OF_OBJECTIVE[objective]](graph, _raw_sums(graph, rows, head, trees))


def lightgbm_booster(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    """A model without scikit-learn's clothes: its objective says what it answers."""
    objective, _ = _objective(_sections(model)[0])
    return (lightgbm_classifier if objective in CLASSIFIES else lightgbm_regressor)(graph, model, rows)


def _raw_sums(graph: Graph, rows: Matrix, head: Section, sections: list[Section]) -> Matrix:
    outputs = int(head["num_tree_per_iteration"])
    trees = [_tree(section, output=i % outputs) for i, section in enumerate(sections)]
    total = add_trees(graph, rows, trees, outputs=outputs)
    if "average_output" in head:  # a random forest grown by LightGBM
        return graph.scaled(total, by=[outputs / len(trees)], plus=[0.0])
    return total


def _sections(model: Any) -> tuple[Section, list[Section]]:
    """What stands before the trees, and each tree: key → text. The best iteration is the last one given."""
    text: str = getattr(model, "booster_", model).model_to_string()
    head, *trees = text.partition("\nend of trees")[0].split("\nTree=")
    return _keys(head), [_keys(tree) for tree in trees]


def _keys(text: str) -> Section:
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        found[key] = value
    return found


def _objective(head: Section) -> tuple[str, Mapping[str, str]]:
    """`binary sigmoid:1` as its name and its settings; a function of the user's own has none."""
    name, *rest = head.get("objective", "").split() or [""]
    return name, {word.partition(":")[0]: word.partition(":")[2] for word in rest}


def _tree(section: Section, *, output: int) -> Tree:
    if section.get("is_linear", "0") != "0":
        raise _refused("linear trees", "constant leaves")
    leaf_value = np.array(section["leaf_value"].split(), dtype=np.float64)
    if len(leaf_value) == 1:
        return one_leaf(float(leaf_value[0]), output=output)
    decision = np.array(section["decision_type"].split(), dtype=np.int64)
    threshold = np.array(section["threshold"].split(), dtype=np.float64)
    splits = len(decision)
    return Tree(
        feature=_with_leaves(np.array(section["split_feature"].split(), dtype=np.int64), splits + 1),
        threshold=_with_leaves(threshold, splits + 1),
        left=_children(section["left_child"], splits),
        right=_children(section["right_child"], splits),
        missing_left=_with_leaves(_missing_left(decision, threshold), splits + 1),
        value=np.concatenate([np.zeros(splits), leaf_value]),
        members=_members(section, decision, threshold),
        output=output,
    )


def _missing_left(decision: Ints, threshold: Floats) -> Any:
    if (decision & MISSING_IS_ZERO).any():
        raise _refused("zero_as_missing", "zero_as_missing=False")
    learned = (decision & DEFAULT_LEFT) != 0
    as_zero = threshold >= 0
    numeric = np.where((decision & MISSING_IS_NAN) != 0, learned, as_zero)
    return numeric & ((decision & CATEGORICAL) == 0)


def _members(section: Section, decision: Ints, threshold: Floats) -> Mapping[int, Floats]:
    nodes = np.flatnonzero(decision & CATEGORICAL)
    if not len(nodes):
        return {}
    ends = np.array(section["cat_boundaries"].split(), dtype=np.int64)
    words = np.array(section["cat_threshold"].split(), dtype="<u4")
    found = {}
    for node in nodes.tolist():
        number = int(threshold[node])  # of a categorical split: which set
        part = words[ends[number] : ends[number + 1]]
        found[node] = np.flatnonzero(np.unpackbits(part.view(np.uint8), bitorder="little")).astype(np.float64)
    return found


def _children(text: str, splits: int) -> Ints:
    """Splits keep their numbers and leaves follow them; LightGBM writes leaf k as -1 - k."""
    child = np.array(text.split(), dtype=np.int64)
    none = np.full(splits + 1, -1)
    return np.concatenate([np.where(child < 0, splits - 1 - child, child), none])


def _with_leaves(values: Any, leaves: int) -> Any:
    return np.concatenate([values, np.zeros(leaves, dtype=values.dtype)])


def _refused(what: str, expected: str) -> ExportError:
    return ExportError("EX001", f"LightGBM with {what}", expected=expected)
