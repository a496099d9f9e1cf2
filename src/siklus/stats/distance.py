"""How far a window's histogram is from the reference's, in the measures that people know.

They are reported, not judged by: what chance alone makes of them depends on the rows (`siklus.stats.shift`
knows how). All are 0 for equal shares, and None where there are no rows to speak of.

Each row is in a bin or a slot, so what is missing, out of range or unseen counts as a bin of its own.
Wasserstein is of the numbers in bins alone.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.stats.profile import ColumnProfile, Counts, NumericProfile

Distance: TypeAlias = Callable[[ColumnProfile, Counts], float | None]
Floats: TypeAlias = NDArray[np.float64]

PSEUDO_COUNT = 0.5  # rows a bin, for PSI alone: an empty bin then weighs about 1/n instead of infinity
SLOTS = ("missing", "non_finite", "below_minimum", "above_maximum", "unseen")


def psi(reference: ColumnProfile, window: Counts) -> float | None:
    """Population stability index, Σ (p − q) ln(p/q): about d² when a mean moves by d standard deviations.

    So the customary 0.1 and 0.2 are 0.33 σ and 0.46 σ. Without drift it is about (bins − 1)·(1/n + 1/m).
    """
    both = _rows_of(reference, window)
    if both is None:
        return None
    before, now = (rows + PSEUDO_COUNT for rows in both)
    p, q = now / now.sum(), before / before.sum()
    return float(((p - q) * np.log(p / q)).sum())


def jensen_shannon(reference: ColumnProfile, window: Counts) -> float | None:
    """The Jensen–Shannon distance, to base 2: between 0 and 1 (nothing in common)."""
    both = _rows_of(reference, window)
    if both is None:
        return None
    q, p = (rows / rows.sum() for rows in both)
    middle = (p + q) / 2
    return float(np.sqrt(max(_divergence(p, middle) + _divergence(q, middle), 0.0) / 2))


def hellinger(reference: ColumnProfile, window: Counts) -> float | None:
    """√(1 − Σ √(p·q)), between 0 and 1 (nothing in common)."""
    both = _rows_of(reference, window)
    if both is None:
        return None
    q, p = (np.sqrt(rows / rows.sum()) for rows in both)
    return float(np.sqrt(((p - q) ** 2).sum() / 2))


def wasserstein(reference: ColumnProfile, window: Counts) -> float | None:
    """How far the numbers in bins have to be moved on average, in standard deviations of the reference.

    At the cuts both distribution functions are known exactly; between them both are taken to be straight
    lines, and beyond the outer cuts tails are taken to fall off exponentially at the rate of the
    reference's last two bins, no further than the contract's range. The spread is that of the
    reference's bins under the same assumptions. So a shift inside one bin is not seen, and a number that
    moves off a value which most share lies, for all that is known, in the middle of the gap beside it.

    None for words, for fewer than two cuts, and where the reference's numbers are all in one bin.
    """
    if not isinstance(reference, NumericProfile) or len(reference.cuts) < 2:
        return None
    before, now = (np.array(counts.bins, dtype=np.float64) for counts in (reference.counts, window))
    if np.count_nonzero(before) < 2 or not now.any():
        return None
    q, p = before / before.sum(), now / now.sum()
    cuts = np.array(reference.cuts)
    below, above = _tails(reference, q)
    gap = np.cumsum(p - q)[:-1]  # between the distribution functions, at each cut
    moved = abs(gap[0]) * below + abs(gap[-1]) * above + (np.diff(cuts) * _mean_size(gap)).sum()
    return float(moved / _spread(cuts, q, below, above))


# By name: each takes a column's reference profile, and a window's counts over its bins.
DISTANCES: Mapping[str, Distance] = {
    "psi": psi,
    "jensen-shannon": jensen_shannon,
    "hellinger": hellinger,
    "wasserstein": wasserstein,
}


def _rows_of(reference: ColumnProfile, window: Counts) -> tuple[Floats, Floats] | None:
    """Rows by bin and slot of both. What is empty in both is left out: it would only add pseudo-counts."""
    both = [
        np.array([*counts.bins, *(getattr(counts, slot) for slot in SLOTS)], dtype=np.float64)
        for counts in (reference.counts, window)
    ]
    before, now = both
    if not before.any() or not now.any():
        return None
    occurs = before + now > 0
    return before[occurs], now[occurs]


def _divergence(p: Floats, middle: Floats) -> float:
    """Kullback–Leibler, in bits; ``middle`` is above 0 wherever p is."""
    some = p > 0
    return float((p[some] * np.log2(p[some] / middle[some])).sum())


def _tails(reference: NumericProfile, shares: Floats) -> tuple[float, float]:
    """How far beyond the first and the last cut the reference's rows there lie, on average."""
    cuts, last = reference.cuts, len(reference.cuts) - 1
    left = _excess(shares[0], shares[1], cuts[1] - cuts[0]) if last else 0.0
    right = _excess(shares[-1], shares[-2], cuts[last] - cuts[last - 1]) if last else 0.0
    if reference.minimum is not None:
        left = min(left, max(cuts[0] - reference.minimum, 0.0))
    if reference.maximum is not None:
        right = min(right, max(reference.maximum - cuts[last], 0.0))
    return left, right


def _excess(outer: float, inner: float, width: float) -> float:
    """The mean of an exponential tail of share ``outer``, with ``inner`` in the ``width`` before it."""
    return width / float(np.log1p(inner / outer)) if outer > 0 and inner > 0 else 0.0


def _spread(cuts: Floats, shares: Floats, below: float, above: float) -> float:
    means = np.concatenate([[cuts[0] - below], (cuts[1:] + cuts[:-1]) / 2, [cuts[-1] + above]])
    variances = np.concatenate([[below**2], np.diff(cuts) ** 2 / 12, [above**2]])
    mean = (shares * means).sum()
    return float(np.sqrt((shares * (variances + (means - mean) ** 2)).sum()))


def _mean_size(gap: Floats) -> Floats:
    """The mean of |gap| between each cut and the next, on a straight line that may cross 0."""
    one, other = gap[:-1], gap[1:]
    total = np.abs(one) + np.abs(other)
    same = one * other >= 0
    crossed = (one**2 + other**2) / np.where(total > 0, 2 * total, 1.0)
    return np.where(same, total / 2, crossed)
