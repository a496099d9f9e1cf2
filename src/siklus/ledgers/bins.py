"""Feature bins: decoded rows counted in the bins of the reference profile, many rows at a time.

Which bin takes a value is decided by `stats/profile` alone. Here its rule is only unrolled, once a version:
between two neighbouring edges it always says the same, so a value's place among the edges says its bin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Contract, slots_of
from siklus.contract.profiles import profile_column
from siklus.stats.profile import (
    CategoryProfile,
    ColumnProfile,
    Counts,
    NumericProfile,
    Profile,
)
from siklus.table import FloatRows

# Beside the bins themselves. In angle brackets, where no bin of numbers has them; a word of the vocabulary
# that has them too gets another pair (`word_name`).
MISSING, NON_FINITE, BELOW, ABOVE = "<missing>", "<non-finite>", "<below minimum>", "<above maximum>"
UNSEEN, OTHER = "<unseen>", "<other words>"


@dataclass(frozen=True, kw_only=True)
class ColumnBins:
    """The bins of one float of a decoded row.

    ``edges``: ascending float32; ``places`` is one longer and says which label takes edges[i−1] < x ≤
    edges[i], its last one being that of NaN. ``reference``: shares by label of the ``reference_rows``
    training rows, empty where there are none. ``unseen``: the label of words outside the vocabulary, None
    for a number.
    """

    name: str
    labels: tuple[str, ...]
    reference: tuple[float, ...]
    reference_rows: int
    edges: NDArray[np.float32]
    places: NDArray[np.int64]
    unseen: int | None

    @property
    def rule(self) -> bytes:
        return self.edges.tobytes() + self.places.tobytes()


class FeatureBins:
    """All columns of a contract, counted together."""

    def __init__(self, columns: Sequence[ColumnBins]) -> None:
        self._edges = [column.edges for column in columns]
        sizes = [len(column.places) for column in columns]
        starts = np.cumsum([0, *sizes])
        self._starts = starts[:-1, None]
        self._intervals = int(starts[-1])
        first = np.cumsum([0, *(len(column.labels) for column in columns)])
        self.size = int(first[-1])
        self._bins = np.concatenate(
            [column.places + at for column, at in zip(columns, first, strict=False)]
            or [np.empty(0, np.int64)]
        )

    def count(self, matrix: FloatRows) -> NDArray[np.uint64]:
        """Rows by bin, all columns one after the other: shape (size,)."""
        columns = np.ascontiguousarray(matrix.T)
        places = np.empty(columns.shape, dtype=np.int64)
        for place, edges, column in zip(places, self._edges, columns, strict=True):
            place[:] = edges.searchsorted(column)
        places += self._starts
        intervals = np.bincount(places.ravel(), minlength=self._intervals)
        # Counts as weights are float64, which is exact: no batch has 2**53 rows.
        folded = np.bincount(self._bins, weights=intervals, minlength=self.size)
        return folded.astype(np.uint64)


def bins_of(contract: Contract, profile: Profile) -> list[ColumnBins]:
    """The bins of each float of a decoded row. What it does not know has the contract's range only."""
    return [
        column_bins(slot, profile.columns.get(slot) or profile_column(column, np.empty(0)))
        for column in contract.columns
        for slot in slots_of(column)
    ]


def column_bins(name: str, profile: ColumnProfile) -> ColumnBins:
    """Unroll the profile's rule."""
    if isinstance(profile, NumericProfile):
        edges, slots = _numeric_edges(profile), _numeric_slots(profile)
        names = bin_names(np.array(profile.cuts, dtype=np.float32))
        count: Callable[[NDArray[np.float32]], Counts] = profile.count
    else:
        edges, slots = _category_edges(profile), _CATEGORY_SLOTS
        names = [*map(word_name, profile.words), OTHER]
        count = profile.count
    places = [_place(count(np.array([value])), slots) for value in (*edges, np.float32(np.nan))]
    kept = [i for i, (place, after) in enumerate(pairwise(places)) if place != after]
    labels = (*names, *slots)
    return ColumnBins(
        name=name,
        labels=labels,
        reference=_shares(profile.counts, slots),
        reference_rows=profile.counts.rows,
        edges=edges[kept],
        places=np.array([*(places[i] for i in kept), places[-1]], dtype=np.int64),
        unseen=labels.index(UNSEEN) if UNSEEN in slots else None,
    )


def bin_names(cuts: NDArray[np.float32]) -> list[str]:
    """One name a bin, `(low, high]`; float32's own shortest digits, so that no two names are the same.

    >>> bin_names(np.array([1.5, 3], dtype=np.float32))
    ['(-inf, 1.5]', '(1.5, 3.0]', '(3.0, inf]']
    """
    edges = ["-inf", *(str(cut) for cut in cuts), "inf"]
    return [f"({low}, {high}]" for low, high in pairwise(edges)]


def word_name(word: str) -> str:
    """A word of the vocabulary as a label: as it is, unless it could be read as one of ours.

    >>> word_name("JFK"), word_name("<missing>")
    ('JFK', '<<missing>>')
    """
    return f"<{word}>" if word.startswith("<") and word.endswith(">") else word


_Slots = dict[str, Callable[[Counts], int]]  # the labels beside the bins, and where `Counts` has them

_CATEGORY_SLOTS: _Slots = {MISSING: lambda counts: counts.missing, UNSEEN: lambda counts: counts.unseen}


def _numeric_slots(profile: NumericProfile) -> _Slots:
    slots: _Slots = {
        MISSING: lambda counts: counts.missing,
        NON_FINITE: lambda counts: counts.non_finite,
    }
    if profile.minimum is not None:
        slots[BELOW] = lambda counts: counts.below_minimum
    if profile.maximum is not None:
        slots[ABOVE] = lambda counts: counts.above_maximum
    return slots


def _numeric_edges(profile: NumericProfile) -> NDArray[np.float32]:
    """The last value before each change of the rule, and +∞; each is in the interval that it ends."""
    infinity = np.float32(np.inf)
    edges = [-infinity, *np.array(profile.cuts, dtype=np.float32), np.finfo(np.float32).max, infinity]
    with np.errstate(over="ignore"):  # a bound beyond float32 is an infinity, here as in the rule
        if profile.minimum is not None:
            edges.append(np.nextafter(np.float32(profile.minimum), -infinity))
        if profile.maximum is not None:
            edges.append(np.float32(profile.maximum))
    return np.unique(np.array(edges, dtype=np.float32))


def _category_edges(profile: CategoryProfile) -> NDArray[np.float32]:
    """Just below each word's index where a bin may begin or end: index k takes k ≤ x < k + 1."""
    begins = {0, profile.size, *profile.kept, *(word + 1 for word in profile.kept)}
    below = np.nextafter(np.array(sorted(begins), dtype=np.float32), np.float32(-np.inf))
    return np.append(below, np.float32(np.inf))


def _place(counts: Counts, slots: _Slots) -> int:
    """Where the one counted value went."""
    return int(np.argmax([*counts.bins, *(read(counts) for read in slots.values())]))


def _shares(counts: Counts, slots: _Slots) -> tuple[float, ...]:
    if not counts.rows:
        return ()
    return tuple(n / counts.rows for n in (*counts.bins, *(read(counts) for read in slots.values())))
