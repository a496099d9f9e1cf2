"""Two models on the same rows: is one really better?

Used to say that a simpler model is not significantly worse, and that a challenger is no worse than the
champion. Rows are paired: what is hard for both models cancels out, and far fewer rows decide.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from scipy.special import bdtr, ndtri, stdtr, stdtrit

from siklus.stats.losses import LOSSES, Floats, Truth

# A metric that is no mean over rows is compared on the loss that comes nearest to what it rewards.
STAND_INS: Mapping[str, str] = {
    "balanced_accuracy": "accuracy",
    "f1": "accuracy",
    "f1_macro": "accuracy",
    "precision": "accuracy",
    "recall": "accuracy",
    "roc_auc": "log_loss",
    "pr_auc": "log_loss",
    "calibration_error": "brier",
    "r2": "rmse",  # the same order exactly: both models have the same rows
    "median_absolute_error": "mae",
    "p90_absolute_error": "mae",
}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Mean loss of a minus mean loss of b over ``rows`` rows: above 0, a is worse.

    ``low`` and ``high`` bound it at ``level`` (None below two rows); ``p`` is two-sided, for no difference.
    ``loss`` names the metric whose per-row loss was compared, "" where the caller gave the losses.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    rows: int
    level: float
    loss: str = ""

    @property
    def worse(self) -> bool:
        """a is significantly worse than b, at 1 − ``level``, two-sided."""
        return self.mean > 0 and self.p < 1 - self.level


def compare(metric: str, y: Truth, a: Floats, b: Floats, *, level: float) -> Difference:
    """Predictions ``a`` against predictions ``b`` on ``metric``, or on the loss that stands in for it."""
    found = paired_difference(row_losses(metric, y, a), row_losses(metric, y, b), level=level)
    return msgspec.structs.replace(found, loss=loss_of(metric))


def loss_of(metric: str) -> str:
    """The metric whose per-row loss stands for ``metric``: itself when it is a mean over rows."""
    return STAND_INS.get(metric, metric)


def row_losses(metric: str, y: Truth, predictions: Floats) -> Floats:
    """What each row costs, shape (rows,), less being better. An area or a rate has a stand-in (`loss_of`).

    accuracy: 1 where wrong; log_loss: −ln p; brier; mae: |error|; rmse: error²; mape: |error| ÷ |y|.
    Shapes of ``y`` and ``predictions`` as `siklus.stats.scores.Metric` says.
    """
    return LOSSES[loss_of(metric)](y, predictions)


def paired_difference(loss_a: Floats, loss_b: Floats, *, level: float) -> Difference:
    """Per-row losses of two models on the same rows, both of shape (rows,) with at least one row.

    Losses that are all 0 or 1 are compared by McNemar's exact test with Agresti & Min's interval (Statistics
    in Medicine 24, 2005); all others by the paired t test: its question is the mean itself, a rank test's is
    not.
    """
    difference = loss_a - loss_b
    if _is_count(loss_a) and _is_count(loss_b):
        return _of_counts(
            int((difference > 0).sum()), int((difference < 0).sum()), len(difference), level=level
        )
    rows, mean = len(difference), float(difference.mean())
    if rows < 2:
        return Difference(mean=mean, low=None, high=None, p=1.0, rows=rows, level=level)
    error = float(difference.std(ddof=1) / np.sqrt(rows))
    if error == 0:
        return Difference(mean=mean, low=mean, high=mean, p=float(mean == 0), rows=rows, level=level)
    reach = float(stdtrit(rows - 1, (1 + level) / 2)) * error
    p = 2 * float(stdtr(rows - 1, -abs(mean) / error))
    return Difference(mean=mean, low=mean - reach, high=mean + reach, p=p, rows=rows, level=level)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p that rows which one model alone gets wrong fall on either model alike.

    >>> mcnemar(5, 0)
    0.0625
    """
    together = only_a + only_b
    return 1.0 if together == 0 else min(1.0, 2 * float(bdtr(min(only_a, only_b), together, 0.5)))


def _of_counts(only_a: int, only_b: int, rows: int, *, level: float) -> Difference:
    mean = (only_a - only_b) / rows
    p = mcnemar(only_a, only_b)
    # Half a row is added to each of the four cells, so that few discordant rows give no interval of width 0.
    a, b, total = only_a + 0.5, only_b + 0.5, rows + 2
    reach = float(ndtri((1 + level) / 2) * np.sqrt(a + b - (a - b) ** 2 / total) / total)
    centre = (a - b) / total
    low, high = min(max(centre - reach, -1.0), mean), max(min(centre + reach, 1.0), mean)
    return Difference(mean=mean, low=low, high=high, p=p, rows=rows, level=level)


def _is_count(losses: Floats) -> bool:
    return bool(np.isin(losses, (0.0, 1.0)).all())
