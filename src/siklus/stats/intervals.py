"""Every metric with its interval.

| metric | method |
| --- | --- |
| accuracy; precision and recall of two classes | Wilson's score interval |
| balanced accuracy, F1, means over classes | delta method on the logit of the confusion matrix's cells |
| ROC AUC | DeLong's variance on the logit |
| PR AUC | infinitesimal jackknife on the logit (the scale that Boyd et al., ECML 2013, found to cover) |
| log loss, Brier, MAE, MAPE, RMSE (as mean square) | t interval on the log: losses are skewed to the right |
| R² | delta method on the log of 1 − R² |
| quantiles of the error | order statistics, exact for any distribution |
| calibration error | inversion of its sampling law (`siklus.stats.calibration`) |

All but the last are closed forms, so only that one uses the seed. Tests hold them against simulated coverage
and against the bootstrap.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import msgspec
import numpy as np
from scipy.special import bdtrik, expit, logit, ndtri, stdtrit

from siklus.stats.calibration import calibration, calibration_interval
from siklus.stats.confusion import confusion_matrix
from siklus.stats.losses import LOSSES, Classes, Floats, Truth, absolute_error, wrong
from siklus.stats.ranking import AreaOf, over_classes
from siklus.stats.scores import AREAS, ERROR_QUANTILES, RATES, score

LEVEL = 0.95

Bounds: TypeAlias = tuple[float, float]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A score and its interval.

    ``value`` None: undefined on these rows. Bounds None: too few rows for an interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


def estimate(name: str, y: Truth, predictions: Floats, *, seed: int, level: float = LEVEL) -> Estimate:
    """The metric ``name`` with its interval at ``level``; shapes as `siklus.stats.scores.Metric` says."""
    value = score(name, y, predictions)
    if value is None:
        return Estimate(value=None)
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = INTERVALS[name](y, predictions, level, seed)
    if bounds is None or not np.isfinite(bounds).all():
        return Estimate(value=value)
    return Estimate(value=value, low=float(bounds[0]), high=float(bounds[1]))


def wilson(hits: int, rows: int, *, level: float) -> Bounds | None:
    """Wilson's score interval of a proportion; None for no rows."""
    if rows == 0:
        return None
    z2 = float(ndtri((1 + level) / 2)) ** 2
    share = hits / rows
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    reach = np.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2))) / (1 + z2 / rows)
    # At 0 and at all hits a bound is exact, which rounding would miss.
    low = 0.0 if hits == 0 else float(centre - reach)
    high = 1.0 if hits == rows else float(centre + reach)
    return low, high


def mean_interval(losses: Floats, *, level: float) -> Bounds | None:
    """Of the mean of losses ≥ 0, by t on the log scale; None for fewer than two rows."""
    rows = len(losses)
    if rows < 2:
        return None
    mean, error = losses.mean(), losses.std(ddof=1) / np.sqrt(rows)
    if mean == 0:
        return 0.0, 0.0
    reach = np.exp(stdtrit(rows - 1, (1 + level) / 2) * error / mean)
    return float(mean / reach), float(mean * reach)


def quantile_interval(losses: Floats, share: float, *, level: float) -> Bounds | None:
    """Of the ``share`` quantile of losses, by binomial order statistics; None where too few rows bound it."""
    rows, tail = len(losses), (1 - level) / 2
    if share**rows > tail or (1 - share) ** rows > tail:
        return None
    ordered = np.sort(losses)
    below = int(np.ceil(bdtrik(tail, rows, share)))
    above = int(np.ceil(bdtrik(1 - tail, rows, share)))
    return float(ordered[max(below - 1, 0)]), float(ordered[min(above, rows - 1)])


def _accuracy(y: Classes, probabilities: Floats, level: float, seed: int) -> Bounds | None:
    return wilson(int((1 - wrong(y, probabilities)).sum()), len(y), level=level)


def _rate(y: Classes, probabilities: Floats, level: float, seed: int, *, name: str) -> Bounds | None:
    matrix = confusion_matrix(y, probabilities)
    if len(matrix) == 2 and name in ("precision", "recall"):
        rows = matrix[:, 1].sum() if name == "precision" else matrix[1].sum()
        return wilson(int(matrix[1, 1]), int(rows), level=level)
    return RATES[name].interval(matrix, level=level)


def _area(y: Classes, probabilities: Floats, level: float, seed: int, *, area_of: AreaOf) -> Bounds | None:
    area = over_classes(area_of, y, probabilities)
    if area is None or area.fewest < 2:
        return None
    error = float(np.sqrt((area.parts**2).sum()))
    if error == 0 or not 0 < area.value < 1:
        # Perfectly ranked rows show no spread: then each row of the rarest class counts as one clean trial.
        bounds = wilson(round(area.value * area.fewest), area.fewest, level=level)
        return bounds and (min(bounds[0], area.value), max(bounds[1], area.value))
    reach = ndtri((1 + level) / 2) * error / (area.value * (1 - area.value))
    return float(expit(logit(area.value) - reach)), float(expit(logit(area.value) + reach))


def _calibration_error(y: Classes, probabilities: Floats, level: float, seed: int) -> Bounds | None:
    return calibration_interval(calibration(y, probabilities), level=level, seed=seed)


def _mean(y: Truth, predictions: Floats, level: float, seed: int, *, loss: str) -> Bounds | None:
    return mean_interval(LOSSES[loss](y, predictions), level=level)


def _rmse(y: Floats, predictions: Floats, level: float, seed: int) -> Bounds | None:
    bounds = mean_interval(LOSSES["rmse"](y, predictions), level=level)
    return bounds and (float(np.sqrt(bounds[0])), float(np.sqrt(bounds[1])))


def _r2(y: Floats, predictions: Floats, level: float, seed: int) -> Bounds | None:
    if len(y) < 3:
        return None
    errors, spread = (y - predictions) ** 2, (y - y.mean()) ** 2
    left = errors.mean() / spread.mean()  # 1 − R²
    if left == 0:
        return 1.0, 1.0
    parts = errors / errors.mean() - spread / spread.mean()
    reach = np.exp(stdtrit(len(y) - 1, (1 + level) / 2) * parts.std(ddof=1) / np.sqrt(len(y)))
    return float(1 - left * reach), float(1 - left / reach)


def _error_quantile(
    y: Floats, predictions: Floats, level: float, seed: int, *, share: float
) -> Bounds | None:
    return quantile_interval(absolute_error(y, predictions), share, level=level)


INTERVALS: Mapping[str, Callable[[Truth, Floats, float, int], Bounds | None]] = {
    "accuracy": _accuracy,
    **{name: partial(_rate, name=name) for name in RATES},
    **{name: partial(_area, area_of=area_of) for name, area_of in AREAS.items()},
    "log_loss": partial(_mean, loss="log_loss"),
    "brier": partial(_mean, loss="brier"),
    "calibration_error": _calibration_error,
    "mae": partial(_mean, loss="mae"),
    "rmse": _rmse,
    "r2": _r2,
    "mape": partial(_mean, loss="mape"),
    **{name: partial(_error_quantile, share=share) for name, share in ERROR_QUANTILES.items()},
}
