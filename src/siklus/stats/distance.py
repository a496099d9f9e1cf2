"""How far a window's histogram is from the reference's, in the measures that people know.

They are reported, not judged by: what chance alone makes of them depends on the rows (`siklus.stats.shift`
knows how). All are 0 for equal shares.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from siklus.stats.profile import ColumnProfile, Counts

Distance: TypeAlias = Callable[[ColumnProfile, Counts], float | None]


def psi(reference: ColumnProfile, window: Counts) -> float | None:
    raise NotImplementedError


def jensen_shannon(reference: ColumnProfile, window: Counts) -> float | None:
    raise NotImplementedError


def hellinger(reference: ColumnProfile, window: Counts) -> float | None:
    raise NotImplementedError


def wasserstein(reference: ColumnProfile, window: Counts) -> float | None:
    raise NotImplementedError


# By name: each takes the reference profile of a column and a window's counts over its bins, and is None where
# it is not defined (no rows; Wasserstein: words, or a reference without spread).
DISTANCES: Mapping[str, Distance] = {
    "psi": psi,
    "jensen-shannon": jensen_shannon,
    "hellinger": hellinger,
    "wasserstein": wasserstein,
}
