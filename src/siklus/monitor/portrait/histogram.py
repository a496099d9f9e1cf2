"""Bars for a page: few enough to be seen, over the range in which nearly all rows lie."""

import msgspec
import numpy as np
from numpy.typing import NDArray

BARS = 40
SHOWN_QUANTILES = (0.001, 0.999)  # one absurd row must not squeeze all others into one bar
NARROW = 1e-9  # of the largest value: floats that near to each other are one bar

Floats = NDArray[np.float64]


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Rows between neighbouring ``edges`` (one more than ``counts``), and those beyond the shown range."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0


def histogram(values: Floats, *, whole: bool) -> Histogram | None:
    """Of finite values, shape (rows,); ``whole``: each bar then holds whole numbers, as many as the next.

    None without a value.
    """
    if not len(values):
        return None
    low, high = shown_range(values)
    edges = _whole_edges(low, high) if whole else _edges(values[(values >= low) & (values <= high)])
    counts = np.histogram(values, bins=edges)[0]
    return Histogram(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        below=int((values < edges[0]).sum()),
        above=int((values > edges[-1]).sum()),
    )


def shown_range(values: Floats) -> tuple[float, float]:
    """All of it, unless the outermost thousandths would stretch it to more than twice the rest."""
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = (float(found) for found in np.quantile(values, SHOWN_QUANTILES))
    if high - low > 2 * (inner_high - inner_low) > 0:
        return inner_low, inner_high
    return low, high


def _whole_edges(low: float, high: float) -> Floats:
    low, high = np.floor(low), np.ceil(high)
    width = max(1.0, np.ceil((high - low + 1) / BARS))
    bars = int((high - low) // width) + 1
    edges: Floats = low - 0.5 + width * np.arange(bars + 1)
    return edges if np.all(np.diff(edges) > 0) else _one_bar(low, high)


def _edges(values: Floats) -> Floats:
    low, high = float(values.min()), float(values.max())
    if high - low <= NARROW * max(abs(low), abs(high)):
        return _one_bar(low, high)
    # Freedman and Diaconis' width, which outliers do not move.
    spread = float(np.subtract(*np.quantile(values, [0.75, 0.25])))
    width = 2 * spread / np.cbrt(len(values))
    bars = BARS if width == 0 else int(np.clip(np.ceil((high - low) / width), 5, BARS))
    return np.linspace(low, high, bars + 1)


def _one_bar(low: float, high: float) -> Floats:
    margin = max(abs(low), abs(high)) / 2 or 0.5
    return np.array([low - margin, high + margin])
