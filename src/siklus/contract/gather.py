"""Gather: JSON instances, a row each, become columns of cells, which nobody has judged yet.

Rows that all look alike are turned over at once; only among others is each row looked at by itself.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from types import NoneType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.contract.cells import FLOAT32_MAX
from siklus.contract.columns import Boolean, Column, Contract, Integer, Number
from siklus.contract.problems import Problems, shown
from siklus.table import Cells, objects

_NUMBERS: frozenset[type] = frozenset({int, float})

Columns: TypeAlias = dict[str, Sequence[object]]  # by name, in the contract's order


def gather(
    instances: Sequence[object], contract: Contract, problems: Problems
) -> dict[str, Sequence[object]]:
    """The cells of each column, one an instance, None in rows that are refused as a whole.

    RW001, RW002, RW006 and RW011 are noted in ``problems``.
    """
    rows = _alike(instances, contract)
    if rows is None:
        return _one_by_one(instances, contract, problems)
    return dict(zip(contract.names, zip(*rows, strict=True), strict=True))


def cells_of_json(column: Column, given: Sequence[object]) -> tuple[Cells, NDArray[np.bool_] | None]:
    """The cells as an array, typed where that loses nothing, and where they are null (None: nowhere)."""
    kinds = set(map(type, given))
    missing = np.array([cell is None for cell in given], dtype=bool) if NoneType in kinds else None
    kinds.discard(NoneType)
    if isinstance(column, Number | Integer) and kinds <= _NUMBERS:
        numbers = _numbers(given, gaps=0 if missing is None else int(missing.sum()))
        if numbers is not None:
            return numbers, missing
    if isinstance(column, Boolean) and kinds == {bool} and missing is None:
        return np.array(given, dtype=bool), None
    return objects(given), missing


def _numbers(given: Sequence[object], *, gaps: int) -> NDArray[np.float64] | None:
    """The numbers, null as NaN; None where one is refused, because its message shows it as it came."""
    try:
        numbers = np.array(given, dtype=np.float64)
    except OverflowError:  # an integer beyond float64
        return None
    not_numbers = int(np.isnan(numbers).sum())
    too_large = bool((np.abs(numbers) > FLOAT32_MAX).any())
    return None if too_large or not_numbers > gaps else numbers


def _alike(instances: Sequence[object], contract: Contract) -> Sequence[Sequence[object]] | None:
    """The rows as sequences in the contract's order when all are whole lists, or all whole objects."""
    width = len(contract.names)
    kinds = set(map(type, instances))
    if kinds not in ({list}, {dict}):
        return None
    rows: list[list[object]] = instances  # type: ignore[assignment]  # lists or dicts: both have a length
    if width < 2 or set(map(len, rows)) != {width}:
        return None
    if kinds == {list}:
        return rows
    try:
        return list(map(itemgetter(*contract.names), rows))
    except KeyError:  # as many columns, but another one among them
        return None


def _one_by_one(instances: Sequence[object], contract: Contract, problems: Problems) -> Columns:
    columns: dict[str, list[object]] = {name: [] for name in contract.names}
    defaults = [(column.name, default_of(column), column.optional) for column in contract.columns]
    allowed = {*contract.names, *contract.ignored}
    for i, instance in enumerate(instances):
        if isinstance(instance, dict):
            _named_row(instance, i, defaults, columns, problems)
            for key in instance.keys() - allowed:
                problems.add_unknown(str(key), row=i, known=contract.names)
        elif isinstance(instance, list | tuple) and len(instance) == len(columns):
            for cells, cell in zip(columns.values(), instance, strict=True):
                cells.append(cell)
        else:
            _refuse_row(instance, i, contract, problems)
            for cells in columns.values():
                cells.append(None)
    return {**columns}


def default_of(column: Column) -> object:
    return column.default if column.optional else None


def _named_row(
    row: Mapping[object, object],
    i: int,
    defaults: Sequence[tuple[str, object, bool]],
    columns: dict[str, list[object]],
    problems: Problems,
) -> None:
    for name, default, optional in defaults:
        if name in row:
            columns[name].append(row[name])
            continue
        columns[name].append(default)
        if not optional:
            problems.hollow.add(i)
            expected = f"a value for {name!r}"
            problems.add("RW002", "the column is missing", expected=expected, column=name, row=i)


def _refuse_row(instance: object, i: int, contract: Contract, problems: Problems) -> None:
    problems.hollow.add(i)
    if isinstance(instance, list | tuple):
        expected = f"{len(contract.names)} values, in the order {', '.join(contract.names)}"
        problems.add("RW006", f"{len(instance)} values", expected=expected, column=None, row=i)
    else:
        expected = "an object by column name, or a list"
        problems.add("RW011", f"{shown(instance)} is no row", expected=expected, column=None, row=i)
