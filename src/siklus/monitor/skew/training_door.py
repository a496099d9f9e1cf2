"""The door that rows take into a training: a file, read as `siklus train` reads its source, and kept."""

import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

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
)
from siklus.data.snapshot import keep, open_snapshot
from siklus.data.sources import open_source
from siklus.data.typed import MOMENT, WHOLE, typed_parquet
from siklus.errors import MonitorError
from siklus.project.sections import Data
from siklus.records.entries import json_text
from siklus.table import Table

Form: TypeAlias = Literal["parquet", "csv", "json"]
Instance: TypeAlias = Mapping[str, object]  # cells by column name, as JSON has them

_ENDINGS: Mapping[str, Form] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_PACKED = {".gz", ".zip"}
_LINES = "rows.jsonl"
_EVERY_ROW = 2**62


@dataclass(frozen=True)
class Door:
    """``form``: of the file. ``time``: the column that `[data] time` names, which is read as moments."""

    form: Form = "parquet"
    time: str | None = None


def door_of(data: Data) -> Door:
    """The project's own: by the ending of its file; Parquet, which has types, for queries and databases."""
    endings = [ending.lower() for ending in Path(data.path or "").suffixes if ending.lower() not in _PACKED]
    return Door(_ENDINGS.get(endings[-1], "parquet") if endings else "parquet", data.time)


def through(instances: Sequence[Instance], contract: Contract, door: Door) -> Table:
    """The instances as the table that a training would check and decode, in their order.

    They are written as training data would come, in the columns of the contract, read by the project's own
    reader, and kept as a snapshot. A column that a row may leave out has its default there; where no row has
    it, the file has no such column. DataError when the reader refuses the file; MO063 when it loses a row.
    """
    columns = [column for column in contract.columns if _is_given(column, instances)]
    goal: Label | float = contract.target.classes[0] if contract.target.classes else 0.0
    rows = [[_cell(instance, column) for column in columns] for instance in instances]
    names = [*(column.name for column in columns), contract.target.name]
    with tempfile.TemporaryDirectory(prefix="siklus-") as folder:
        there = Path(folder)
        if door.form == "csv":
            file = _write_csv(there / "rows.csv", names, [[*map(_text, row), _text(goal)] for row in rows])
        else:
            file = _write_lines(there / _LINES, names, [[*row, goal] for row in rows])
        if door.form == "parquet":
            goal_column = _target_column(goal, contract.target.name)
            file = typed_parquet(file, {column.name: types_of(column) for column in (*columns, goal_column)})
        time = door.time if door.time in names else None
        data = Data(path=file.name, target=contract.target.name, time=time, max_rows=_EVERY_ROW)
        table = open_source(data, directory=there).read().table
        table = open_snapshot(keep(table, directory=there).digest, there)
    if len(table) != len(instances):
        raise MonitorError(
            "MO063", f"{len(table)} of {len(instances)} rows came through {door.form}", expected="all of them"
        )
    return table


def _is_given(column: Column, instances: Sequence[Instance]) -> bool:
    return not column.optional or any(column.name in instance for instance in instances)


def _cell(instance: Instance, column: Column) -> object:
    return instance.get(column.name, column.default if column.optional else None)


def _target_column(goal: Label | float, name: str) -> Column:
    match goal:
        case bool():
            return Boolean(name=name)
        case str():
            return Category(name=name, vocabulary=(goal,))
        case int():
            return Integer(name=name)
        case _:
            return Number(name=name)


def _write_lines(file: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    file.write_bytes(b"".join(json_text(dict(zip(names, row, strict=True))) + b"\n" for row in rows))
    return file


def _write_csv(file: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    return file


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else json_text(cell).decode()


def types_of(column: Column) -> Sequence[str]:
    """DuckDB's types for the column's cells, of which the first that keeps all is taken, or else text."""
    match column:
        case Number():
            return ["DOUBLE"]
        case Integer():
            return [WHOLE, "DOUBLE"]
        case Category(vocabulary=words) if isinstance(words[0], int):
            return [WHOLE]
        case Boolean():
            return ["BOOLEAN"]
        case Datetime():
            return [MOMENT]
        case Tensor(shape=shape):
            return ["DOUBLE" + "[]" * len(shape)]
        case _:  # words and texts
            return []
