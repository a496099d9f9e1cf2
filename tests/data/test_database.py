"""Rows from a real SQLite database, by SQLAlchemy."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from siklus.data.sources import open_source
from siklus.errors import DataError
from siklus.project.sections import Data
from siklus.table import Table


@pytest.fixture
def base(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "shop #1?.db")
    connection.execute("CREATE TABLE r (i INTEGER, x REAL, w TEXT, b BLOB, t TEXT, m)")
    connection.executemany(
        "INSERT INTO r VALUES (?, ?, ?, ?, ?, ?)",
        [
            (1, 0.5, "50% off: a:b", b"\x00\xff", "2024-05-31 12:00:00", 1),
            (None, None, None, None, "2024-06-01", "one"),
        ],
    )
    connection.commit()
    yield connection
    connection.close()


def answer(directory: Path, query: str, **section: object) -> Table:
    data = Data(url="sqlite:///shop %231%3F.db", query=query, target="i", **section)  # type: ignore[arg-type]  # any
    return open_source(data, directory=directory).read().table


def test_columns_get_the_kind_of_their_values(base: sqlite3.Connection, tmp_path: Path) -> None:
    table = answer(tmp_path, "SELECT * FROM r", time="t")
    assert {name: table[name].dtype.str for name in table} == {
        "i": "<f8", "x": "<f8", "w": "|O", "b": "|O", "t": "<M8[us]", "m": "|O",
    }  # fmt: skip
    assert list(table.records()) == [
        {"i": 1.0, "x": 0.5, "w": "50% off: a:b", "b": "00ff", "t": datetime(2024, 5, 31, 12), "m": 1},
        {"i": None, "x": None, "w": None, "b": None, "t": datetime(2024, 6, 1), "m": "one"},
    ]


def test_percent_signs_and_colons_in_a_query_are_its_own(base: sqlite3.Connection, tmp_path: Path) -> None:
    table = answer(tmp_path, "SELECT i, ':x' AS c FROM r WHERE w LIKE '50%:b'")
    assert list(table.records()) == [{"i": 1, "c": ":x"}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT nothing FROM r", "DA012"),
        ("SELECT * FROM nowhere", "DA012"),
        ("SELEC 1", "DA012"),
        ("SELECT i, i FROM r", "DA003"),
        ("DELETE FROM r", "DA012"),
        ("INSERT INTO r (i) VALUES (9)", "DA012"),
        ("CREATE TABLE s (a)", "DA012"),
        ("PRAGMA user_version = 3", "DA012"),
        ("SELECT * FROM r WHERE i > 9", "DA009"),
    ],
)
def test_what_gives_no_rows_is_refused_and_changes_nothing(
    base: sqlite3.Connection, tmp_path: Path, query: str, code: str
) -> None:
    with pytest.raises(DataError) as caught:
        answer(tmp_path, query)
    assert caught.value.code in {code, "DA013"}
    assert base.execute("SELECT count(*) FROM r").fetchall() == [(2,)]
    assert base.execute("PRAGMA user_version").fetchall() == [(0,)]


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    url = "postgresql+psycopg2://user:s3cret@127.0.0.1:1/name?sslpassword=t0psecret"
    source = open_source(Data(url=url, query="SELECT 1", target="y"), directory=tmp_path)
    assert source.describe() == (
        "the query at postgresql+psycopg2://user:***@127.0.0.1:1/name?sslpassword=***"
    )


def test_a_sample_keeps_the_order_and_the_smallest_hashes(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.execute("CREATE TABLE r (i)")
        connection.executemany("INSERT INTO r VALUES (?)", [(i,) for i in range(70_000)])
    connection.close()
    found = {}
    for order in ("ASC", "DESC"):
        data = Data(
            url="sqlite:///rows.db", query=f"SELECT i FROM r ORDER BY i {order}", target="i", max_rows=500
        )
        reading = open_source(data, directory=tmp_path).read()
        assert reading.sampled_from == 70_000
        found[order] = reading.table["i"]
    assert (np.diff(found["ASC"]) > 0).all()
    assert np.array_equal(found["ASC"], found["DESC"][::-1])
    assert abs(found["ASC"].mean() / 35_000 - 1) < 0.15  # 5 standard errors of a mean of 500 uniform draws
