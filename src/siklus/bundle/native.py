"""Native models: only formats that rebuild a model from data and an allow-list, never from code."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siklus.contract.columns import Task
from siklus.errors import BundleError
from siklus.extras import need

# What a sealed skops file may name beyond the list that skops itself trusts (scikit-learn's estimators,
# numpy's and scipy's ufuncs, dtypes and containers): exact names, each met in a fitted model, and each a
# plain class or a function that only computes. Anything else, whatever its package, is refused.
TRUSTED_TYPES = (
    "functools.partial",  # histogram gradient boosting with categories; what it wraps is judged by itself
    "numpy.dtype",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",  # nearest neighbours
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.metrics._scorer._PassthroughScorer",  # a search around an estimator
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",  # voting and stacking
    "sklearn.utils.validation.check_array",  # histogram gradient boosting with categories
)


# What skops runs into when a file is none of its own, or names what this installation does not have.
UNREADABLE = (zipfile.BadZipFile, AttributeError, ImportError, LookupError, TypeError, ValueError)


def read_skops(path: Path, _task: Task) -> Any:
    """The estimator; BN010 when it names a type that is not allowed, before anything of it is built."""
    io = need("skops.io")
    refusals = need("skops.io.exceptions")
    try:
        return io.load(path, trusted=list(TRUSTED_TYPES))
    except refusals.UntrustedTypesFoundException as exc:
        raise BundleError("BN010", f"{path}: {exc}", expected="scikit-learn's own estimators only") from exc
    except UNREADABLE as exc:
        raise _unreadable(path, exc, "skops") from exc


def read_xgboost(path: Path, task: Task) -> Any:
    xgboost = need("xgboost", extra="xgboost")
    model = xgboost.XGBRegressor() if task == "regression" else xgboost.XGBClassifier()
    try:
        model.load_model(path)
    except (xgboost.core.XGBoostError, TypeError, ValueError) as exc:
        raise _unreadable(path, exc, "XGBoost") from exc
    return model


def read_lightgbm(path: Path, task: Task) -> Any:
    lightgbm = need("lightgbm", extra="lightgbm")
    try:
        booster = lightgbm.Booster(model_file=path)
    except lightgbm.basic.LightGBMError as exc:
        raise _unreadable(path, exc, "LightGBM") from exc
    return LightgbmModel(booster, task)


class LightgbmModel:
    """scikit-learn's two verbs over a LightGBM booster, whose text file keeps no wrapper."""

    def __init__(self, booster: Any, task: Task) -> None:
        self._booster = booster
        self._task = task

    def predict(self, rows: Any) -> Any:
        return self._booster.predict(rows)

    def predict_proba(self, rows: Any) -> Any:
        answers = self._booster.predict(rows)
        if answers.ndim == 2:
            return answers
        return np.stack([1 - answers, answers], axis=1)


NATIVE_READERS: Mapping[str, Callable[[Path, Task], Any]] = {
    "skops": read_skops,
    "xgboost": read_xgboost,
    "lightgbm": read_lightgbm,
}


def _unreadable(path: Path, exc: Exception, library: str) -> BundleError:
    said = " ".join(str(exc).split())[:300] or type(exc).__name__
    return BundleError("BN007", f"{path}: {said}", expected=f"a model that {library} has written")
