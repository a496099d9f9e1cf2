"""A column over time: spans of equal length, and what it was in each."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.contract.survey import Series, Survey
from siklus.monitor.portrait.column import usable, value_text

SPANS = 30
WORDS = 4  # told one by one, the most frequent
QUARTILES = (0.25, 0.5, 0.75)


class Quartiles(msgspec.Struct, frozen=True, kw_only=True):
    low: float
    median: float
    high: float


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Of a word: the share of a span's rows that have it, 0 to 1; None in a span without rows."""

    word: str
    shares: tuple[float | None, ...]


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """One column by spans of time. ``missing``: shares, 0 to 1, None in a span without rows.

    ``quartiles``: of numbers, None in a span without any. ``words``: of everything else that repeats.
    """

    missing: tuple[float | None, ...]
    quartiles: tuple[Quartiles | None, ...] = ()
    words: tuple[Share, ...] = ()


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """``edges``, one more than ``rows``: in microseconds since 1970, or in the column's own unit."""

    edges: tuple[float, ...]
    rows: tuple[int, ...]
    moments: bool


def spans_of(time: Survey) -> tuple[Spans, NDArray[np.int64]] | None:
    """The spans, and the span of each row (−1 where its time is missing); None where time stands still."""
    inside = usable(time.present) if time.nature in ("moment", "integer", "number") else time.present[:0]
    if not len(inside) or inside.min() == inside.max():
        return None
    distinct = len(np.unique(inside))
    edges = np.linspace(inside.min(), inside.max(), min(SPANS, distinct) + 1)
    place = np.searchsorted(edges, np.where(time.missing, edges[0], time.series), side="right") - 1
    place = place.clip(0, len(edges) - 2)
    place = np.where(time.missing, -1, place).astype(np.int64)
    rows = np.bincount(place[place >= 0], minlength=len(edges) - 1)
    spans = Spans(edges=tuple(edges.tolist()), rows=tuple(rows.tolist()), moments=time.nature == "moment")
    return spans, place


def trend(seen: Survey, spans: Spans, place: NDArray[np.int64]) -> Trend:
    """The column in each of the spans."""
    missing = _shares(seen.missing, place, spans)
    if seen.nature in ("integer", "number"):
        cells = [usable(_in_span(seen, place, span)) for span in range(len(spans.rows))]
        return Trend(missing=missing, quartiles=tuple(_quartiles(values) for values in cells))
    if seen.nature not in ("string", "boolean"):
        return Trend(missing=missing)
    values, counts = np.unique(seen.present, return_counts=True)
    told = values[np.argsort(-counts, kind="stable")[:WORDS]]
    if len(counts) and counts.max() == 1:
        return Trend(missing=missing)
    words = [
        Share(word=value_text(seen, float(value)), shares=_shares(seen.series == value, place, spans))
        for value in told
    ]
    return Trend(missing=missing, words=tuple(words))


def _in_span(seen: Survey, place: NDArray[np.int64], span: int) -> Series:
    found = seen.series[place == span]
    values: Series = found[~np.isnan(found)]
    return values


def _quartiles(values: Series) -> Quartiles | None:
    if not len(values):
        return None
    low, median, high = (float(found) for found in np.quantile(values, QUARTILES))
    return Quartiles(low=low, median=median, high=high)


def _shares(mask: NDArray[np.bool_], place: NDArray[np.int64], spans: Spans) -> tuple[float | None, ...]:
    hits = np.bincount(place[mask & (place >= 0)], minlength=len(spans.rows))
    return tuple(hit / rows if rows else None for hit, rows in zip(hits.tolist(), spans.rows, strict=True))
