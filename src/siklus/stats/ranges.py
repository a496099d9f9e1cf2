"""Ranges: the numbers of a column as few groups, cut where its reference profile is cut."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siklus.stats.profile import Numbers, NumericProfile

MOST_BINS = 7  # that are told one by one: so many days has a week
RANGES = 4  # that more bins are joined to, of about as many rows each


@dataclass(frozen=True)
class Ranges:
    """Range j holds cuts[j−1] < x ≤ cuts[j], the first and the last being open; ``names`` is one longer."""

    cuts: tuple[float, ...]
    names: tuple[str, ...]

    def places(self, values: Numbers) -> NDArray[np.int64]:
        """The range of each finite number, compared in float32 as in a profile; shape (rows,)."""
        with np.errstate(over="ignore"):
            found = np.searchsorted(
                np.array(self.cuts, dtype=np.float32), values.astype(np.float32), side="left"
            )
        return found.astype(np.int64)


def ranges_of(profile: NumericProfile, *, whole: bool) -> Ranges:
    """The profile's bins, joined at its quartiles where rows fell into many. ``whole``: of whole numbers.

    Of few values that repeat each keeps a range of its own, named by it.
    """
    bins = np.array(profile.counts.bins)
    chosen = profile.cuts if (bins > 0).sum() <= MOST_BINS else _joined(bins, profile.cuts)
    bounds: list[float | None] = [None, *chosen, None]
    told = _whole_name if whole else _name
    return Ranges(chosen, tuple(told(low, high, profile.cuts) for low, high in pairwise(bounds)))


def _joined(bins: NDArray[np.int64], cuts: Sequence[float]) -> tuple[float, ...]:
    """The cuts that are nearest to the quartiles, and have rows on both sides."""
    below = np.cumsum(bins)
    near = {int(np.abs(below - below[-1] * i / RANGES).argmin()) for i in range(1, RANGES)}
    return tuple(cuts[j] for j in sorted(near) if 0 < below[j] < below[-1])


def _whole_name(low: float | None, high: float | None, _cuts: Sequence[float]) -> str:
    """
    >>> _whole_name(None, 3.0, ()), _whole_name(3.0, 7.5, ()), _whole_name(2.9, 3.0, ())
    ('up to 3', '4 to 7', '3')
    """
    if low is None:
        return "all" if high is None else f"up to {math.floor(high)}"
    first = math.floor(low) + 1
    if high is None:
        return f"{first} or more"
    return f"{first}" if first >= math.floor(high) else f"{first} to {math.floor(high)}"


def _name(low: float | None, high: float | None, cuts: Sequence[float]) -> str:
    """A cut just below another one, `numeric_cuts` says why, stands for that one.

    >>> _name(None, 0.5, ()), _name(0.5, 2.0, ()), _name(2.0, None, ())
    ('up to 0.5', 'above 0.5 to 2', 'above 2')
    """
    if low is None and high is None:
        return "all"
    from_low, to_high = _just_below(low, cuts), _just_below(high, cuts)
    if from_low is not None and from_low == high:
        return f"{high:.6g}"
    begin = "" if low is None else f"above {low:.6g}" if from_low is None else f"{from_low:.6g}"
    if high is None:
        return begin if from_low is None else f"{begin} or more"
    end = f"below {to_high:.6g}" if to_high is not None else f"{high:.6g}"
    if low is None:
        return end if to_high is not None else f"up to {end}"
    return f"{begin} to {end}"


def _just_below(cut: float | None, cuts: Sequence[float]) -> float | None:
    """The cut that this one is the next smaller float32 of; None where there is none."""
    if cut is None:
        return None
    above = float(np.nextafter(np.float32(cut), np.float32(np.inf))) + 0.0  # or it is −0
    return above if above in cuts else None
