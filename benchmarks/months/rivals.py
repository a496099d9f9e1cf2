"""What others say of the same rows: a Kolmogorov–Smirnov test a column, and Evidently's default rules.

Evidently's are the suite's own, which tests hold against what the package itself says. The data have drifted,
it says, when half of the columns have.
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from scipy.stats import chi2_contingency, ks_2samp
from tests.simulations.peers import evidently_alarms

from siklus.contract.columns import Category, Contract, slots_of
from siklus.stats.losses import Floats
from siklus.table import FloatRows

LEVEL = 0.05
FEW_VALUES = 5  # of a number that Evidently takes for words
DRIFTED_SHARE = 0.5
WORDS = "words"  # begins the name of a column that is to be taken for words


class Rivals(Struct, frozen=True, kw_only=True):
    """How many of ``columns`` each flags. ``ks``: a test at 5 % a column (χ² of two samples for words)."""

    columns: int
    ks: int
    evidently: int

    @property
    def evidently_alarm(self) -> bool:
        return self.evidently >= DRIFTED_SHARE * self.columns


def judged_by_others(contract: Contract, reference: FloatRows, window: FloatRows) -> Rivals:
    """Decoded rows of both, shape (rows, contract.width); a cell that is missing is left out, as they do."""
    before: dict[str, Floats] = {}
    now: dict[str, Floats] = {}
    ks = 0
    for slot, old, new, words in _columns(contract, reference, window):
        ks += (_chi2(old, new) if words else float(ks_2samp(old, new).pvalue)) < LEVEL
        few = len(np.unique(np.concatenate([old, new]))) <= FEW_VALUES
        name = f"{WORDS} {slot}" if words or few else f"number {slot}"
        before[name], now[name] = old, new
    return Rivals(columns=contract.width, ks=ks, evidently=len(evidently_alarms(before, now)))


def _columns(
    contract: Contract, reference: FloatRows, window: FloatRows
) -> Iterator[tuple[str, Floats, Floats, bool]]:
    at = 0
    for column in contract.columns:
        for slot in slots_of(column):
            old, new = (side[:, at].astype(np.float64) for side in (reference, window))
            yield slot, old[~np.isnan(old)], new[~np.isnan(new)], isinstance(column, Category)
            at += 1


def _chi2(old: Floats, new: Floats) -> float:
    values, places = np.unique(np.concatenate([old, new]), return_inverse=True)
    sides = places[: len(old)], places[len(old) :]
    table = np.stack([np.bincount(side, minlength=len(values)) for side in sides])
    return float(chi2_contingency(table, correction=False).pvalue) if len(values) > 1 else 1.0
