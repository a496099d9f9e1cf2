"""Many tests at once: p-values adjusted for how many were made.

`holm` answers "is anything wrong, and what": over the whole family, the chance of even one false alarm is at
most the level. `benjamini_hochberg` ranks: of what it calls real, the share that is not is at most the level
on average.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]


def holm(p: ArrayLike) -> Floats:
    """Family-wise adjusted p-values, in the order given, shape (tests,); no tests: none.

    Whatever depends on what (Holm, Scandinavian Journal of Statistics 6, 1979).

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    given, order = _ordered(p)
    left = len(given) - np.arange(len(given))
    return _restored(np.maximum.accumulate(given[order] * left), order)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted p-values for the false discovery rate, in the order given, shape (tests,).

    For tests that are independent or depend on each other positively (J. R. Statist. Soc. B 57, 1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    given, order = _ordered(p)
    raised = given[order] * len(given) / (1 + np.arange(len(given)))
    return _restored(np.minimum.accumulate(raised[::-1])[::-1], order)


def _ordered(p: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    given = np.asarray(p, dtype=np.float64)
    return given, np.argsort(given, kind="stable")


def _restored(adjusted: Floats, order: NDArray[np.intp]) -> Floats:
    restored = np.empty_like(adjusted)
    restored[order] = np.minimum(adjusted, 1.0)
    return restored
