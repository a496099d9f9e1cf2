"""What others say of the same rows: a Kolmogorov–Smirnov test a column, and Evidently's default rules.

Evidently's are written down from its documentation (0.7, "How data drift detection works"), so that they run
where the package cannot be installed: up to 1,000 reference rows a p-value below 0.05 of KS for numbers, χ²
for words; beyond, a Wasserstein distance from 0.1 standard deviations of the reference for numbers, and a
Jensen–Shannon distance from 0.1 for words and for numbers of up to five values. The data have drifted when
half of the columns have.
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from siklus.contract.columns import Category, Contract, slots_of
from siklus.stats.losses import Floats
from siklus.table import FloatRows

LEVEL = 0.05
FEW_ROWS = 1_000
FEW_VALUES = 5
FAR = 0.1
DRIFTED_SHARE = 0.5


class Rivals(Struct, frozen=True, kw_only=True):
    """How many of ``columns`` each flags. ``ks``: a test at 5 % a column (χ² for words)."""

    columns: int
    ks: int
    evidently: int

    @property
    def evidently_alarm(self) -> bool:
        return self.evidently >= DRIFTED_SHARE * self.columns


def judged_by_others(contract: Contract, reference: FloatRows, window: FloatRows) -> Rivals:
    """Decoded rows of both, shape (rows, contract.width); a cell that is missing is left out, as they do."""
    ks = evidently = 0
    for old, new, words in _columns(contract, reference, window):
        p = _chi2(old, new) if words else _ks(old, new)
        ks += p < LEVEL
        if len(reference) <= FEW_ROWS:
            evidently += (_chi2(old, new) if words or _few(old, new) else p) < LEVEL
        elif words or _few(old, new):
            evidently += float(jensenshannon(*_shares(old, new))) >= FAR
        else:
            evidently += wasserstein_distance(old, new) / max(float(old.std()), 0.001) >= FAR
    return Rivals(columns=contract.width, ks=int(ks), evidently=int(evidently))


def _columns(
    contract: Contract, reference: FloatRows, window: FloatRows
) -> Iterator[tuple[Floats, Floats, bool]]:
    at = 0
    for column in contract.columns:
        for _ in slots_of(column):
            old, new = (side[:, at].astype(np.float64) for side in (reference, window))
            yield old[~np.isnan(old)], new[~np.isnan(new)], isinstance(column, Category)
            at += 1


def _few(old: Floats, new: Floats) -> bool:
    return len(np.unique(np.concatenate([old, new]))) <= FEW_VALUES


def _ks(old: Floats, new: Floats) -> float:
    return float(ks_2samp(old, new).pvalue) if len(old) and len(new) else 1.0


def _chi2(old: Floats, new: Floats) -> float:
    table = np.stack(_counts(old, new))
    return float(chi2_contingency(table, correction=False).pvalue) if table.shape[1] > 1 else 1.0


def _shares(old: Floats, new: Floats) -> tuple[Floats, Floats]:
    before, now = _counts(old, new)
    return before / before.sum(), now / now.sum()


def _counts(old: Floats, new: Floats) -> tuple[Floats, Floats]:
    values, places = np.unique(np.concatenate([old, new]), return_inverse=True)
    before = np.bincount(places[: len(old)], minlength=len(values)).astype(np.float64)
    return before, np.bincount(places[len(old) :], minlength=len(values)).astype(np.float64)
