"""Survey: what stands in the cells of one column, before anyone says what it means."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import DEFAULT_PARTS, TimePart
from siklus.contract.moments import moment_of, parts_of
from siklus.table import Cells, is_missing, objects

Nature: TypeAlias = Literal[
    "empty", "boolean", "integer", "number", "moment", "string", "tensor", "unreadable"
]
NUMERIC: frozenset[Nature] = frozenset({"boolean", "integer", "number"})

EXACT_INTEGERS = 2**53  # beyond it float64 skips integers, so "whole" says nothing any more
# fromisoformat also takes 20130101, which is as likely a code as a day; a dashed date is never one.
DASHED_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Series: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """One column's cells, and what they have in common.

    ``series``: one float64 a row, NaN where missing, equal where the cells are equal: numbers as they
    are, moments in microseconds since 1970, anything else as the position of its text. ``words``: the
    distinct strings, sorted; empty for all but strings. ``shape``: of a tensor's cells.
    """

    name: str
    nature: Nature
    cells: Cells
    missing: NDArray[np.bool_]
    series: Series
    words: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()

    @cached_property
    def present(self) -> Series:
        """The series without its gaps."""
        return self.series[~self.missing]

    @cached_property
    def distinct(self) -> int:
        return len(np.unique(self.present))

    @property
    def varies(self) -> bool:
        """Whether two rows differ; that a cell is there or not is a difference too."""
        return self.distinct > 1 or bool(self.missing.any())


def survey(name: str, cells: Cells) -> Survey:
    """Look at a column. Whole floats are integers (so come integers with gaps), ISO dates are moments."""
    if cells.dtype.kind in "UT":
        cells = objects(cells.tolist())
    missing = is_missing(cells)
    seen = Survey(name=name, nature="empty", cells=cells, missing=missing, series=np.full(len(cells), np.nan))
    if missing.all():
        return seen
    return _SURVEYS.get(cells.dtype.kind, _unreadable)(seen)


def varying_parts(seen: Survey) -> tuple[TimePart, ...]:
    """Those of month, day, weekday and hour that differ between the moments of a column."""
    moments = np.unique(seen.present).astype(np.int64).astype("datetime64[us]")
    slots = parts_of(moments, DEFAULT_PARTS).T
    return tuple(part for part, slot in zip(DEFAULT_PARTS, slots, strict=True) if len(np.unique(slot)) > 1)


def read_as_moments(seen: Survey) -> Survey:
    """A column of strings as one of moments; as it was when a single word is no moment."""
    moments = [moment_of(word) for word in seen.words]
    if not moments or None in moments:
        return seen
    ticks = np.array(moments, dtype="datetime64[us]").astype(np.int64).astype(np.float64)
    series = np.full(len(seen.cells), np.nan)
    series[~seen.missing] = ticks[seen.present.astype(np.int64)]
    return replace(seen, nature="moment", series=series, words=())


def _booleans(seen: Survey) -> Survey:
    return replace(seen, nature="boolean", series=seen.cells.astype(np.float64))


def _integers(seen: Survey) -> Survey:
    return replace(seen, nature="integer", series=seen.cells.astype(np.float64))


def _floats(seen: Survey) -> Survey:
    series = seen.cells.astype(np.float64)
    values = series[~seen.missing]
    whole = bool(np.all(np.abs(values) <= EXACT_INTEGERS) and np.all(values == np.floor(values)))
    return replace(seen, nature="integer" if whole else "number", series=series)


def _moments(seen: Survey) -> Survey:
    series = seen.cells.astype("datetime64[us]").astype(np.int64).astype(np.float64)
    return replace(seen, nature="moment", series=np.where(seen.missing, np.nan, series))


def _of_objects(seen: Survey) -> Survey:
    cells = seen.cells[~seen.missing].tolist()
    kinds = {type(cell) for cell in cells}
    if kinds == {str}:
        return _strings(seen, cells)
    if kinds == {bool}:
        return replace(seen, nature="boolean", series=_floats_of(seen))
    if kinds <= {int, float}:
        return _floats(replace(seen, cells=_floats_of(seen)))
    if all(issubclass(kind, date) for kind in kinds):
        return read_as_moments(
            replace(_by_word(seen, [cell.isoformat() for cell in cells]), nature="unreadable")
        )
    if kinds <= {list, tuple, np.ndarray}:
        return _lists(seen, cells)
    return _unreadable(seen)


def _strings(seen: Survey, cells: Sequence[str]) -> Survey:
    found = replace(_by_word(seen, cells), nature="string")
    return read_as_moments(found) if all(DASHED_DATE.match(word) for word in found.words) else found


def _lists(seen: Survey, cells: Sequence[object]) -> Survey:
    found = _unreadable(seen)
    shapes = {_shape(cell) for cell in cells}
    shape = shapes.pop()
    return found if shapes or not shape else replace(found, nature="tensor", shape=shape)


def _shape(cell: object) -> tuple[int, ...]:
    """The shape of nested lists of finite numbers; () when they are anything else."""
    try:
        values = np.asarray(cell)
    except ValueError:  # ragged lists
        return ()
    usable = values.dtype.kind in "iuf" and values.size and np.isfinite(values.astype(np.float32)).all()
    return values.shape if usable else ()


def _unreadable(seen: Survey) -> Survey:
    # Such cells need no hash of their own, but their texts do.
    texts = [
        repr(cell.tolist() if isinstance(cell, np.ndarray) else cell) for cell in seen.cells[~seen.missing]
    ]
    return replace(_by_word(seen, texts), nature="unreadable", words=())


def _floats_of(seen: Survey) -> Series:
    """Numbers and booleans as float64; an integer beyond it as infinity."""
    series = np.full(len(seen.cells), np.nan)
    for i in np.flatnonzero(~seen.missing):
        try:
            series[i] = seen.cells[i]
        except OverflowError:
            series[i] = np.inf
    return series


def _by_word(seen: Survey, texts: Sequence[str]) -> Survey:
    """``texts``: one for each cell that is not missing."""
    words = sorted(set(texts))
    place = {word: i for i, word in enumerate(words)}
    series = np.full(len(seen.cells), np.nan)
    series[~seen.missing] = [place[text] for text in texts]
    return replace(seen, series=series, words=tuple(words))


_SURVEYS: Mapping[str, Callable[[Survey], Survey]] = {
    "b": _booleans,
    "i": _integers,
    "u": _integers,
    "f": _floats,
    "M": _moments,
    "O": _of_objects,
}
