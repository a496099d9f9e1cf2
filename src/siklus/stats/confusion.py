"""The confusion matrix, and what is read from it: recall, precision, F1, and their means over classes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from siklus.stats.losses import Classes, Floats, predicted_classes

Counts = NDArray[np.int64]

# Rows added over all cells together when an error is stated, so that a matrix without a mistake is not
# taken for a model without one (an overall prior of mass 1: Berger, Bernardo & Sun, Bayesian Analysis 2015).
PRIOR_ROWS = 1.0


def confusion_matrix(y: Classes, probabilities: Floats) -> Counts:
    """Rows counted by true class (down) and predicted class (across), shape (classes, classes)."""
    size = probabilities.shape[1]
    cells = y * size + predicted_classes(probabilities)
    return np.bincount(cells, minlength=size * size).reshape(size, size).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class ClassRate:
    """One rate a class, hits·TP / (actual·(TP + FN) + predicted·(TP + FP)), and how it becomes one number.

    ``over``: `positive` is class 1 when there are two classes and `occurring` otherwise; `occurring` is the
    plain mean over classes that occur in the truth or the predictions; `actual` over those in the truth.
    A class that is never predicted has precision 0 in a mean, as in scikit-learn.
    """

    hits: int
    actual: int
    predicted: int
    over: Literal["positive", "occurring", "actual"]

    def score(self, matrix: Counts) -> float | None:
        """Between 0 and 1. None when the rows hold one class only, or class 1 (of two) does not occur."""
        weights = self._weights(matrix)
        if weights is None:
            return None
        below = self._below(matrix)
        if weights[below == 0].any() and len(matrix) == 2 and self.over == "positive":
            return None
        return float((weights * self._rates(matrix)).sum())

    def interval(self, matrix: Counts, *, level: float) -> tuple[float, float] | None:
        """The delta method on the logit, of multinomial cells; below 5 rows a class it covers too little."""
        value, weights = self.score(matrix), self._weights(matrix)
        if value is None or weights is None:
            return None
        prior = np.where(matrix.sum(axis=1, keepdims=True) > 0, PRIOR_ROWS / matrix.size, 0.0)
        cells = matrix + prior
        centre = float((weights * self._rates(cells)).sum())
        slope = self._slope(np.asarray(cells, dtype=np.float64), weights)
        variance = (cells * slope**2).sum() - (cells * slope).sum() ** 2 / cells.sum()
        if not 0 < centre < 1 or variance <= 0:
            return None
        reach = ndtri((1 + level) / 2) * np.sqrt(variance) / (centre * (1 - centre))
        low, high = expit(logit(centre) - reach), expit(logit(centre) + reach)
        return min(float(low), value), max(float(high), value)

    def _weights(self, matrix: Counts) -> Floats | None:
        actual = matrix.sum(axis=1)
        if self.over == "positive" and len(matrix) == 2:
            return np.array([0.0, 1.0]) if actual[1] else None
        if np.count_nonzero(actual) < 2:
            return None
        judged = actual > 0 if self.over == "actual" else actual + matrix.sum(axis=0) > 0
        return np.asarray(judged / judged.sum())

    def _below(self, matrix: NDArray[np.number]) -> Floats:
        return np.asarray(
            self.actual * matrix.sum(axis=1) + self.predicted * matrix.sum(axis=0), dtype=np.float64
        )

    def _rates(self, matrix: NDArray[np.number]) -> Floats:
        below = self._below(matrix)
        return self.hits * np.diagonal(matrix) / np.where(below > 0, below, 1.0)

    def _slope(self, cells: Floats, weights: Floats) -> Floats:
        """How the weighted sum of the rates grows with each cell."""
        below = self._below(cells)
        each = weights / np.where(below > 0, below, 1.0)
        pull = each * self._rates(cells)
        slope: Floats = (
            np.diag(self.hits * each) - self.actual * pull[:, None] - self.predicted * pull[None, :]
        )
        return slope
