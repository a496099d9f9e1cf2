"""The metrics: one name, one meaning, one function each.

A score that the rows do not define (one class only, no variance, a truth near 0 for MAPE, predictions or
squares that are not finite) is None: never NaN, never an exception. Where scikit-learn has the metric, its
value is the same.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np

from siklus.errors import ProjectError
from siklus.stats.calibration import calibration
from siklus.stats.confusion import ClassRate, confusion_matrix
from siklus.stats.losses import LOSSES, Classes, Floats, Truth, absolute_error, relative_error
from siklus.stats.ranking import AreaOf, over_classes, precision_area, roc_area

Task: TypeAlias = Literal["classification", "regression"]
ScoreOf: TypeAlias = Callable[[Truth, Floats], float | None]

# MAPE is defined where the smallest |y| is at least this share of the mean |y|: below it, one row near 0
# would weigh more than a hundred others.
MAPE_NEAREST_TO_ZERO = 0.01


@dataclass(frozen=True, kw_only=True)
class Metric:
    """``of(y, predictions)`` is the score.

    Classification: ``y`` are class indices, int64, shape (rows,); predictions are probabilities, float64,
    shape (rows, classes), of which a metric that needs `labels` reads only the first maximum of each row.
    Regression: both are float64, shape (rows,). At least one row.
    """

    name: str
    task: Task
    needs: Literal["labels", "probabilities", "values"]
    greater_is_better: bool
    of: ScoreOf


# What models are chosen and watched by where nothing else is said.
DEFAULT_METRIC: Mapping[Task, str] = {"classification": "log_loss", "regression": "mae"}

RATES: Mapping[str, ClassRate] = {
    "balanced_accuracy": ClassRate(hits=1, actual=1, predicted=0, over="actual"),
    "f1": ClassRate(hits=2, actual=1, predicted=1, over="positive"),
    "f1_macro": ClassRate(hits=2, actual=1, predicted=1, over="occurring"),
    "precision": ClassRate(hits=1, actual=0, predicted=1, over="positive"),
    "recall": ClassRate(hits=1, actual=1, predicted=0, over="positive"),
}

AREAS: Mapping[str, AreaOf] = {"roc_auc": roc_area, "pr_auc": precision_area}

# Of |error|, by metric: which quantile.
ERROR_QUANTILES: Mapping[str, float] = {"median_absolute_error": 0.5, "p90_absolute_error": 0.9}


def score(name: str, y: Truth, predictions: Floats) -> float | None:
    """The metric ``name`` on these rows (see Metric for the shapes); None where it is undefined."""
    if not len(y) or not np.isfinite(predictions).all():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        value = METRICS[name].of(y, predictions)
    return value if value is not None and np.isfinite(value) else None


def metric_named(name: str, *, task: Task, where: str) -> Metric:
    """The metric, or PJ010 with the nearest right name. ``where`` is what asked: `[train] metric` …"""
    found = METRICS.get(name)
    if found is not None and found.task == task:
        return found
    known = names_of(task)
    near = difflib.get_close_matches(name, known, n=1)
    wanted = f"{near[0]!r}, or another of {', '.join(known)}" if near else f"one of {', '.join(known)}"
    raise ProjectError("PJ010", f"{where}: {name!r} is no metric of a {task}", expected=wanted)


def names_of(task: Task) -> Sequence[str]:
    """The metrics of a task, in the order in which they are shown."""
    return [metric.name for metric in METRICS.values() if metric.task == task]


def _mean_loss(y: Truth, predictions: Floats, *, loss: str) -> float:
    return float(LOSSES[loss](y, predictions).mean())


def _accuracy(y: Classes, probabilities: Floats) -> float:
    return 1.0 - _mean_loss(y, probabilities, loss="accuracy")


def _rate(y: Classes, probabilities: Floats, *, rate: ClassRate) -> float | None:
    return rate.score(confusion_matrix(y, probabilities))


def _area(y: Classes, probabilities: Floats, *, area_of: AreaOf) -> float | None:
    area = over_classes(area_of, y, probabilities)
    return None if area is None else area.value


def _calibration_error(y: Classes, probabilities: Floats) -> float:
    return calibration(y, probabilities).error()


def _rmse(y: Floats, predictions: Floats) -> float:
    return float(np.sqrt(_mean_loss(y, predictions, loss="rmse")))


def _r2(y: Floats, predictions: Floats) -> float | None:
    spread = ((y - y.mean()) ** 2).sum()
    return None if spread == 0 else float(1.0 - ((y - predictions) ** 2).sum() / spread)


def _mape(y: Floats, predictions: Floats) -> float | None:
    sizes = np.abs(y)
    if sizes.min() <= MAPE_NEAREST_TO_ZERO * sizes.mean():
        return None
    return float(relative_error(y, predictions).mean())


def _error_quantile(y: Floats, predictions: Floats, *, share: float) -> float:
    return float(np.quantile(absolute_error(y, predictions), share))


def _classification(
    name: str, needs: Literal["labels", "probabilities"], of: ScoreOf, *, better: str
) -> Metric:
    return Metric(name=name, task="classification", needs=needs, greater_is_better=better == "greater", of=of)


def _regression(name: str, of: ScoreOf, *, better: str = "less") -> Metric:
    return Metric(name=name, task="regression", needs="values", greater_is_better=better == "greater", of=of)


_ALL = (
    _classification("accuracy", "labels", _accuracy, better="greater"),
    *(
        _classification(name, "labels", partial(_rate, rate=rate), better="greater")
        for name, rate in RATES.items()
    ),
    *(
        _classification(name, "probabilities", partial(_area, area_of=area_of), better="greater")
        for name, area_of in AREAS.items()
    ),
    _classification("log_loss", "probabilities", partial(_mean_loss, loss="log_loss"), better="less"),
    _classification("brier", "probabilities", partial(_mean_loss, loss="brier"), better="less"),
    _classification("calibration_error", "probabilities", _calibration_error, better="less"),
    _regression("mae", partial(_mean_loss, loss="mae")),
    _regression("rmse", _rmse),
    _regression("r2", _r2, better="greater"),
    _regression("mape", _mape),
    *(_regression(name, partial(_error_quantile, share=share)) for name, share in ERROR_QUANTILES.items()),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}
