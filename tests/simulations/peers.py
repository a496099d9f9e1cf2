"""What others do by default, in a few lines: a Kolmogorov–Smirnov test a column, and Evidently's rules.

Evidently 0.7 chooses a measure a column and lets each column alarm on its own: up to 1000 reference rows by
p < 0.05 (Kolmogorov–Smirnov; χ² for words), above by a distance ≥ 0.1 (Wasserstein ÷ σ; Jensen–Shannon for
words, in nats).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

Values = NDArray[np.float64]
Rows = Mapping[str, Values]

LARGE = 1000  # reference rows above which Evidently measures a distance
FAR = 0.1
LEVEL = 0.05


def ks_alarms(reference: Rows, window: Rows) -> list[str]:
    """Columns of numbers with p < 0.05 each, of words by χ² of both tables."""
    found = []
    for name, before in reference.items():
        if name.startswith("words"):
            table = np.array([np.bincount(rows.astype(int), minlength=60) for rows in (before, window[name])])
            p = stats.chi2_contingency(table[:, table.any(axis=0)], correction=False).pvalue
        else:
            p = _p(name, before, window[name])
        if p < LEVEL:
            found.append(name)
    return found


def evidently_alarms(reference: Rows, window: Rows) -> list[str]:
    found = []
    for name, before in reference.items():
        score = evidently_score(name, before, window[name])
        if score >= FAR if len(before) > LARGE else score < LEVEL:
            found.append(name)
    return found


def evidently_score(name: str, reference: Values, window: Values) -> float:
    """A distance for more than 1000 reference rows, a p-value for less."""
    if len(reference) <= LARGE:
        return _p(name, reference, window)
    if name.startswith("words"):
        before, now = _shares(reference, window)
        return float(jensenshannon(before, now))
    return float(stats.wasserstein_distance(reference, window) / max(np.std(reference), 0.001))


def _p(name: str, reference: Values, window: Values) -> float:
    if not name.startswith("words"):
        return float(stats.ks_2samp(reference, window, method="asymp").pvalue)
    before, now = _shares(reference, window)
    if now[before == 0].any():
        return 0.0  # χ² is infinite
    return float(stats.chisquare(now * len(window), before * len(window)).pvalue)


def _shares(reference: Values, window: Values) -> tuple[Values, Values]:
    both = np.union1d(reference, window)
    before, now = ((values[:, None] == both).sum(axis=0) for values in (reference, window))
    return before / before.sum(), now / now.sum()
