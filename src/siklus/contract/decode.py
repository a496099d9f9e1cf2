"""Decode: the one code that turns cells into float32 rows, in training and in serving alike.

A JSON object, a positional list and a training cell all end here, column by column: numbers as they
are, missing as NaN, a category as its index in the vocabulary (unseen: -1), a moment as its declared
parts. Everything after it (impute, scale, one-hot, model) belongs to the model.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Label,
    Number,
    Tensor,
    Text,
    TimePart,
    slots_of,
)
from siklus.errors import RowProblem, RowsRefused
from siklus.table import Cells, Table, is_missing, objects

FLOAT32_MAX = float(np.finfo(np.float32).max)
PROBLEMS_KEPT = 20  # per column: enough to see a pattern, small enough for an HTTP answer
SHOWN_CHARACTERS = 60  # of a refused value, so that an answer never carries a whole payload back

FloatRows = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Decoded rows, ready for a model.

    ``matrix``: float32, shape (rows, contract.width), NaN where missing. ``texts``: object arrays of
    str or None, shape (rows,). ``tensors``: float32, shape (rows, *column.shape).
    """

    matrix: FloatRows
    texts: Mapping[str, Cells]
    tensors: Mapping[str, FloatRows]

    def __len__(self) -> int:
        return len(self.matrix)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Rows":
        return Rows(
            self.matrix[rows],
            {name: cells[rows] for name, cells in self.texts.items()},
            {name: cells[rows] for name, cells in self.tensors.items()},
        )


@dataclass
class Decoded:
    """Rows, with what did not keep the contract: a refused cell reads as missing in ``rows``.

    ``problems`` holds the first 20 a column, ``problem_count`` counts all. ``unseen`` and
    ``out_of_range`` count, per column, what was let through because the column is not strict.
    """

    rows: Rows
    problems: list[RowProblem] = field(default_factory=list)
    problem_count: int = 0
    unseen: dict[str, int] = field(default_factory=dict)
    out_of_range: dict[str, int] = field(default_factory=dict)

    def accepted(self) -> Rows:
        """The rows, or RowsRefused when a single cell breaks the contract."""
        if self.problems:
            raise RowsRefused(sorted(self.problems, key=_by_row), total=self.problem_count)
        return self.rows


def decode_table(table: Table, contract: Contract) -> Decoded:
    """Decode a training or batch table. Columns that only a table may have (target, ignored) are passed over."""
    findings = _Findings()
    known = {*contract.names, contract.target.name, *contract.ignored}
    for name in table:
        if name not in known:
            findings.add(name, None, "RW001", f"the contract has no column {name!r}", "only the contract's columns")
    cells = {}
    for column in contract.columns:
        if column.name in table:
            cells[column.name] = table[column.name]
        else:
            if not column.optional:
                findings.add(column.name, None, "RW002", "the column is missing", f"a column {column.name!r}")
            cells[column.name] = objects([_default_of(column)] * len(table))
    return _decode_columns(cells, len(table), contract, findings, nan_is_missing=True)


def decode_records(instances: Sequence[object], contract: Contract) -> Decoded:
    """Decode JSON instances: objects by column name, or lists in the contract's order, mixed at will.

    Here only null is missing: a NaN or an infinity (which is no JSON, but some encoders write it) is refused.
    """
    findings = _Findings()
    columns: dict[str, list[object]] = {name: [] for name in contract.names}
    defaults = [(column.name, _default_of(column), column.optional) for column in contract.columns]
    for i, instance in enumerate(instances):
        if isinstance(instance, dict):
            _named_row(instance, i, defaults, columns, findings)
        elif isinstance(instance, list | tuple):
            _positional_row(instance, i, columns, findings)
        else:
            findings.add(None, i, "RW011", f"{_shown(instance)} is no row", "an object by column name, or a list")
            for cells in columns.values():
                cells.append(None)
    arrays = {name: objects(cells) for name, cells in columns.items()}
    return _decode_columns(arrays, len(instances), contract, findings, nan_is_missing=False)


def decode_target(table: Table, contract: Contract) -> NDArray[np.int64] | NDArray[np.float64]:
    """The target of a training table: the index of each class (int64), or the number (float64).

    RowsRefused when a cell is missing or no class of the contract.
    """
    findings = _Findings()
    target = contract.target
    cells = table[target.name]
    answer: NDArray[np.int64] | NDArray[np.float64]
    if target.classes is None:
        column = Number(name=target.name)
        answer = _numbers(column, cells, findings, nan_is_missing=True)[:, 0].astype(np.float64)
        if cells.dtype.kind in "iuf":
            answer = cells.astype(np.float64)  # a target keeps its precision: nothing forces it through float32
    else:
        answer = class_indices(cells, target.classes)
        for i in np.flatnonzero((answer < 0) & ~is_missing(cells))[:PROBLEMS_KEPT]:
            classes = f"one of {list(target.classes)}"
            findings.add(target.name, int(i), "RW008", f"{_shown(cells[i])} is no class", classes)
    for i in np.flatnonzero(is_missing(cells))[:PROBLEMS_KEPT]:
        findings.add(target.name, int(i), "RW004", "the target is missing", "a value in each row")
    if findings.problems:
        raise RowsRefused(findings.problems, total=findings.count)
    return answer


def class_indices(cells: Cells, classes: Sequence[Label]) -> NDArray[np.int64]:
    """The position of each cell in ``classes``, -1 where it is none. 1, 1.0 and True are told apart from "1" only."""
    index = {word: i for i, word in enumerate(classes)}
    return np.fromiter((index.get(cell, -1) for cell in cells.tolist()), dtype=np.int64, count=len(cells))


class _Findings:
    """Collects problems, a bounded number a column."""

    def __init__(self) -> None:
        self.problems: list[RowProblem] = []
        self.count = 0
        self.unseen: dict[str, int] = {}
        self.out_of_range: dict[str, int] = {}
        self._per_column: dict[str | None, int] = {}

    def add(self, column: str | None, row: int | None, code: str, message: str, expected: str) -> None:
        self.count += 1
        kept = self._per_column.get(column, 0)
        if kept < PROBLEMS_KEPT:
            self._per_column[column] = kept + 1
            self.problems.append(RowProblem(code=code, row=row, column=column, message=message, expected=expected))

    def add_where(self, column: Column, bad: NDArray[np.bool_], cells: Cells, code: str, expected: str) -> None:
        """One problem for each true place, with the value that stood there."""
        for i in np.flatnonzero(bad):
            self.add(column.name, int(i), code, f"{_shown(cells[i])} is refused", expected)


def _named_row(
    row: Mapping[object, object],
    i: int,
    defaults: Sequence[tuple[str, object, bool]],
    columns: dict[str, list[object]],
    findings: _Findings,
) -> None:
    present = 0
    for name, default, optional in defaults:
        if name in row:
            columns[name].append(row[name])
            present += 1
            continue
        columns[name].append(default)
        if not optional:
            findings.add(name, i, "RW002", "the column is missing", f"a value for {name!r}")
    if present < len(row):
        for key in row:
            if key not in columns:
                findings.add(_shown(key), i, "RW001", f"the contract has no column {_shown(key)}", f"of {list(columns)}")


def _positional_row(
    row: Sequence[object], i: int, columns: dict[str, list[object]], findings: _Findings
) -> None:
    if len(row) == len(columns):
        for cells, cell in zip(columns.values(), row, strict=True):
            cells.append(cell)
        return
    findings.add(None, i, "RW006", f"{len(row)} values", f"{len(columns)} values, in the order {list(columns)}")
    for cells in columns.values():
        cells.append(None)


def _decode_columns(
    cells: Mapping[str, Cells], count: int, contract: Contract, findings: _Findings, *, nan_is_missing: bool
) -> Decoded:
    matrix = np.empty((count, contract.width), dtype=np.float32)
    texts: dict[str, Cells] = {}
    tensors: dict[str, FloatRows] = {}
    # A row that is refused as a whole has no cells to speak of: a second complaint would only hide the first.
    whole = {problem.row for problem in findings.problems if problem.column is None or problem.code == "RW002"}
    at = 0
    for column in contract.columns:
        values = cells[column.name]
        if not column.nullable:
            missing = is_missing(values) if nan_is_missing else np.array([cell is None for cell in values], dtype=bool)
            for i in np.flatnonzero(missing):
                if int(i) not in whole and None not in whole:
                    findings.add(column.name, int(i), "RW004", "a missing value", "a value: the column is not nullable")
        if isinstance(column, Text):
            texts[column.name] = _texts(column, values, findings)
        elif isinstance(column, Tensor):
            tensors[column.name] = _tensors(column, values, findings)
        else:
            width = len(slots_of(column))
            block = _DECODERS[type(column)](column, values, findings, nan_is_missing=nan_is_missing)
            matrix[:, at : at + width] = block
            at += width
    return Decoded(
        Rows(matrix, texts, tensors), findings.problems, findings.count, findings.unseen, findings.out_of_range
    )


def _numbers(column: Number | Integer, cells: Cells, findings: _Findings, *, nan_is_missing: bool) -> FloatRows:
    if cells.dtype.kind in "iuf":
        values = cells.astype(np.float64)
    else:
        values = _numbers_of_objects(column, cells, findings, nan_is_missing=nan_is_missing)
    too_large = np.abs(values) > FLOAT32_MAX  # an infinity too
    if too_large.any():
        findings.add_where(column, too_large, cells, "RW005", "a finite number within float32")
        values = np.where(too_large, np.nan, values)
    if isinstance(column, Integer):
        broken = (values != np.floor(values)) & ~np.isnan(values)
        if broken.any():
            findings.add_where(column, broken, cells, "RW003", "a whole number")
    _check_range(column, values, findings)
    return values.astype(np.float32)[:, None]


def _numbers_of_objects(column: Column, cells: Cells, findings: _Findings, *, nan_is_missing: bool) -> NDArray[np.float64]:
    values = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells.tolist()):
        kind = type(cell)
        if kind is float or kind is int:
            try:
                values[i] = cell
            except OverflowError:  # an integer beyond float64
                values[i] = math.inf
            if cell != cell and not nan_is_missing:
                findings.add(column.name, i, "RW005", "NaN is refused", "a finite number, or null where allowed")
        elif cell is not None:
            findings.add(column.name, i, "RW003", f"{_shown(cell)} is refused", "a number")
    return values


def _check_range(column: Number | Integer, values: NDArray[np.float64], findings: _Findings) -> None:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    outside = (values < low) | (values > high)
    if not outside.any():
        return
    if column.strict:
        findings.add_where(column, outside, values, "RW007", f"between {low:g} and {high:g}")
    else:
        findings.out_of_range[column.name] = int(outside.sum())


def _categories(column: Category, cells: Cells, findings: _Findings, *, nan_is_missing: bool) -> FloatRows:
    index: dict[object, int] = {word: i for i, word in enumerate(column.vocabulary)}
    word_type = type(column.vocabulary[0])
    values = np.full(len(cells), np.nan, dtype=np.float32)
    unseen = 0
    for i, cell in enumerate(cells.tolist()):
        if cell is None:
            continue
        if type(cell) is float and word_type is int:
            # Integers with gaps come as floats from tables; 3.0 is 3 there and in JSON alike.
            if cell != cell and nan_is_missing:
                continue
            cell = int(cell) if cell.is_integer() else cell
        if type(cell) is not word_type:
            if type(cell) is float and cell != cell and nan_is_missing:
                continue
            wanted = "a string" if word_type is str else "an integer"
            findings.add(column.name, i, "RW003", f"{_shown(cell)} is refused", wanted)
            continue
        place = index.get(cell, -1)
        values[i] = place
        if place < 0:
            unseen += 1
            if column.strict:
                findings.add(column.name, i, "RW008", f"{_shown(cell)} is not in the vocabulary", _words(column))
    if unseen and not column.strict:
        findings.unseen[column.name] = unseen
    return values[:, None]


def _booleans(column: Boolean, cells: Cells, findings: _Findings, *, nan_is_missing: bool) -> FloatRows:
    if cells.dtype.kind == "b":
        return cells.astype(np.float32)[:, None]
    values = np.full(len(cells), np.nan, dtype=np.float32)
    for i, cell in enumerate(cells.tolist()):
        if type(cell) is bool:
            values[i] = cell
        elif cell is not None and not (nan_is_missing and cell != cell):
            findings.add(column.name, i, "RW003", f"{_shown(cell)} is refused", "true or false")
    return values[:, None]


def _datetimes(column: Datetime, cells: Cells, findings: _Findings, *, nan_is_missing: bool) -> FloatRows:
    if cells.dtype.kind == "M":
        moments = cells.astype("datetime64[us]")
    else:
        moments = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[us]")
        for i, cell in enumerate(cells.tolist()):
            if cell is None or (nan_is_missing and cell != cell):
                continue
            moment = _moment(cell)
            if moment is None:
                findings.add(column.name, i, "RW009", f"{_shown(cell)} is refused", "a moment as ISO 8601")
            else:
                moments[i] = moment
    parts = [_PARTS[part](moments) for part in column.parts]
    block = np.stack(parts, axis=1).astype(np.float32)
    block[np.isnat(moments)] = np.nan
    return block


def _moment(cell: object) -> np.datetime64 | None:
    """The moment in UTC; None when the cell is none."""
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell)
        except ValueError:
            return None
    if isinstance(cell, datetime):
        return np.datetime64(cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell, "us")
    if isinstance(cell, date):
        return np.datetime64(cell, "us")
    return None


def _texts(column: Text, cells: Cells, findings: _Findings) -> Cells:
    values = np.full(len(cells), None, dtype=object)
    for i, cell in enumerate(cells.tolist()):
        if type(cell) is str:
            values[i] = cell
        elif cell is not None and cell == cell:
            findings.add(column.name, i, "RW003", f"{_shown(cell)} is refused", "a string")
    return values


def _tensors(column: Tensor, cells: Cells, findings: _Findings) -> FloatRows:
    values = np.full((len(cells), *column.shape), np.nan, dtype=np.float32)
    wanted = f"nested lists of finite numbers of shape {list(column.shape)}"
    for i, cell in enumerate(cells):
        if cell is None:
            continue
        if isinstance(cell, float) and cell != cell:
            continue
        try:
            found = np.asarray(cell)
        except ValueError:  # ragged lists
            found = np.empty(0, dtype=object)
        if found.shape != column.shape or found.dtype.kind not in "iuf":
            findings.add(column.name, i, "RW010", f"{_shown(cell)} is refused", wanted)
        elif not (np.abs(found.astype(np.float64)) <= FLOAT32_MAX).all():
            findings.add(column.name, i, "RW005", "a number that is not finite", wanted)
        else:
            values[i] = found
    return values


_Moments = NDArray[np.datetime64]
_DAY = np.timedelta64(1, "D")


def _weekday(moments: _Moments) -> NDArray[np.float64]:
    days = moments.astype("datetime64[D]").astype(np.int64)
    return ((days + 3) % 7).astype(np.float64)  # 1970-01-01 was a Thursday; Monday is 0


_PARTS: Mapping[TimePart, Callable[[_Moments], NDArray[np.float64]]] = {
    "year": lambda t: t.astype("datetime64[Y]").astype(np.int64).astype(np.float64) + 1970,
    "month": lambda t: (t.astype("datetime64[M]").astype(np.int64) % 12).astype(np.float64) + 1,
    "day": lambda t: (t.astype("datetime64[D]") - t.astype("datetime64[M]").astype("datetime64[D]")) / _DAY + 1,
    "weekday": _weekday,
    "hour": lambda t: np.floor((t - t.astype("datetime64[D]")) / np.timedelta64(1, "h")),
    "minute": lambda t: np.floor((t - t.astype("datetime64[h]")) / np.timedelta64(1, "m")),
    "dayofyear": lambda t: (t.astype("datetime64[D]") - t.astype("datetime64[Y]").astype("datetime64[D]")) / _DAY + 1,
    "days": lambda t: (t - np.datetime64("1970-01-01", "us")) / _DAY,
}

_DECODERS: Mapping[type, Callable[..., FloatRows]] = {
    Number: _numbers,
    Integer: _numbers,
    Category: _categories,
    Boolean: _booleans,
    Datetime: _datetimes,
}


def _default_of(column: Column) -> object:
    return column.default if column.optional else None


def _words(column: Category) -> str:
    shown = ", ".join(repr(word) for word in column.vocabulary[:8])
    return f"one of {shown}" + (f" … ({len(column.vocabulary)} words)" if len(column.vocabulary) > 8 else "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _by_row(problem: RowProblem) -> tuple[int, str]:
    return (-1 if problem.row is None else problem.row, problem.column or "")
