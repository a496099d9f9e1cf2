"""How each library's model is asked for probabilities or values, and what each one predicts."""

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from siklus.contract.columns import Task
from siklus.errors import ExportError
from siklus.extras import need

Floats: TypeAlias = NDArray[np.float64]
# What the model's library takes → probabilities (n, classes) or values (n,).
Ask: TypeAlias = Callable[[Any], Floats]

LIGHTGBM_CLASSIFIES = ("binary", "multiclass")


def task_of(model: Any) -> Task | None:
    """What a fitted estimator does; None when it does not say."""
    if is_classifier(model) or hasattr(model, "predict_proba"):
        return "classification"
    return "regression" if is_regressor(model) else None


def ask_estimator(model: Any, task: Task) -> Ask:
    """ExportError EX012 for a classifier without probabilities, and for several targets."""
    if isinstance(getattr(model, "classes_", None), list):
        raise ExportError("EX012", f"{kind_of_model(model)} with several targets", expected="one target")
    if task == "regression":
        return lambda rows: _values(asked(model, "predict", rows))
    if not hasattr(model, "predict_proba"):
        raise ExportError(
            "EX012",
            f"{kind_of_model(model)} gives no probabilities",
            expected="a classifier with predict_proba; CalibratedClassifierCV gives it to any",
        )
    return lambda rows: np.asarray(asked(model, "predict_proba", rows), dtype=np.float64)


def ask_xgboost(booster: Any, objective: str) -> Ask:
    """``objective``: XGBoost's own name of it, such as `binary:logistic`."""
    matrix = need("xgboost", extra="xgboost").DMatrix

    def ask(rows: Any) -> Floats:
        wrapped = asked(matrix, "__call__", rows, enable_categorical=True)
        raw = objective == "multi:softmax"  # it would answer with classes
        found = np.asarray(asked(booster, "predict", wrapped, output_margin=raw), dtype=np.float64)
        if raw:
            return np.asarray(softmax(found, axis=1))
        return both_of_two(found) if objective == "binary:logistic" else found

    return ask


def ask_lightgbm(booster: Any, task: Task) -> Ask:
    def ask(rows: Any) -> Floats:
        found = np.asarray(asked(booster, "predict", rows), dtype=np.float64)
        return both_of_two(found) if task == "classification" else _values(found)

    return ask


def both_of_two(found: Floats) -> Floats:
    """Probabilities of both classes from those of the second; more classes are there already."""
    second = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
    return np.stack([1 - second, second], axis=1) if second.ndim == 1 else second


def asked(model: Any, verb: str, rows: Any, **options: Any) -> Any:
    """The foreign call, quiet; whatever it raises comes as ExportError EX013."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(model, verb)(rows, **options)
    except Exception as exc:  # the model's own code, and that of every library that it is made of
        why = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ExportError(
            "EX013",
            f"{kind_of_model(model)} cannot answer the rows that were given: {why[0][:300]}",
            expected="a fitted model, and rows as it was fitted on",
        ) from exc


def kind_of_model(model: Any) -> str:
    """What a person calls it: `RandomForestClassifier`, `ColumnTransformer → Ridge`."""
    if isinstance(model, Pipeline):
        return " → ".join(kind_of_model(step) for _, step in model.steps)
    return getattr(model, "__name__", type(model).__name__)


def _values(found: Any) -> Floats:
    values = np.asarray(found, dtype=np.float64)
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim != 1:
        raise ExportError("EX012", f"answers of shape {values.shape}", expected="one number a row")
    return values
