"""Decode: the one code that turns cells into float32 rows, in training and in serving alike.

A JSON object, a positional list and a training cell all end here, column by column: numbers as they
are, missing as NaN, a category as its index in the vocabulary (unseen: -1), a moment as its declared
parts. Everything after it (impute, scale, one-hot, model) belongs to the model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from siklus.contract.cells import (
    FLOAT32_MAX,
    decode_booleans,
    decode_categories,
    decode_numbers,
    decode_tensors,
    decode_texts,
    numbers_of,
)
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
    slots_of,
)
from siklus.contract.gather import cells_of_json, default_of, gather
from siklus.contract.moments import decode_moments
from siklus.contract.problems import PROBLEMS_KEPT, Problems, shown
from siklus.errors import RowProblem, RowsRefused
from siklus.table import Cells, FloatRows, Table, is_missing, objects

__all__ = [
    "FLOAT32_MAX",
    "PROBLEMS_KEPT",
    "Decoded",
    "FloatRows",
    "Rows",
    "class_indices",
    "decode_records",
    "decode_table",
    "decode_target",
]


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
    """Decode a training or batch table: a cell that is NaN, NaT or None is missing.

    Columns that only a table may have (target, ignored) are passed over.
    """
    problems = Problems()
    known = {*contract.names, contract.target.name, *contract.ignored}
    for name in table:
        if name not in known:
            problems.add_unknown(name, row=None, known=contract.names)
    cells, absent = {}, set()
    for column in contract.columns:
        if column.name in table:
            cells[column.name] = table[column.name]
            continue
        cells[column.name] = objects([default_of(column)] * len(table))
        if not column.optional:
            absent.add(column.name)
            expected = f"a column {column.name!r}"
            problems.add("RW002", "the column is missing", expected=expected, column=column.name, row=None)
    for column in contract.columns:
        if not column.nullable and column.name not in absent:
            _refuse_missing(column, is_missing(cells[column.name]), problems)
    return _decode_columns(cells, len(table), contract, problems, nan_is_missing=True)


def decode_records(instances: Sequence[object], contract: Contract) -> Decoded:
    """Decode JSON instances: objects by column name, or lists in the contract's order, mixed at will.

    Here only null is missing: a NaN or an infinity (which is no JSON, but some encoders write it) is refused.
    An object may have what the contract ignores, so that a row can be sent as its source has it.
    """
    problems = Problems()
    arrays = {}
    for column, given in zip(contract.columns, gather(instances, contract, problems).values(), strict=True):
        arrays[column.name], missing = cells_of_json(column, given)
        if missing is not None and not column.nullable:
            _refuse_missing(column, missing, problems)
    return _decode_columns(arrays, len(instances), contract, problems, nan_is_missing=False)


def decode_target(table: Table, contract: Contract) -> NDArray[np.int64] | NDArray[np.float64]:
    """The target of a training table: the index of each class (int64), or the number (float64).

    RowsRefused when a cell is missing or no class of the contract.
    """
    problems = Problems()
    target = contract.target
    cells = table[target.name]
    missing = is_missing(cells)
    answer: NDArray[np.int64] | NDArray[np.float64]
    if target.classes is None:
        # A target keeps its precision: nothing forces it through float32.
        answer = numbers_of(Number(name=target.name), cells, problems, nan_is_missing=True)
    else:
        answer = class_indices(cells, target.classes)
        expected = f"one of {shown(list(target.classes))}"
        problems.refuse_where((answer < 0) & ~missing, cells, "RW008", expected=expected, column=target.name)
    for i in np.flatnonzero(missing):
        expected = "a value in each row"
        problems.add("RW004", "the target is missing", expected=expected, column=target.name, row=int(i))
    if problems.kept:
        raise RowsRefused(sorted(problems.kept, key=_by_row), total=problems.count)
    return answer


def class_indices(cells: Cells, classes: Sequence[Label]) -> NDArray[np.int64]:
    """The position of each cell in ``classes``, -1 where none. 1, 1.0 and True are one, "1" is another."""
    index: dict[object, int] = {word: i for i, word in enumerate(classes)}
    labels = (cell if isinstance(cell, str | int | float) else None for cell in cells.tolist())
    return np.fromiter((index.get(label, -1) for label in labels), dtype=np.int64, count=len(cells))


def _refuse_missing(column: Column, missing: NDArray[np.bool_], problems: Problems) -> None:
    expected = "a value: the column is not nullable"
    for i in np.flatnonzero(missing):
        if int(i) not in problems.hollow:
            problems.add("RW004", "a missing value", expected=expected, column=column.name, row=int(i))


def _decode_columns(
    cells: Mapping[str, Cells], count: int, contract: Contract, problems: Problems, *, nan_is_missing: bool
) -> Decoded:
    matrix = np.empty((count, contract.width), dtype=np.float32)
    texts: dict[str, Cells] = {}
    tensors: dict[str, FloatRows] = {}
    at = 0
    for column in contract.columns:
        values = cells[column.name]
        if isinstance(column, Text):
            texts[column.name] = decode_texts(column, values, problems, nan_is_missing=nan_is_missing)
        elif isinstance(column, Tensor):
            tensors[column.name] = decode_tensors(column, values, problems, nan_is_missing=nan_is_missing)
        else:
            width = len(slots_of(column))
            decode = _DECODERS[type(column)]
            matrix[:, at : at + width] = decode(column, values, problems, nan_is_missing=nan_is_missing)
            at += width
    return Decoded(
        Rows(matrix, texts, tensors), problems.kept, problems.count, problems.unseen, problems.out_of_range
    )


_DECODERS: Mapping[type, Callable[..., FloatRows]] = {
    Number: decode_numbers,
    Integer: decode_numbers,
    Category: decode_categories,
    Boolean: decode_booleans,
    Datetime: decode_moments,
}


def _by_row(problem: RowProblem) -> tuple[int, str]:
    return (-1 if problem.row is None else problem.row, problem.column or "")
