"""XGBoost models as trees, read from the JSON that XGBoost itself saves and loads.

How it decides: a number goes left when it is *below* the threshold; a category goes right when it is
in the node's set; a missing value goes the way that the node learned. It adds the leaves to the start
in float32, tree by tree, and so does the graph: another order or precision would differ in the sixth digit.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from siklus.errors import ExportError
from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.graphs.heads import LINKS, both_classes, softmax
from siklus.train.graphs.trees import Floats, Rule, Tree, add_trees, one_leaf

LINK_OF_OBJECTIVE = {
    "reg:squarederror": "identity",
    "reg:squaredlogerror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "count:poisson": "log",
    "reg:gamma": "log",
    "reg:tweedie": "log",
    "binary:logistic": "logit",
}
RULE = Rule(below=True, sums=np.float32)
SOFTMAX = {"multi:softprob", "multi:softmax"}


def xgboost_classifier(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    learner = _learner(model)
    objective = learner["objective"]["name"]
    if objective == "binary:logistic":
        return both_classes(graph, LINKS["logit"](graph, _raw_sums(graph, learner, rows)))
    if objective in SOFTMAX:
        return softmax(graph, _raw_sums(graph, learner, rows))
    raise _refused(f"the objective {objective!r}", "binary:logistic or multi:softprob")


def xgboost_regressor(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    learner = _learner(model)
    objective = learner["objective"]["name"]
    if objective not in LINK_OF_OBJECTIVE or objective == "binary:logistic":
        raise _refused(f"the objective {objective!r}", f"one of {list(LINK_OF_OBJECTIVE)}")
    sums = _raw_sums(graph, learner, rows)
    if sums.width != 1:
        raise _refused(f"{sums.width} targets", "one target")
    return LINKS[LINK_OF_OBJECTIVE[objective]](graph, sums)


def xgboost_booster(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    """A model without scikit-learn's clothes: its objective says what it answers."""
    objective = _learner(model)["objective"]["name"]
    classifies = objective == "binary:logistic" or objective in SOFTMAX
    return (xgboost_classifier if classifies else xgboost_regressor)(graph, model, rows)


def _learner(model: Any) -> Mapping[str, Any]:
    """The trees up to the best iteration, which is what the model's own predict uses."""
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    best = booster.attr("best_iteration")
    if best is not None:
        booster = booster[: int(best) + 1]
    learner: Mapping[str, Any] = json.loads(bytes(booster.save_raw("json")))["learner"]
    return learner


def _raw_sums(graph: Graph, learner: Mapping[str, Any], rows: Matrix) -> Matrix:
    booster = learner["gradient_booster"]
    if booster["name"] != "gbtree":
        raise _refused(f"the booster {booster['name']!r}", "gbtree")
    if "weight_drop" in booster["model"]:  # since 3.4 a dart is a gbtree whose trees have weights beside them
        raise _refused("dropout", "gbtree without rate_drop")
    model = booster["model"]
    trees = [_tree(tree, output=of) for tree, of in zip(model["trees"], model["tree_info"], strict=True)]
    start = _start(learner)
    first = [one_leaf(value, output=output) for output, value in enumerate(start.tolist())]
    return add_trees(graph, rows, [*first, *trees], outputs=len(start), rule=RULE)


def _start(learner: Mapping[str, Any]) -> Floats:
    """What the sums start from, on their own scale; the file has it on the target's. One an output."""
    settings = learner["learner_model_param"]
    outputs = max(int(settings["num_class"]), int(settings.get("num_target", "1")), 1)
    given = json.loads(settings["base_score"])  # a number before XGBoost 3.1, since then a list
    start = np.broadcast_to(np.asarray(given, dtype=np.float64).reshape(-1), outputs)
    match LINK_OF_OBJECTIVE.get(learner["objective"]["name"]):
        case "logit":
            return np.asarray(np.log(start) - np.log1p(-start))
        case "log":
            return np.log(start)
        case _:
            return start


def _tree(tree: Mapping[str, Any], *, output: int) -> Tree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise _refused("a vector in each leaf", "multi_strategy='one_output_per_tree'")
    left = np.array(tree["left_children"], dtype=np.int64)
    right = np.array(tree["right_children"], dtype=np.int64)
    missing_left = np.array(tree["default_left"], dtype=bool)
    conditions = np.array(tree["split_conditions"], dtype=np.float32).astype(np.float64)
    leaf = left < 0
    members = _members(tree)
    chosen = list(members)
    # The set's members go right, so the sides change places.
    left[chosen], right[chosen] = right[chosen], left[chosen]
    missing_left[chosen] = ~missing_left[chosen]
    return Tree(
        feature=np.where(leaf, 0, np.array(tree["split_indices"], dtype=np.int64)),
        threshold=np.where(leaf, 0.0, conditions),
        left=left,
        right=right,
        missing_left=missing_left & ~leaf,
        value=np.where(leaf, conditions, 0.0),
        members=members,
        output=output,
    )


def _members(tree: Mapping[str, Any]) -> Mapping[int, Floats]:
    words = np.array(tree["categories"], dtype=np.float64)
    places = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    return {int(node): words[start : start + size] for node, start, size in places}


def _refused(what: str, expected: str) -> ExportError:
    return ExportError("EX001", f"XGBoost with {what}", expected=expected)
