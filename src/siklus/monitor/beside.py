"""A column now beside training, as evidence that a mail can show: shares by bin."""

import math
from itertools import pairwise

import numpy as np

from siklus.monitor.alerts.events import Beside
from siklus.stats.profile import CategoryProfile, ColumnProfile, Counts

OTHER = "other words"
TINY = 1e-30  # the float below 0, beside which a bin for 0 alone begins
SHOWN_WORDS = 12  # the most frequent of both; the others are one bar
# Slots as a person calls them, in the order of `Counts`.
SLOTS = {
    "missing": "missing",
    "non_finite": "infinite",
    "below_minimum": "too low",
    "above_maximum": "too high",
    "unseen": "new words",
}


def beside(name: str, reference: ColumnProfile, window: ColumnProfile) -> Beside | None:
    """``window`` is over the reference's bins. None where one of the two has no cell at all."""
    now, training = window.counts, reference.counts
    if not now.rows or not training.rows:
        return None
    bins = zip(_bins(reference), now.bins, training.bins, strict=True)
    rows = [
        (label, count / now.rows, before / training.rows) for label, count, before in bins if count or before
    ]
    if isinstance(reference, CategoryProfile):
        rows = _frequent(rows)
    slots = slot_shares(now, training)
    labels, shares_now, shares_training = zip(*rows, *slots, strict=True)
    return Beside(
        title=name,
        names=labels,
        now=shares_now,
        training=shares_training,
        apart=len(slots),
    )


def _bins(reference: ColumnProfile) -> list[str]:
    if isinstance(reference, CategoryProfile):
        return [*reference.words, OTHER]
    cuts = [0.0 if abs(cut) < TINY else cut for cut in reference.cuts]
    last = f"> {cuts[-1]:.4g}" if cuts else "all"
    return [*(_up_to(cut, before) for before, cut in pairwise([-math.inf, *cuts])), last]


def _up_to(cut: float, before: float) -> str:
    """Of the bin between two cuts; between neighbouring numbers there is only one value."""
    alone = np.nextafter(np.float32(before), np.float32(math.inf)) == np.float32(cut) or cut == before
    return f"{cut:.4g}" if alone else f"≤ {cut:.4g}"


def _frequent(rows: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """The words that are frequent now or were in training; all others as one."""
    ranked = sorted(rows, key=lambda row: (row[0] == OTHER, -max(row[1], row[2])))
    shown, rest = ranked[:SHOWN_WORDS], ranked[SHOWN_WORDS:]
    if not rest:
        return shown
    return [*shown, (OTHER, sum(row[1] for row in rest), sum(row[2] for row in rest))]


def slot_shares(now: Counts, training: Counts) -> list[tuple[str, float, float]]:
    """Cells that no bin takes, where there are any: what they are, and their shares of all cells of each."""
    return [
        (label, getattr(now, slot) / now.rows, getattr(training, slot) / training.rows)
        for slot, label in SLOTS.items()
        if getattr(now, slot) or getattr(training, slot)
    ]
