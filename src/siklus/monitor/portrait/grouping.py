"""Groups: the values of any column as few groups of rows, in which other things can be told."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siklus.contract.survey import Survey
from siklus.monitor.portrait.column import usable, value_text

GROUPS = 10  # of numbers, about equally many rows in each
WORDS = 12  # of words; the rest is one more group
MISSING, OTHERS = "missing", "all others"


@dataclass(frozen=True, eq=False)
class Groups:
    """``place``, shape (rows,): the group of each row, a position in ``labels``; each row is in one.

    ``ordered``: the groups follow one another, so that a line may join them. ``special``: how many of the
    last ones stand apart (all others, missing).
    """

    labels: tuple[str, ...]
    place: NDArray[np.int64]
    ordered: bool
    special: int

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.bincount(self.place, minlength=len(self.labels))


def groups_of(seen: Survey) -> Groups | None:
    """By value where they are few, else by quantiles; None for cells that cannot be told apart, and for many
    words of which none stands twice: a group would be a single row."""
    if seen.nature in ("empty", "tensor", "unreadable"):
        return None
    values = np.unique(seen.present)
    if seen.nature == "string" and len(values) == len(seen.present) > WORDS:
        return None
    if seen.nature in ("string", "boolean") or len(values) <= GROUPS:
        return _by_value(seen)
    return _by_quantile(seen) if len(usable(values)) else None


def _by_value(seen: Survey) -> Groups:
    ordered = seen.nature not in ("string", "boolean")
    values, counts = np.unique(seen.present, return_counts=True)
    most = GROUPS if ordered else WORDS
    kept = values[np.argsort(-counts, kind="stable")[:most]]
    kept = np.sort(kept) if ordered else kept
    labels = [value_text(seen, float(value)) for value in kept]
    place = np.full(len(seen.cells), len(kept), dtype=np.int64)
    for i, value in enumerate(kept):
        place[seen.series == value] = i
    return _with_the_rest(seen, labels, place, ordered=ordered)


def _by_quantile(seen: Survey) -> Groups:
    inside = usable(seen.present)
    cuts = np.unique(np.quantile(inside, np.arange(1, GROUPS) / GROUPS, method="inverted_cdf"))
    cuts = cuts[cuts < inside.max()]
    bounds = [float(inside.min()), *cuts.tolist(), float(inside.max())]
    labels = [_range_text(seen, low, high, first=not i) for i, (low, high) in enumerate(pairwise(bounds))]
    place = np.searchsorted(cuts, np.where(seen.missing, 0.0, seen.series), side="left").astype(np.int64)
    return _with_the_rest(seen, labels, place, ordered=True)


def _range_text(seen: Survey, low: float, high: float, *, first: bool) -> str:
    if low == high:
        return value_text(seen, low)
    if seen.nature == "integer" and not first:
        low += 1
    if seen.nature == "integer" and low == high:
        return value_text(seen, low)
    return f"{_short(seen, low)} to {_short(seen, high)}"


def _short(seen: Survey, value: float) -> str:
    if seen.nature != "number":
        return value_text(seen, value)
    return f"{value:.0f}" if 1000 <= abs(value) < 1_000_000 else f"{value:.4g}"


def _with_the_rest(seen: Survey, labels: list[str], place: NDArray[np.int64], *, ordered: bool) -> Groups:
    """The rows beyond the kept values, and those without one, as groups of their own where there are any."""
    kept = len(labels)
    others = (place == kept) & ~seen.missing
    if others.any():
        labels = [*labels, OTHERS]
    place = np.where(seen.missing, len(labels), place)
    if seen.missing.any():
        labels = [*labels, MISSING]
    return Groups(tuple(labels), place, ordered, len(labels) - kept)
