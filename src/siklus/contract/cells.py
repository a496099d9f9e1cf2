"""Cells of one column to numbers, a function a kind: what they all refuse, and under which code.

``nan_is_missing``: in a table NaN stands for a missing cell; in JSON it is refused like an infinity.
"""

import math
from collections.abc import Mapping
from itertools import repeat
from types import NoneType

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Boolean, Category, Integer, Number, Tensor, Text
from siklus.contract.problems import Problems
from siklus.table import Cells, FloatRows, is_nan

FLOAT32_MAX = float(np.finfo(np.float32).max)


def decode_numbers(
    column: Number | Integer, cells: Cells, problems: Problems, *, nan_is_missing: bool
) -> FloatRows:
    """The numbers, shape (rows, 1)."""
    values = numbers_of(column, cells, problems, nan_is_missing=nan_is_missing)
    values = _within_range(column, values, problems)
    return values.astype(np.float32)[:, None]


def numbers_of(
    column: Number | Integer, cells: Cells, problems: Problems, *, nan_is_missing: bool
) -> NDArray[np.float64]:
    """The numbers in full precision, shape (rows,): RW003 what is none, RW005 what float32 cannot hold."""
    if cells.dtype.kind in "iuf":
        values = cells.astype(np.float64)
    else:
        values = _numbers_of_objects(column, cells, problems, nan_is_missing=nan_is_missing)
    too_large = np.abs(values) > FLOAT32_MAX  # an infinity too
    if too_large.any():
        expected = "a finite number within float32"
        problems.refuse_where(too_large, cells, "RW005", expected=expected, column=column.name)
        values = np.where(too_large, np.nan, values)
    if isinstance(column, Integer):
        broken = (values != np.floor(values)) & ~np.isnan(values)
        if broken.any():
            problems.refuse_where(broken, cells, "RW003", expected="a whole number", column=column.name)
            values = np.where(broken, np.nan, values)
    return values


def _numbers_of_objects(
    column: Number | Integer, cells: Cells, problems: Problems, *, nan_is_missing: bool
) -> NDArray[np.float64]:
    values = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells.tolist()):
        kind = type(cell)  # not isinstance: a bool is no number
        if kind is float or kind is int:
            try:
                values[i] = cell
            except OverflowError:  # an integer beyond float64
                values[i] = math.inf
            if not nan_is_missing and is_nan(cell):
                expected = "a finite number, or null where allowed"
                problems.refuse(cell, "RW005", expected=expected, column=column.name, row=i)
        elif cell is not None:
            problems.refuse(cell, "RW003", expected="a number", column=column.name, row=i)
    return values


def _within_range(
    column: Number | Integer, values: NDArray[np.float64], problems: Problems
) -> NDArray[np.float64]:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    outside = (values < low) | (values > high)
    if not outside.any():
        return values
    if not column.strict:
        problems.out_of_range[column.name] = int(outside.sum())
        return values
    expected = f"between {low:g} and {high:g}"
    problems.refuse_where(outside, values, "RW007", expected=expected, column=column.name)
    return np.where(outside, np.nan, values)


def decode_categories(
    column: Category, cells: Cells, problems: Problems, *, nan_is_missing: bool
) -> FloatRows:
    """The index in the vocabulary, shape (rows, 1); -1 where unseen (RW008 when strict)."""
    index: dict[object, float] = {word: i for i, word in enumerate(column.vocabulary)}
    word_type = type(column.vocabulary[0])
    listed = cells.tolist()
    if set(map(type, listed)) <= {word_type, NoneType}:
        places = map({**index, None: math.nan}.get, listed, repeat(-1))
        found = np.fromiter(places, dtype=np.float32, count=len(listed))
        strange = int((found < 0).sum())
        if not (strange and column.strict):
            if strange:
                problems.unseen[column.name] = strange
            return found[:, None]
    return _words_one_by_one(column, listed, index, problems, nan_is_missing=nan_is_missing)


def _words_one_by_one(
    column: Category,
    listed: list[object],
    index: Mapping[object, float],
    problems: Problems,
    *,
    nan_is_missing: bool,
) -> FloatRows:
    word_type = type(column.vocabulary[0])
    values = np.full(len(listed), np.nan, dtype=np.float32)
    unseen = 0
    for i, cell in enumerate(listed):
        if cell is None:
            continue
        # Integers with gaps come as floats from tables; 3.0 is 3 there and in JSON alike.
        word = int(cell) if word_type is int and type(cell) is float and cell.is_integer() else cell
        if type(word) is not word_type:
            if not (nan_is_missing and is_nan(cell)):
                expected = "a string" if word_type is str else "an integer"
                problems.refuse(cell, "RW003", expected=expected, column=column.name, row=i)
            continue
        place = index.get(word, -1)
        if place < 0 and column.strict:
            problems.refuse(cell, "RW008", expected=_words(column), column=column.name, row=i)
            continue
        values[i] = place
        unseen += place < 0
    if unseen:
        problems.unseen[column.name] = unseen
    return values[:, None]


def decode_booleans(column: Boolean, cells: Cells, problems: Problems, *, nan_is_missing: bool) -> FloatRows:
    """1 for true and 0 for false, shape (rows, 1)."""
    if cells.dtype.kind == "b":
        return cells.astype(np.float32)[:, None]
    values = np.full(len(cells), np.nan, dtype=np.float32)
    for i, cell in enumerate(cells.tolist()):
        if type(cell) is bool:
            values[i] = cell
        elif cell is not None and not (nan_is_missing and is_nan(cell)):
            problems.refuse(cell, "RW003", expected="true or false", column=column.name, row=i)
    return values[:, None]


def decode_texts(column: Text, cells: Cells, problems: Problems, *, nan_is_missing: bool) -> Cells:
    """The strings as objects, shape (rows,), None where missing or refused."""
    values = np.full(len(cells), None, dtype=object)
    for i, cell in enumerate(cells.tolist()):
        if type(cell) is str:
            values[i] = cell
        elif cell is not None and not (nan_is_missing and is_nan(cell)):
            problems.refuse(cell, "RW003", expected="a string", column=column.name, row=i)
    return values


def decode_tensors(column: Tensor, cells: Cells, problems: Problems, *, nan_is_missing: bool) -> FloatRows:
    """Shape (rows, *column.shape), NaN where missing; RW010 another shape or no numbers, RW005 not finite."""
    values = np.full((len(cells), *column.shape), np.nan, dtype=np.float32)
    expected = f"nested lists of finite numbers of shape {list(column.shape)}"
    for i, cell in enumerate(cells):
        if cell is None or (nan_is_missing and is_nan(cell)):
            continue
        found = _tensor(cell)
        if found is None or found.shape != column.shape:
            problems.refuse(cell, "RW010", expected=expected, column=column.name, row=i)
        elif not (np.abs(found) <= FLOAT32_MAX).all():
            problems.add("RW005", "a number that is not finite", expected=expected, column=column.name, row=i)
        else:
            values[i] = found
    return values


def _tensor(cell: object) -> NDArray[np.float64] | None:
    """The nested numbers, whatever their shape; None when there is anything else among them."""
    if not isinstance(cell, list | tuple | np.ndarray):
        return None
    try:
        found = np.asarray(cell)
    except ValueError:  # ragged, or deeper than numpy goes
        return None
    if found.dtype.kind not in "iuf":
        return None
    if not isinstance(cell, np.ndarray) and bool in set(map(type, np.asarray(cell, dtype=object).flat)):
        return None  # among numbers numpy reads true as 1
    return found.astype(np.float64)


def _words(column: Category) -> str:
    shown = ", ".join(repr(word) for word in column.vocabulary[:8])
    return f"one of {shown}" + (f" … ({len(column.vocabulary)} words)" if len(column.vocabulary) > 8 else "")
