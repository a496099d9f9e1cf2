"""A fitted model as one ONNX graph: its preparation, its answer, nothing else.

The graph takes the decoded rows, float32 of shape (N, width), as "rows". It gives "probabilities",
float32 of shape (N, classes) in the order of the class indices, or "value", float32 of shape (N, 1).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from siklus.contract.columns import Label, Task
from siklus.errors import ExportError
from siklus.train.graphs.fallback import converted_estimator
from siklus.train.graphs.forests import forest, single_tree
from siklus.train.graphs.graph import Arithmetic, Graph, Matrix
from siklus.train.graphs.heads import exponential
from siklus.train.graphs.histogram_trees import histogram_classifier, histogram_regressor
from siklus.train.graphs.lightgbm_trees import lightgbm_booster, lightgbm_classifier, lightgbm_regressor
from siklus.train.graphs.linear_models import (
    constant_classifier,
    constant_regressor,
    linear_regressor,
    log_linear_regressor,
    logistic_classifier,
)
from siklus.train.graphs.names import library_name
from siklus.train.graphs.networks import own_classifier, own_regressor, sklearn_network
from siklus.train.graphs.preparation import add_transformer
from siklus.train.graphs.xgboost_trees import xgboost_booster, xgboost_classifier, xgboost_regressor

# None: this configuration of the model has no writer of ours, so skl2onnx gets it.
EstimatorWriter = Callable[[Graph, Any, Matrix], Matrix | None]


def to_onnx(
    model: Any,
    *,
    width: int,
    task: Task,
    classes: Sequence[Label] | None = None,
    places: Sequence[int] | None = None,
    arithmetic: Arithmetic = np.float32,
) -> bytes:
    """The graph of a fitted estimator or pipeline that takes the decoded matrix.

    ``classes``: the model's labels in their order; without them 0..k-1. ``places``: which columns of
    the rows the model was fitted on; without them all. ``arithmetic``: what it was fitted in.

    ExportError EX001 names the step that cannot be converted, EX002 says that the model has other
    classes, EX003 that the trees are too large, EX004 that the model was fitted on another width.
    """
    wanted = width if places is None else len(places)
    fitted_width = getattr(model, "n_features_in_", wanted)
    if fitted_width != wanted:
        raise ExportError(
            "EX004", f"fitted on {fitted_width} columns", expected=f"{wanted}, as the rows have"
        )
    if task == "classification":
        _refuse_other_classes(model, classes)
    graph = Graph(shape=[width], arithmetic=arithmetic)
    rows = graph.rows if places is None else graph.columns(graph.rows, places)
    return graph.finished(_add_estimator(graph, model, rows, task=task), task=task)


def _add_estimator(graph: Graph, model: Any, rows: Matrix, *, task: Task) -> Matrix:
    name = library_name(model)
    if name == "sklearn.Pipeline":
        # scikit-learn's preparations keep float32 rows so, and that is what the model learned from.
        prepared = graph.kept(add_transformer(graph, model[:-1], rows)) if len(model.steps) > 1 else rows
        return _add_estimator(graph, model[-1], prepared, task=task)
    if name in SEARCHES:
        return _add_estimator(graph, model.best_estimator_, rows, task=task)
    if name == "sklearn.TransformedTargetRegressor":
        return _on_the_target_scale(graph, model, _add_estimator(graph, model.regressor_, rows, task=task))
    if name == "sklearn.VotingRegressor" or (name == "sklearn.VotingClassifier" and model.voting == "soft"):
        return _voted(graph, model, rows, task=task)
    writer = ESTIMATORS.get(name)
    written = writer(graph, model, rows) if writer else None
    return converted_estimator(graph, model, rows, task=task) if written is None else written


def _voted(graph: Graph, model: Any, rows: Matrix, *, task: Task) -> Matrix:
    """The weighted mean of what several models answer."""
    given = model.weights or [1.0] * len(model.estimators)
    kept = [weight for weight, (_, part) in zip(given, model.estimators, strict=True) if part != "drop"]
    total = None
    for weight, part in zip(kept, model.estimators_, strict=True):
        answer = _add_estimator(graph, part, rows, task=task)
        scaled = graph.scaled(answer, by=[weight / sum(kept)] * answer.width, plus=[0.0])
        total = (
            scaled if total is None else Matrix(graph.node("Add", [total.name, scaled.name]), answer.width)
        )
    if total is None:
        raise ExportError("EX001", f"{type(model).__name__} without a model in it", expected="one at least")
    return total


def _on_the_target_scale(graph: Graph, model: Any, value: Matrix) -> Matrix:
    back = model.transformer_
    if library_name(back) == "sklearn.StandardScaler":
        scale = back.scale_ if back.with_std else [1.0]
        return graph.scaled(value, by=scale, plus=back.mean_ if back.with_mean else [0.0])
    inverse = getattr(back, "inverse_func", None)
    if inverse is np.exp:
        return exponential(graph, value)
    if inverse is np.expm1:
        return graph.scaled(exponential(graph, value), by=[1.0], plus=[-1.0])
    raise ExportError(
        "EX001",
        f"TransformedTargetRegressor with {type(back).__name__} {getattr(inverse, '__name__', '')}".rstrip(),
        expected="inverse_func np.exp or np.expm1, or a StandardScaler",
    )


def _refuse_other_classes(model: Any, wanted: Sequence[Label] | None) -> None:
    found = np.asarray(getattr(model, "classes_", [] if wanted is None else wanted)).tolist()
    if found != (list(range(len(found))) if wanted is None else list(wanted)) or not found:
        expected = "indices 0 to k-1, all seen" if wanted is None else f"{list(wanted)[:10]}"
        raise ExportError("EX002", f"classes {found[:10]}", expected=expected)


SEARCHES = {f"sklearn.{kind}SearchCV" for kind in ("Grid", "Randomized", "HalvingGrid", "HalvingRandom")}

_LINEAR = (
    "ARDRegression BayesianRidge ElasticNet ElasticNetCV HuberRegressor Lars LarsCV Lasso LassoCV LassoLars "
    "LassoLarsCV LassoLarsIC LinearRegression LinearSVR OrthogonalMatchingPursuit QuantileRegressor Ridge "
    "RidgeCV SGDRegressor TheilSenRegressor"
)

ESTIMATORS: Mapping[str, EstimatorWriter] = {
    **{f"sklearn.{kind}": linear_regressor for kind in _LINEAR.split()},
    "sklearn.PoissonRegressor": log_linear_regressor,
    "sklearn.GammaRegressor": log_linear_regressor,
    "sklearn.LogisticRegression": logistic_classifier,
    "sklearn.LogisticRegressionCV": logistic_classifier,
    "sklearn.DummyRegressor": constant_regressor,
    "sklearn.DummyClassifier": constant_classifier,
    "sklearn.DecisionTreeClassifier": single_tree,
    "sklearn.DecisionTreeRegressor": single_tree,
    "sklearn.ExtraTreeClassifier": single_tree,
    "sklearn.ExtraTreeRegressor": single_tree,
    "sklearn.RandomForestClassifier": forest,
    "sklearn.RandomForestRegressor": forest,
    "sklearn.ExtraTreesClassifier": forest,
    "sklearn.ExtraTreesRegressor": forest,
    "sklearn.HistGradientBoostingClassifier": histogram_classifier,
    "sklearn.HistGradientBoostingRegressor": histogram_regressor,
    "sklearn.MLPClassifier": sklearn_network,
    "sklearn.MLPRegressor": sklearn_network,
    "lightgbm.Booster": lightgbm_booster,
    "lightgbm.LGBMClassifier": lightgbm_classifier,
    "lightgbm.LGBMRegressor": lightgbm_regressor,
    "xgboost.Booster": xgboost_booster,
    "xgboost.XGBClassifier": xgboost_classifier,
    "xgboost.XGBRegressor": xgboost_regressor,
    "xgboost.XGBRFClassifier": xgboost_classifier,
    "xgboost.XGBRFRegressor": xgboost_regressor,
    "siklus.TorchClassifier": own_classifier,
    "siklus.TorchRegressor": own_regressor,
}
