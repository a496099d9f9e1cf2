"""The reference profile: which bins a column has, and how many rows fell into each.

Numbers: about 20 bins between quantiles of the reference; bin j holds cuts[j−1] < x ≤ cuts[j], the first and
the last being open to −∞ and +∞. A value that repeats so often that it fills a bin gets one of its own, so
mass that moves off it in either direction is seen. All comparing is done in float32, the type of a decoded
row: 0.1 is then the same value in training (float64) and in serving.

Categories: one bin a word, for the most frequent words, and a last one for all other words of the vocabulary.

What is not binned has its own slot: missing, non-finite, below the minimum, above the maximum, unseen. Every
value falls into one bin or one slot, so the counts of chunks, workers and replicas add up exactly.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

FORMAT = 1
BINS = 20  # 19 cuts: fine enough for a shift of 0.1 σ, coarse enough to be a metric label
WORDS = 49  # and one bin for the other words: what a page, a legend and a metric label can still carry

Numbers: TypeAlias = NDArray[Any]  # floats or integers, shape (rows,)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by bin, and by slot for those that no bin takes."""

    bins: tuple[int, ...]
    missing: int = 0
    non_finite: int = 0
    below_minimum: int = 0
    above_maximum: int = 0
    unseen: int = 0

    @property
    def rows(self) -> int:
        return sum(self.bins) + self.missing + self.non_finite + self._outside

    @property
    def _outside(self) -> int:
        return self.below_minimum + self.above_maximum + self.unseen

    def add(self, other: "Counts") -> "Counts":
        """The counts of both; they must be over the same bins."""
        return Counts(
            bins=tuple(a + b for a, b in zip(self.bins, other.bins, strict=True)),
            missing=self.missing + other.missing,
            non_finite=self.non_finite + other.non_finite,
            below_minimum=self.below_minimum + other.below_minimum,
            above_maximum=self.above_maximum + other.above_maximum,
            unseen=self.unseen + other.unseen,
        )


class NumericProfile(msgspec.Struct, tag="numeric", tag_field="kind", frozen=True, kw_only=True):
    """A column of numbers. ``cuts`` ascend and are exact in float32; ``counts.bins`` is one longer."""

    cuts: tuple[float, ...]
    minimum: float | None = None
    maximum: float | None = None
    counts: Counts

    def count(self, values: Numbers) -> Counts:
        """Other rows, in these bins."""
        return count_numeric(values, np.array(self.cuts), minimum=self.minimum, maximum=self.maximum)


class CategoryProfile(msgspec.Struct, tag="category", tag_field="kind", frozen=True, kw_only=True):
    """A column of words. ``kept`` are the vocabulary's indices with a bin of their own, ``words`` theirs.

    ``counts.bins`` is one longer: its last bin is for the other words of the vocabulary.
    """

    kept: tuple[int, ...]
    words: tuple[str, ...]
    size: int  # of the vocabulary
    counts: Counts

    def count(self, indices: Numbers) -> Counts:
        """Other rows, in these bins."""
        return fold(count_category(indices, self.size), self.kept)


ColumnProfile: TypeAlias = NumericProfile | CategoryProfile


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of rows looked like: every column, and what the model answered."""

    format: int = FORMAT
    rows: int
    columns: dict[str, ColumnProfile]
    prediction: ColumnProfile

    def add(self, other: "Profile") -> "Profile":
        """The profile of both sets of rows; ``other`` has the same bins (ValueError otherwise)."""
        if self.columns.keys() != other.columns.keys():
            raise ValueError(
                f"profiles of other columns: {sorted(self.columns.keys() ^ other.columns.keys())}"
            )
        columns = {name: add(column, other.columns[name]) for name, column in self.columns.items()}
        prediction = add(self.prediction, other.prediction)
        return Profile(rows=self.rows + other.rows, columns=columns, prediction=prediction)


def profile_numbers(
    values: Numbers, *, minimum: float | None = None, maximum: float | None = None, bins: int = BINS
) -> NumericProfile:
    """Choose bins from these values, as decoded, and count them. The range is the contract's."""
    inside = _within(_decoded(values), minimum, maximum)
    cuts = numeric_cuts(inside, bins=bins)
    counts = count_numeric(values, cuts, minimum=minimum, maximum=maximum)
    return NumericProfile(cuts=tuple(cuts.tolist()), minimum=minimum, maximum=maximum, counts=counts)


def profile_words(indices: Numbers, words: Sequence[object], *, most: int = WORDS) -> CategoryProfile:
    """Count vocabulary indices (NaN missing, −1 unseen), with a bin for each of the ``most`` frequent."""
    everything = count_category(indices, len(words))
    frequent = sorted(range(len(words)), key=lambda i: (-everything.bins[i], i))[:most]
    kept = tuple(sorted(frequent))
    return CategoryProfile(
        kept=kept, words=tuple(str(words[i]) for i in kept), size=len(words), counts=fold(everything, kept)
    )


def numeric_cuts(values: Numbers, *, bins: int = BINS) -> NDArray[np.float64]:
    """The ``bins`` − 1 quantiles of the finite values that differ, ascending, exact in float32.

    A value that is several of them is cut off on both sides (which may add a cut). No finite value:
    no cut, so one bin.

    >>> numeric_cuts(np.arange(1, 9), bins=4)
    array([2., 4., 6.])
    """
    found = _decoded(values)
    found = found[np.isfinite(found)]
    if not len(found):
        return np.empty(0)
    shares = np.arange(1, bins) / bins
    cuts, times = np.unique(np.quantile(found, shares, method="inverted_cdf"), return_counts=True)
    just_below = np.nextafter(cuts[times > 1], np.float32(-np.inf))
    return np.unique(np.concatenate([cuts, just_below])).astype(np.float64)


def count_numeric(
    values: Numbers, cuts: NDArray[np.float64], *, minimum: float | None = None, maximum: float | None = None
) -> Counts:
    """Count numbers into the bins between ``cuts``, shape (bins − 1,)."""
    found = _decoded(values)
    finite = found[np.isfinite(found)]
    inside = _within(finite, minimum, maximum)
    below = 0 if minimum is None else int((finite < np.float32(minimum)).sum())
    missing = int(np.isnan(found).sum())
    place = np.searchsorted(cuts.astype(np.float32), inside, side="left")
    return Counts(
        bins=tuple(np.bincount(place, minlength=len(cuts) + 1).tolist()),
        missing=missing,
        non_finite=len(found) - len(finite) - missing,
        below_minimum=below,
        above_maximum=len(finite) - len(inside) - below,
    )


def count_category(indices: Numbers, size: int) -> Counts:
    """Count vocabulary indices, one bin a word. NaN: missing; −1, or beyond the vocabulary: unseen."""
    missing = np.isnan(indices)
    known = (indices >= 0) & (indices < size)
    bins = np.bincount(indices[known].astype(np.int64), minlength=size)
    absent = int(missing.sum())
    return Counts(bins=tuple(bins.tolist()), missing=absent, unseen=len(indices) - absent - int(known.sum()))


def fold(counts: Counts, kept: Sequence[int]) -> Counts:
    """Leave the bins at ``kept`` as they are and pour all others into a last one."""
    own = tuple(counts.bins[i] for i in kept)
    return msgspec.structs.replace(counts, bins=(*own, sum(counts.bins) - sum(own)))


def add(one: ColumnProfile, other: ColumnProfile) -> ColumnProfile:
    """The counts of both, which must have the same bins (ValueError otherwise)."""
    if msgspec.structs.replace(one, counts=other.counts) != other:
        raise ValueError("profiles over other bins: only counts over the same ones add up")
    return msgspec.structs.replace(one, counts=one.counts.add(other.counts))


def _decoded(values: Numbers) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 is an infinity, and counted as one
        return np.asarray(values).astype(np.float32)


def _within(values: NDArray[np.float32], minimum: float | None, maximum: float | None) -> NDArray[np.float32]:
    """The values inside the range. It is rounded as the values were: a value on the edge is inside."""
    low = np.float32(-np.inf if minimum is None else minimum)
    high = np.float32(np.inf if maximum is None else maximum)
    return values[(values >= low) & (values <= high)]
