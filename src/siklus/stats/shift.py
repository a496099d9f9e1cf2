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
what was seen if the true distance were exactly the tolerance δ₀. For bins: noncentral χ², λ = δ₀/(1/n + 1/m)
(Population Resemblance Statistic, arXiv 2307.11878). For slots: the same exact tail at the odds that δ₀
means (Fisher's noncentral law; a normal approximation raised up to six times as many alarms as stated, where
a slot is rare). The distance is δ = Σ (q − p)²/π, with π the share in both together: about d² for a mean
that moves by d standard deviations.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chndtr, chndtrinc

from siklus.stats.profile import CategoryProfile, ColumnProfile, Counts

Integers: TypeAlias = NDArray[np.int64]
Cells = TypeVar("Cells", np.int64, np.float64)

TOLERANCE = 0.01  # of the distance δ: a mean shift of about 0.1 σ
MIN_ROWS = 200
LEVEL = 0.95  # of the effect's bounds
FEWEST = 5  # rows that a window without drift has in a bin, for χ² to be X²'s law
SETTLED = 20  # rows of the reference in a bin, likewise; with 5, one test in seven at 5 % was a false alarm
# Standard errors within which chance may have chosen the words that have a bin. The last of 49 equals lies
# two or three below its mean and the first as many above: with 5, 51 equal words drifted all by themselves.
NEAR = 8.0
NEGLIGIBLE = 1e-300  # what the inverse of the noncentral χ² says instead of 0
SLOTS = ("missing", "non_finite", "below_minimum", "above_maximum", "unseen")
RARE = -1  # the group of bins that hardly occur in the reference


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


class Part(NamedTuple):
    """``hits`` of ``rows``."""

    hits: int
    rows: int

    @property
    def share(self) -> float:
        return self.hits / self.rows


def column_shift(
    reference: Counts,
    window: Counts,
    *,
    tolerance: float = TOLERANCE,
    min_rows: int = MIN_ROWS,
    together: Sequence[int] = (),
) -> ColumnShift | None:
    """Judge a window's counts against the reference's, over the same bins (ValueError otherwise).

    ``together``: bins to be judged as one (`bins_by_chance`). None, where nothing can be said: fewer than
    ``min_rows`` rows in the window, or none in the reference.
    """
    if len(reference.bins) != len(window.bins):
        raise ValueError(f"{len(window.bins)} bins, where the reference has {len(reference.bins)}")
    if window.rows < max(min_rows, 1) or reference.rows == 0:
        return None
    slots = [
        slot_shift(
            slot,
            Part(getattr(reference, slot), reference.rows),
            Part(getattr(window, slot), window.rows),
            tolerance=tolerance,
        )
        for slot in SLOTS
    ]
    before, now = (joined(np.array(bins, dtype=np.int64), together) for bins in (reference.bins, window.bins))
    bins = None
    if before.any() and now.any():
        groups = pooled(before, rows=int(now.sum()))
        rare = groups == RARE
        slots.append(slot_shift("rare", _part(before, rare), _part(now, rare), tolerance=tolerance))
        bins = bin_shift(
            np.bincount(groups[~rare], before[~rare]),
            np.bincount(groups[~rare], now[~rare]),
            tolerance=tolerance,
        )
    return _together(window.rows, bins, [slot for slot in slots if slot.share + slot.reference_share > 0])


def bins_by_chance(reference: ColumnProfile) -> tuple[int, ...]:
    """Bins that only chance may have told from the last one, which is of all words without a bin.

    Of a long vocabulary the most frequent words have bins. Those whose count is near that of the last to have
    one owe it to chance in part: their shares are overstated, and that of the other words is understated. By
    taking them together with these, both cancel out. () for numbers, and where every word has a bin.
    """
    if not isinstance(reference, CategoryProfile) or reference.size <= len(reference.kept):
        return ()
    kept = np.array(reference.counts.bins[:-1])
    edge = kept.min() if len(kept) else 0
    near = np.flatnonzero(kept <= max(edge + NEAR * np.sqrt(edge), SETTLED))
    return (*near.tolist(), len(kept))


def joined(bins: NDArray[Cells], together: Sequence[int]) -> NDArray[Cells]:
    """Bins (along the last axis) with those of ``together`` added up into one, which comes last.

    >>> joined(np.array([5, 1, 2, 7]), [1, 2]).tolist()
    [5, 7, 3]
    """
    if not together:
        return bins
    one = bins[..., list(together)].sum(axis=-1, keepdims=True)
    return np.concatenate([np.delete(bins, list(together), axis=-1), one], axis=-1)


def pooled(reference: Integers, *, rows: int) -> Integers:
    """Which bins are judged together, decided from the reference alone; shape (bins,), groups from 0 on.

    A bin is thin, where the reference has fewer than SETTLED rows, or a window of ``rows`` rows without drift
    fewer than FEWEST. Thin bins are put together in their order until they are not; what is then left goes
    with the last that were, or is RARE where none were.

    >>> pooled(np.array([90, 12, 13, 40, 1]), rows=1000).tolist()
    [0, 1, 1, 2, 1]
    >>> pooled(np.array([90, 2, 3, 40, 1]), rows=1000).tolist()
    [0, -1, -1, 1, -1]
    """
    enough = max(SETTLED, FEWEST * int(reference.sum()) / max(rows, 1))
    groups = np.full(len(reference), RARE)
    waiting: list[int] = []
    group, latest = 0, RARE
    for place, here in enumerate(reference):
        if here >= enough:
            groups[place], group = group, group + 1
            continue
        waiting.append(place)
        if reference[waiting].sum() >= enough:
            groups[waiting], group, latest, waiting = group, group + 1, group, []
    groups[waiting] = latest
    return groups


def bin_shift(reference: Integers, window: Integers, *, tolerance: float = TOLERANCE) -> BinShift | None:
    """X² of two histograms over the same bins, each with rows in it; None for fewer than two bins."""
    freedom, n, m = len(reference) - 1, window.sum(), reference.sum()
    if freedom < 1 or n == 0 or m == 0:
        return None
    noise = 1 / n + 1 / m  # what chance alone makes of δ, a degree of freedom
    distance = ((window / n - reference / m) ** 2 / ((window + reference) / (n + m))).sum()
    statistic = float(distance / noise)
    p = float(chdtrc(freedom, statistic))
    # Beyond 1e-15 the difference from 1 is rounding; it is never less than without a tolerance.
    beyond = max(p, float(1 - chndtr(statistic, freedom, tolerance / noise)))
    bounds = chndtrinc(statistic, freedom, [(1 + LEVEL) / 2, (1 - LEVEL) / 2]) * noise
    # Of a statistic of exactly 0 SciPy knows no bounds.
    low, high = np.where(bounds > NEGLIGIBLE, bounds, 0.0) if statistic > 0 else (0.0, 0.0)
    return BinShift(
        statistic=statistic,
        freedom=freedom,
        p=p,
        p_beyond=beyond,
        effect=float(max(statistic - freedom, 0.0) * noise),
        low=float(low),
        high=float(high),
    )


def slot_shift(slot: str, reference: Part, window: Part, *, tolerance: float = TOLERANCE) -> SlotShift:
    """Is the slot's share larger than in the reference? Both have rows."""
    n, m = window.rows, reference.rows
    p = hypergeometric_tail(window.hits, reference.hits, n=n, m=m)
    odds = _odds_at(tolerance, hits=window.hits + reference.hits, n=n, m=m)
    beyond = 1.0
    if odds is not None:
        # Greater odds only raise the tail; what is less is rounding.
        beyond = max(p, hypergeometric_tail(window.hits, reference.hits, n=n, m=m, odds=odds))
    noise = 1 / n + 1 / m
    both = (window.hits + reference.hits) / (n + m)
    rise = max(window.share - reference.share, 0.0)
    statistic = rise**2 / (both * (1 - both)) / noise if rise > 0 else 0.0
    return SlotShift(
        slot=slot,
        share=window.share,
        reference_share=reference.share,
        p=p,
        p_beyond=beyond,
        effect=max(statistic - 1, 0.0) * noise,
    )


def hypergeometric_tail(k: int, r: int, *, n: int, m: int, odds: float = 1.0) -> float:
    """P(K ≥ k), when k + r of n + m rows are marked and n of all are drawn; 0 below 1e-300.

    ``odds``, at least 1: by how much a marked row is more likely to be drawn (Fisher's noncentral law).

    >>> round(hypergeometric_tail(2, 0, n=3, m=3), 6)  # both marked rows among 3 of 6
    0.2
    """
    marked = k + r
    wide = m - marked + odds * (marked + n)
    mean = 2 * odds * marked * n / (wide + np.sqrt(wide**2 - 4 * (odds - 1) * odds * marked * n))
    # Beyond this lies less than 1e-300, of a Poisson law too.
    reach = 60 * np.sqrt(max(min(mean, marked - mean), 0.0)) + 200
    if k > mean + reach:
        return 0.0
    first = max(0, marked - m, int(mean - reach))
    last = min(marked, n, int(mean + reach) + 1)
    if k <= first:
        return 1.0
    i = np.arange(first, last, dtype=np.float64)
    steps = np.log(marked - i) + np.log(n - i) - np.log(i + 1) - np.log(m - marked + i + 1) + np.log(odds)
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    chances = np.exp(logs - logs.max())
    return float(chances[k - first :].sum() / chances.sum())


def _odds_at(tolerance: float, *, hits: int, n: int, m: int) -> float | None:
    """The odds of a slot that just rises by δ = ``tolerance``, of ``hits`` in n + m rows.

    None, where so few hits (or so many) leave no room for such a rise: then it cannot be more.
    """
    both = hits / (n + m)
    rise = np.sqrt(tolerance * both * (1 - both))
    now, before = both + rise * m / (n + m), both - rise * n / (n + m)
    if before <= 0 or now >= 1:
        return 1.0 if rise == 0 else None
    return float(now * (1 - before) / (before * (1 - now)))


def _part(bins: Integers, chosen: NDArray[np.bool_]) -> Part:
    return Part(int(bins[chosen].sum()), int(bins.sum()))


def _together(rows: int, bins: BinShift | None, slots: list[SlotShift]) -> ColumnShift:
    """k·min p. A slot that nobody fell into could not have been significant, and is not among the k.

    Tarone, Biometrics 46 (1990): the exact tail is conditional on how many fell into it, so that may decide.
    """
    tests: list[BinShift | SlotShift] = [*slots] if bins is None else [bins, *slots]
    p = min([1.0, *(len(tests) * test.p for test in tests)])
    beyond = min([1.0, *(len(tests) * test.p_beyond for test in tests)])
    return ColumnShift(rows=rows, bins=bins, slots=tuple(slots), p=p, p_beyond=beyond)
