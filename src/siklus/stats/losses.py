"""What one row costs: the losses whose means are metrics, and on which two models are compared row by row."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Classes: TypeAlias = NDArray[np.int64]
Truth: TypeAlias = NDArray[Any]  # class indices (int64) or numbers (float64), shape (rows,)

# A probability of exactly 0 for what then happens costs 36 instead of infinity (scikit-learn's choice too).
PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)


def predicted_classes(probabilities: Floats) -> Classes:
    """The index of the first maximum of each row of probabilities, shape (rows, classes)."""
    return np.asarray(np.argmax(probabilities, axis=1), dtype=np.int64)


def wrong(y: Classes, probabilities: Floats) -> Floats:
    """1 where the predicted class is not the true one, else 0."""
    return np.asarray(predicted_classes(probabilities) != y, dtype=np.float64)


def surprise(y: Classes, probabilities: Floats) -> Floats:
    """−ln of the probability given to the true class, between 0 and 36."""
    given = probabilities[np.arange(len(y)), y]
    return np.abs(np.log(np.clip(given, PROBABILITY_FLOOR, 1.0)))  # abs: −0.0 would read as a sign


def squared_probability_error(y: Classes, probabilities: Floats) -> Floats:
    """The Brier score of each row: over two classes (p₁ − y)², over more Σ (p_c − [y = c])², up to 2."""
    off = probabilities.copy()
    off[np.arange(len(y)), y] -= 1.0
    if probabilities.shape[1] == 2:
        return off[:, 1] ** 2
    return np.asarray((off**2).sum(axis=1))


def absolute_error(y: Floats, predictions: Floats) -> Floats:
    return np.abs(y - predictions)


def squared_error(y: Floats, predictions: Floats) -> Floats:
    return (y - predictions) ** 2


def relative_error(y: Floats, predictions: Floats) -> Floats:
    """|error| as a share of |y|; infinite or NaN where y is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(y - predictions) / np.abs(y))


# By the metric that is the loss's mean (for rmse: the root of the mean).
LOSSES: Mapping[str, Callable[[Truth, Floats], Floats]] = {
    "accuracy": wrong,
    "log_loss": surprise,
    "brier": squared_probability_error,
    "mae": absolute_error,
    "rmse": squared_error,
    "mape": relative_error,
}
