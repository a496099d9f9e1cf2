"""The quick way through decode, for a body of one plain row: what `decode_records` says of it, or nothing.

`{"features": …}` is parsed straight into the contract's types, and the rows that wait together become one
matrix. Whatever is not plain (a wrong type, an unknown column, a number beyond float32, a refused word) is
left to `decode_records`, which knows how to say what is wrong; so the two cannot differ in what they refuse.
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from siklus.contract.cells import FLOAT32_MAX
from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Tensor,
    Text,
    slots_of,
)
from siklus.contract.decode import Decoded, Rows
from siklus.contract.moments import decode_moments
from siklus.contract.problems import Problems
from siklus.table import objects

Row: TypeAlias = tuple[Any, ...]  # the cells in the contract's order

_BEGINNING = re.compile(rb'\s*\{\s*"features"\s*:\s*([\[{])')
# 3.0 is 3, as tables with gaps send it. Below 2^53 every whole number is a float64, so none is rounded
# before it is looked at.
_Whole: TypeAlias = Annotated[float, msgspec.Meta(gt=-(2**53), lt=2**53, multiple_of=1)]
_TYPES: Mapping[type, Any] = {Number: float, Integer: _Whole, Boolean: bool, Datetime: str}


class QuickReader:
    """Reads what keeps the contract, and only that; made once a contract. See `can_read`."""

    def __init__(self, contract: Contract) -> None:
        columns = contract.columns
        self._count = len(columns)
        listed: Any = tuple[tuple(map(_type_of, columns))]  # type: ignore[misc]  # made of values
        self._listed = msgspec.json.Decoder(_body_of(listed))
        self._named = msgspec.json.Decoder(_body_of(_named_row(contract)))
        ends = list(accumulate(len(slots_of(column)) for column in columns))
        self._width = contract.width
        self._words = [
            (i, _index_of(column)) for i, column in enumerate(columns) if isinstance(column, Category)
        ]
        self._moments = [
            (i, column, ends[i] - len(column.parts))
            for i, column in enumerate(columns)
            if isinstance(column, Datetime)
        ]
        self._plain = [ends[i] - 1 for i, column in enumerate(columns) if not isinstance(column, Datetime)]
        self._checked = [
            _Checked(ends[i] - 1, column) for i, column in enumerate(columns) if _is_checked(column)
        ]
        # A column without a range has that of float32.
        self._low = np.full(self._width, -FLOAT32_MAX)
        self._high = np.full(self._width, FLOAT32_MAX)
        for checked in self._checked:
            self._low[checked.slot], self._high[checked.slot] = checked.low, checked.high

    @staticmethod
    def can_read(contract: Contract) -> bool:
        """Whether each of its columns has its place in the matrix."""
        return not any(isinstance(column, Text | Tensor) for column in contract.columns)

    def row(self, body: bytes) -> Row | None:
        """The row of `{"features": …}`; None where this is no plain one."""
        beginning = _BEGINNING.match(body)
        if beginning is None:
            return None
        try:
            if beginning[1] == b"[":
                listed: Row = self._listed.decode(body).features
                return listed
            return msgspec.structs.astuple(self._named.decode(body).features)[: self._count]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def rows(self, waiting: Sequence[Row]) -> Decoded | None:
        """The rows together, in their order; None when `decode_records` would refuse one of them."""
        matrix = self._numbers([self._indexed(row) for row in waiting] if self._words else waiting)
        if matrix is None:
            return None
        unseen: dict[str, int] = {}
        out_of_range: dict[str, int] = {}
        outside = (matrix < self._low) | (matrix > self._high)
        if outside.any():
            # fmax passes over NaN, which is a missing cell here: JSON has no other.
            if np.fmax.reduce(np.abs(matrix), axis=None) > FLOAT32_MAX:
                return None
            times = outside.sum(axis=0).tolist()
            for checked in self._checked:
                found = times[checked.slot]
                if found and checked.strict:
                    return None
                if found:
                    (unseen if checked.is_word else out_of_range)[checked.name] = found
        return Decoded(Rows(matrix.astype(np.float32), {}, {}), [], 0, unseen, out_of_range)

    def _indexed(self, row: Row) -> list[Any]:
        cells = list(row)
        for i, index in self._words:
            cells[i] = index.get(cells[i], -1)
        return cells

    def _numbers(self, waiting: Sequence[Sequence[Any]]) -> NDArray[np.float64] | None:
        if not self._moments:
            return np.array(waiting, dtype=np.float64)
        matrix = np.empty((len(waiting), self._width))
        columns = list(zip(*waiting, strict=True))
        for i, column, slot in self._moments:
            problems = Problems()
            parts = decode_moments(column, objects(list(columns[i])), problems, nan_is_missing=False)
            if problems.count:
                return None
            matrix[:, slot : slot + len(column.parts)] = parts
        moments = {i for i, _, _ in self._moments}
        plain = [cells for i, cells in enumerate(columns) if i not in moments]
        if plain:
            matrix[:, self._plain] = np.array(plain, dtype=np.float64).T
        return matrix


class _Checked:
    """A column with a range; that of a word is all that is not the -1 of an unseen one."""

    def __init__(self, slot: int, column: Column) -> None:
        self.slot = slot
        self.name = column.name
        self.strict = column.strict
        self.is_word = isinstance(column, Category)
        low, high = (0, None) if isinstance(column, Category) else _range_of(column)
        self.low = -FLOAT32_MAX if low is None else max(low, -FLOAT32_MAX)
        self.high = FLOAT32_MAX if high is None else min(high, FLOAT32_MAX)


def _is_checked(column: Column) -> bool:
    return isinstance(column, Category) or _range_of(column) != (None, None)


def _range_of(column: Column) -> tuple[float | None, float | None]:
    return (column.minimum, column.maximum) if isinstance(column, Number | Integer) else (None, None)


def _type_of(column: Column) -> Any:
    if isinstance(column, Category):
        kind = str if isinstance(column.vocabulary[0], str) else _Whole
    else:
        kind = _TYPES[type(column)]
    return kind | None if column.nullable else kind


def _index_of(column: Category) -> Mapping[Any, float]:
    return {**{word: i for i, word in enumerate(column.vocabulary)}, None: math.nan}


def _named_row(contract: Contract) -> type[msgspec.Struct]:
    """An object by column name, which may hold what the contract ignores as well."""
    # A column may have any name, and a field may not.
    names = {f"c{i}": name for i, name in enumerate((*contract.names, *contract.ignored))}
    fields: list[Any] = []
    for field, column in zip(names, contract.columns, strict=False):
        default = (column.default,) if column.optional else ()
        fields.append((field, _type_of(column), *default))
    ignored = list(names)[len(contract.columns) :]
    fields += [(field, Any, UNSET) for field in ignored]
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True)


def _body_of(row: Any) -> type[Any]:
    return msgspec.defstruct("Body", [("features", row)], forbid_unknown_fields=True)
