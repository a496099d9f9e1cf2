"""Places with the same eight rows, one for each kind of source."""

import csv
import gzip
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.parquet

from siklus.data.sources import Source, open_source
from siklus.project.sections import Data

BROKEN_TIME = "last Friday"
HEADER = ["id", "moment", "price", "kind", "late"]
ROWS: list[list[object]] = [
    [i, f"2024-01-{i + 1:02d}T00:00:00", 1.5 * i if i % 3 else None, "ab"[i % 2], i % 2 == 0]
    for i in range(8)
]


@dataclass(frozen=True)
class Place:
    """``write`` puts rows there; ``data`` is the [data] section that reads them."""

    write: Callable[[Path, list[list[object]]], None]
    data: Data

    def source(self, directory: Path, rows: list[list[object]] | None = None) -> Source:
        self.write(directory, ROWS if rows is None else rows)
        return open_source(self.data, directory=directory)

    def sampled(self, directory: Path, rows: list[list[object]], *, max_rows: int, key: str | None) -> Source:
        self.write(directory, rows)
        asked = {"path": self.data.path, "query": self.data.query, "url": self.data.url}
        data = Data(target="late", time="moment", max_rows=max_rows, key=key, **asked)
        return open_source(data, directory=directory)


def csv_text(rows: list[list[object]], delimiter: str = ",") -> str:
    def cell(value: object) -> str:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return "".join(delimiter.join(map(cell, row)) + "\n" for row in [HEADER, *rows])


def write_csv(directory: Path, rows: list[list[object]]) -> None:
    (directory / "rows.csv").write_text(csv_text(rows))


def _write_tsv(directory: Path, rows: list[list[object]]) -> None:
    (directory / "rows.tsv").write_text(csv_text(rows, "\t"))


def _write_semicolons(directory: Path, rows: list[list[object]]) -> None:
    (directory / "rows.csv").write_text("﻿" + csv_text(rows, ";"))


def _write_gz(directory: Path, rows: list[list[object]]) -> None:
    (directory / "rows.csv.gz").write_bytes(gzip.compress(csv_text(rows).encode()))


def write_zip(directory: Path, rows: list[list[object]]) -> None:
    with zipfile.ZipFile(directory / "rows.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside/rows.csv", csv_text(rows))
        archive.writestr("__MACOSX/inside/._rows.csv", "fork")


def _records(rows: list[list[object]]) -> list[dict[str, object]]:
    return [dict(zip(HEADER, row, strict=True)) for row in rows]


def _write_json(directory: Path, rows: list[list[object]]) -> None:
    (directory / "rows.json").write_text(json.dumps(_records(rows)))


def _write_json_lines(directory: Path, rows: list[list[object]]) -> None:
    (directory / "rows.jsonl").write_text("".join(json.dumps(record) + "\n" for record in _records(rows)))


def write_parquet(directory: Path, rows: list[list[object]]) -> None:
    columns = {name: [row[i] for row in rows] for i, name in enumerate(HEADER)}
    columns["moment"] = [
        datetime.fromisoformat(str(cell)) for cell in columns["moment"] if cell != BROKEN_TIME
    ]
    if len(columns["moment"]) < len(rows):
        columns["moment"] = [str(row[1]) for row in rows]
    pyarrow.parquet.write_table(pyarrow.table(columns), directory / "rows.parquet")


def _write_halves(directory: Path, rows: list[list[object]]) -> None:
    (directory / "part-1.csv").write_text(csv_text(rows[:4]))
    (directory / "part-2.csv").write_text(csv_text(rows[4:]))


def write_sqlite(directory: Path, rows: list[list[object]]) -> None:
    with sqlite3.connect(directory / "rows.db") as connection:
        connection.execute("DROP TABLE IF EXISTS r")
        connection.execute(f"CREATE TABLE r ({', '.join(HEADER)})")
        connection.executemany("INSERT INTO r VALUES (?, ?, ?, ?, ?)", rows)
    connection.close()


def _write_joined(directory: Path, rows: list[list[object]]) -> None:
    left = [[row[0], row[1], row[3], row[4]] for row in rows]
    with (directory / "left.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "moment", "kind", "late"], *left])
    prices = [["id", "price"], *([row[0], "NA" if row[2] is None else row[2]] for row in rows)]
    with zipfile.ZipFile(directory / "prices.csv.zip", "w") as archive:
        archive.writestr("prices.csv", "".join(f"{a},{b}\n" for a, b in prices))


def _of(*, path: str | None = None, query: str | None = None, url: str | None = None) -> Data:
    return Data(path=path, query=query, url=url, target="late", time="moment")


JOINED = "SELECT id, moment, price, kind, late FROM 'left.csv' JOIN 'prices.csv.zip' USING (id) ORDER BY id"

PLACES: Mapping[str, Place] = {
    "csv": Place(write_csv, _of(path="rows.csv")),
    "semicolons and a byte order mark": Place(_write_semicolons, _of(path="rows.csv")),
    "csv in zip": Place(write_zip, _of(path="rows.csv.zip")),
    "json": Place(_write_json, _of(path="rows.json")),
    "parquet": Place(write_parquet, _of(path="rows.parquet")),
    "glob": Place(_write_halves, _of(path="part-*.csv")),
    "query over csv and zip": Place(_write_joined, _of(query=JOINED)),
    "query with read_csv of a zip": Place(write_zip, _of(query="FROM read_csv(['rows.csv.zip']) -- all")),
    "sqlite": Place(write_sqlite, _of(url="sqlite:///rows.db", query="SELECT * FROM r ORDER BY id")),
}

# The same promises by other suffixes: read once, because nothing else is their own.
MORE_PLACES: Mapping[str, Place] = {
    "tsv": Place(_write_tsv, _of(path="rows.tsv")),
    "csv.gz": Place(_write_gz, _of(path="rows.csv.gz")),
    "json lines": Place(_write_json_lines, _of(path="rows.jsonl")),
    "query": Place(write_csv, _of(query="SELECT * FROM 'rows.csv';")),
    "query with read_csv": Place(
        write_csv, _of(query="WITH r AS (FROM read_csv('rows.csv')) SELECT * FROM r")
    ),
    "query over a glob": Place(_write_halves, _of(query="SELECT * FROM 'part-*.csv'")),
}
