"""One window of traffic beside the reference: is a column different, and does it matter?

What is asked of a column's counts (`siklus.stats.profile.Counts`), step by step, each given the one before:

1. *Slots.* Of all rows, are more missing, non-finite, out of range or unseen than the reference explains? An
   exact hypergeometric tail for each: given that k + r of n + m rows are missing, how likely are k or more of
   them among the window's n?
2. *Rare.* Of the rows in bins, do more lie in bins that hardly occur in the reference? The same exact tail.
3. *Bins.* Of the rows left, X² = Σ (N/n − M/m)² / ((N + M)/(n + m)) / (1/n + 1/m), against χ² with a degree
   of freedom less than there are bins.

So n and m in X² are rows in bins: a column that is half missing has a jump in *missing*, and its values are
judged by the rows that have one. The three ask different things, so within a column their p-values are
combined as k·min p, over those k that could have come out significant at all.

With n = 10⁶, everything is significant. So each p has a second one beside it, ``p_beyond``: the chance of
what was seen if the true distance were exactly the tolerance δ₀ (noncentral χ², λ = δ₀/(1/n + 1/m); the
Population Resemblance Statistic, arXiv 2307.11878). The distance is δ = Σ (q − p)²/π, with π the share in both
together: about d² for a mean that moves by d standard deviations.
"""

import msgspec

from siklus.stats.profile import Counts

TOLERANCE = 0.01  # of the distance δ: a mean shift of about 0.1 σ
MIN_ROWS = 200
LEVEL = 0.95


class BinShift(msgspec.Struct, frozen=True, kw_only=True):
    """X² over ``freedom`` + 1 bins, which were pooled so that each has enough rows.

    ``effect``: the distance δ without what chance alone adds, with bounds at 95 %; never below 0.
    """

    statistic: float
    freedom: int
    p: float
    p_beyond: float
    effect: float
    low: float
    high: float


class SlotShift(msgspec.Struct, frozen=True, kw_only=True):
    """One slot: its name as in `Counts`, or "rare"; its share in the window and in the reference.

    ``effect``: δ over this slot and the rest; 0 where the share fell, which is not asked about.
    """

    slot: str
    share: float
    reference_share: float
    p: float
    p_beyond: float
    effect: float


class ColumnShift(msgspec.Struct, frozen=True, kw_only=True):
    """What a column's tests said of ``rows`` rows; ``p`` and ``p_beyond`` are of the column as a whole.

    ``bins`` None: fewer than two bins with enough rows. ``slots``: those that occur at all, in a fixed order.
    """

    rows: int
    bins: BinShift | None
    slots: tuple[SlotShift, ...]
    p: float
    p_beyond: float

    @property
    def effect(self) -> float:
        """The largest distance δ of bins and slots."""
        effects = [slot.effect for slot in self.slots]
        return max([*effects, 0.0 if self.bins is None else self.bins.effect])


def column_shift(
    reference: Counts, window: Counts, *, tolerance: float = TOLERANCE, min_rows: int = MIN_ROWS
) -> ColumnShift | None:
    """Judge a window's counts against the reference's, over the same bins (ValueError otherwise).

    None, where nothing can be said: fewer than ``min_rows`` rows in the window, or none in the reference.
    """
    raise NotImplementedError
