"""Table: equal-length named numpy columns. What every source gives and every step reads."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.errors import DataError

Cells: TypeAlias = NDArray[Any]  # shape (rows,), as Table says
FloatRows: TypeAlias = NDArray[np.float32]  # shape (rows, …)


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of one length, each a one-dimensional numpy array.

    Cells are float, int, bool, datetime64[us] (UTC) or Python objects (str, list, None). A missing
    cell is NaN, NaT or None. Integers with gaps are floats with NaN; booleans with gaps are objects.
    """

    columns: Mapping[str, Cells]

    def __post_init__(self) -> None:
        lengths = {len(cells) for cells in self.columns.values()}
        if len(lengths) > 1:
            raise DataError("DA001", f"columns of unequal length: {sorted(lengths)}", expected="one length")

    def __len__(self) -> int:
        return next((len(cells) for cells in self.columns.values()), 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> Cells:
        try:
            return self.columns[name]
        except KeyError:
            raise DataError("DA002", f"no column {name!r}", expected=f"one of {list(self.columns)}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table) or list(self) != list(other):
            return False
        return all(_same(self[name], other[name]) for name in self)

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Table":
        """The rows at these positions, or where the mask is true."""
        return Table({name: cells[rows] for name, cells in self.columns.items()})

    def select(self, names: Iterable[str]) -> "Table":
        return Table({name: self[name] for name in names})

    def drop(self, names: Iterable[str]) -> "Table":
        gone = set(names)
        return Table({name: cells for name, cells in self.columns.items() if name not in gone})

    def with_column(self, name: str, cells: Cells) -> "Table":
        return Table({**self.columns, name: cells})

    def records(self) -> Iterator[dict[str, object]]:
        """Rows as dictionaries of plain Python values, a missing cell as None."""
        lists = [_plain(cells) for cells in self.columns.values()]
        for row in zip(*lists, strict=True):
            yield dict(zip(self.columns, row, strict=True))


def is_missing(cells: Cells) -> NDArray[np.bool_]:
    """True where a cell is NaN, NaT or None."""
    if cells.dtype.kind == "f":
        return np.isnan(cells)
    if cells.dtype.kind == "M":
        return np.isnat(cells)
    if cells.dtype.kind == "O":
        # Millions of cells: a call for each would be most of the time.
        return np.array(
            [cell is None or (isinstance(cell, float) and cell != cell) for cell in cells.tolist()],
            dtype=bool,
        )
    return np.zeros(len(cells), dtype=bool)


def is_nan(cell: object) -> bool:
    """True for a float that is NaN; a list or an array has no missing form of its own."""
    return isinstance(cell, float) and math.isnan(cell)


def concatenate(tables: Sequence[Table]) -> Table:
    """Rows of all tables, which have the same columns, one under the other."""
    first = tables[0]
    return Table({name: np.concatenate([table[name] for table in tables]) for name in first})


def objects(values: Iterable[object]) -> Cells:
    """A one-dimensional object array, also of lists (which numpy would otherwise nest)."""
    return np.fromiter(values, dtype=object)


def _plain(cells: Cells) -> list[object]:
    missing = is_missing(cells)
    values: list[object] = cells.tolist()
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]


def _same(left: Cells, right: Cells) -> bool:
    if left.dtype.kind != right.dtype.kind or len(left) != len(right):
        return False
    gone = is_missing(left)
    if not np.array_equal(gone, is_missing(right)):
        return False
    return bool(np.all(left[~gone] == right[~gone]))
