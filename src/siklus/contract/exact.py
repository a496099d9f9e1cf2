"""Exact: the contract of the very columns that a model takes. Each is kept and none is judged.

`infer` proposes what a new model had better see; a model that was fitted before has decided that for
itself, so a constant, a row's number or a whole float stays just what it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Target,
    Tensor,
    Text,
)
from siklus.contract.guess import ID_MIN_ROWS, TEXT_MIN_SPACES, TEXT_SHARE
from siklus.contract.survey import survey
from siklus.errors import DataError
from siklus.table import Cells, Table, is_missing


@dataclass(frozen=True)
class Words:
    """What a model knows of a column, in its own order. ``strict``: it refuses any other word."""

    words: tuple[str | int, ...]
    strict: bool = False


def contract_of(
    table: Table, *, target: Target, known: Mapping[str, Words] | None = None, texts: Collection[str] = ()
) -> Contract:
    """The contract of all columns of the table, in their order: a kind by the type of the cells.

    Floats are numbers even where they are whole, and ranges are as observed. A string is a category
    of all words that the column has, or text where nearly each row has a sentence of its own. ``known``
    puts a model's words first and makes the column a category; ``texts`` are text whatever they hold.

    DataError DA016 for cells that no column holds, DA030 for a column without a name, DA031 when one has
    the target's name, DA032 for a table without rows.
    """
    _refuse_unusable(table, target)
    columns = tuple(
        Text(name=name, nullable=bool(is_missing(table[name]).any()))
        if name in texts
        else _column(name, table[name], (known or {}).get(name))
        for name in table
    )
    return Contract(columns=columns, target=target)


def _refuse_unusable(table: Table, target: Target) -> None:
    if len(table) == 0:
        raise DataError("DA032", "no rows to infer a contract from", expected="a table with rows")
    if "" in table:
        place = f"column {table.names.index('') + 1} of {len(table.names)}"
        raise DataError("DA030", f"{place} has no name", expected="a name of one letter or more")
    if target.name in table:
        what = f"column {target.name!r} has two roles: the target, and a column to predict it from"
        raise DataError("DA031", what, expected="one of them, or another name for the target")


def _column(name: str, cells: Cells, known: Words | None) -> Column:
    missing = is_missing(cells)
    nullable, present = bool(missing.any()), cells[~missing]
    if known is not None:
        return _category(name, present, known, nullable=nullable)
    match cells.dtype.kind:
        case "b":
            return Boolean(name=name)
        case "i":
            return Integer(name=name, minimum=int(cells.min()), maximum=int(cells.max()))
        case "f" if len(present):
            low, high = float(present.min()), float(present.max())
            return Number(name=name, nullable=nullable, minimum=low, maximum=high)
        case "M":
            return Datetime(name=name, nullable=nullable)
        case _ if not len(present):
            return Number(name=name, nullable=True)
        case _:
            return _of_objects(name, present, nullable=nullable)


def _of_objects(name: str, present: Cells, *, nullable: bool) -> Column:
    kinds = set(map(type, present.tolist()))
    if kinds == {bool}:
        return Boolean(name=name, nullable=nullable)
    if kinds == {str}:
        if _is_text(present):
            return Text(name=name, nullable=nullable)
        return _category(name, present, Words(()), nullable=nullable)
    seen = survey(name, present)
    if seen.nature == "tensor":
        return Tensor(name=name, nullable=nullable, shape=seen.shape)
    found = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(
        "DA016",
        f"column {name!r}: cells of type {found}",
        expected="numbers, booleans, strings, moments, or lists of finite numbers of one shape",
    )


def _category(name: str, present: Cells, known: Words, *, nullable: bool) -> Category:
    kind = type(known.words[0]) if known.words else str
    observed = {int(cell) if kind is int and isinstance(cell, float) else cell for cell in present.tolist()}
    further = () if known.strict else tuple(sorted(observed.difference(known.words)))
    return Category(name=name, nullable=nullable, vocabulary=known.words + further, strict=known.strict)


def _is_text(present: Cells) -> bool:
    """As `infer` tells a sentence from a word: long, and hardly ever twice the same."""
    words = set(present.tolist())
    if len(present) < ID_MIN_ROWS or len(words) < TEXT_SHARE * len(present):
        return False
    return float(np.mean([word.strip().count(" ") for word in words])) >= TEXT_MIN_SPACES
