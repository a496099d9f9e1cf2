"""What only a DuckDB query can do, and what its fingerprint sees."""

import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from siklus.data.sources import Source, open_source
from siklus.errors import DataError
from siklus.project.sections import Data
from siklus.table import Table


def asking(directory: Path, query: str, **section: object) -> Source:
    data = Data(query=query, target="y", **section)  # type: ignore[arg-type]  # whatever a test asks for
    return open_source(data, directory=directory)


def answer(directory: Path, query: str) -> Table:
    return asking(directory, query).read().table


def test_an_asof_join_takes_the_last_row_before_each_moment(tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text("at,trip\n2024-01-01T10:05:00Z,a\n2024-01-01T12:00:00Z,b\n")
    (tmp_path / "weather.csv").write_text(
        "at,temp\n2024-01-01T10:00:00Z,1.5\n2024-01-01T11:00:00Z,NA\n2024-01-01T13:00:00Z,9\n"
    )
    table = answer(
        tmp_path,
        "SELECT trip, temp FROM 'trips.csv' t ASOF JOIN 'weather.csv' w ON t.at >= w.at ORDER BY trip",
    )
    assert list(table.records()) == [{"trip": "a", "temp": 1.5}, {"trip": "b", "temp": None}]


def test_a_large_asof_join_is_no_nested_loop(tmp_path: Path) -> None:
    # 60,000 × 60,000 rows: as a loop 3.6e9 comparisons, minutes; as a join half a second.
    count = 60_000
    for name in ("left", "right"):
        rows = "".join(f"{i},{i % 7}\n" for i in range(count))
        (tmp_path / f"{name}.csv").write_text(f"at,{name}_cell\n{rows}")
    source = asking(
        tmp_path, "SELECT l.*, r.right_cell FROM 'left.csv' l ASOF JOIN 'right.csv' r ON l.at >= r.at"
    )
    table = source.read().table
    assert np.array_equal(table["left_cell"], table["right_cell"])


def test_a_parallel_looking_query_gives_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    rows = "".join(f"{i % 997},{i / 7}\n" for i in range(50_000))
    (tmp_path / "rows.csv").write_text(f"g,x\n{rows}")
    source = asking(tmp_path, "SELECT g, avg(x) AS m, sum(x) AS s FROM 'rows.csv' GROUP BY g")
    assert source.read() == source.read()


def test_each_type_of_duckdb_becomes_a_kind_of_cell(tmp_path: Path) -> None:
    query = """
        SELECT * FROM (VALUES
          (1::TINYINT, 2::UBIGINT, 3::HUGEINT, 1.25::DECIMAL(9,2), 0.5::FLOAT, true, 'x', DATE '2024-05-31',
           TIMESTAMP_NS '2024-05-31 01:02:03.000004', TIMESTAMPTZ '2024-05-31 12:00:00+02',
           INTERVAL 90 SECOND, TIME '10:30:00', 'b'::ENUM ('a', 'b'), [1, NULL], [[0.5], [1.5]],
           {'k': DATE '2024-01-01'}, '"js"'::JSON, 'ab'::BLOB, NULL)
        ) t(i, u, h, d, f, b, s, day, ns, tz, span, clock, e, l, ll, o, j, raw, nothing)
        """
    table = answer(tmp_path, query)
    moment = "2024-05-31T01:02:03.000004"
    assert {name: (table[name].dtype.str, table[name].tolist()[0]) for name in table} == {
        "i": ("<i8", 1), "u": ("<f8", 2.0), "h": ("<f8", 3.0), "d": ("<f8", 1.25), "f": ("<f8", 0.5),
        "b": ("|b1", True), "s": ("|O", "x"), "day": ("<M8[us]", np.datetime64("2024-05-31", "us").item()),
        "ns": ("<M8[us]", np.datetime64(moment, "us").item()),
        "tz": ("<M8[us]", np.datetime64("2024-05-31T10:00", "us").item()),
        "span": ("<f8", 90.0), "clock": ("|O", "10:30:00"), "e": ("|O", "b"),
        "l": ("|O", [1, None]), "ll": ("|O", [[0.5], [1.5]]), "o": ("|O", {"k": "2024-01-01"}),
        "j": ("|O", "js"), "raw": ("|O", "6162"), "nothing": ("|O", None),
    }  # fmt: skip


def test_gaps_turn_integers_to_floats_and_booleans_to_objects(tmp_path: Path) -> None:
    table = answer(tmp_path, "FROM (VALUES (1, true, DATE '2024-01-01'), (NULL, NULL, NULL)) t(i, b, t)")
    assert (table["i"].dtype.str, table["b"].dtype.str, table["t"].dtype.str) == ("<f8", "|O", "<M8[us]")
    assert list(table.records())[1] == {"i": None, "b": None, "t": None}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM 'rows.csv'",
        "FROM read_csv('rows.csv', header = true)",
        "FROM read_csv(['rows.csv'])",
        "SELECT (SELECT max(a) FROM 'rows.csv') AS m",
        "WITH r AS (SELECT * FROM 'r*.csv') SELECT sum(a) AS s FROM r",
        "SELECT r.* FROM range(2) JOIN 'rows.csv' r ON true",
    ],
)
def test_the_fingerprint_sees_a_changed_cell_wherever_the_file_is_named(tmp_path: Path, query: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a\n1\n2\n")
    before = asking(tmp_path, query).fingerprint()
    assert asking(tmp_path, query).fingerprint() == before
    file.write_text("a\n1\n3\n")
    assert asking(tmp_path, query).fingerprint() != before


def test_the_fingerprint_sees_the_question_and_the_limit_but_not_the_place(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text("a\n1\n")
    here = asking(tmp_path / "here", "FROM 'rows.csv'").fingerprint()
    assert asking(tmp_path / "there", "FROM 'rows.csv'").fingerprint() == here
    assert asking(tmp_path / "here", "SELECT a FROM 'rows.csv'").fingerprint() != here
    assert asking(tmp_path / "here", "FROM 'rows.csv'", max_rows=1).fingerprint() != here


def test_a_word_of_the_query_that_looks_like_a_path_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    table = answer(tmp_path, "SELECT 'é a.csv' AS é, a FROM read_csv('a.csv') WHERE 'a.csv' = 'a.csv'")
    assert list(table.records()) == [{"é": "é a.csv", "a": 1}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("FROM read_csv('ro' || 'ws.csv')", "DA012"),
        ("FROM glob('*')", "DA012"),
        ("FROM 'rows.csv.zst'", "DA006"),
        ("SELECT * FROM 'rows.xlsx'", "DA006"),
    ],
)
def test_a_query_reads_no_file_that_its_fingerprint_would_not_see(
    tmp_path: Path, query: str, code: str
) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    for ask in (asking(tmp_path, query).read, asking(tmp_path, query).fingerprint):
        with pytest.raises(DataError) as caught:
            ask()
        assert caught.value.code == code


def test_functions_that_read_no_file_are_free(tmp_path: Path) -> None:
    table = answer(tmp_path, "SELECT i + 1 AS y, unnest([1]) AS u FROM range(3) t(i)")
    assert table["y"].tolist() == [1, 2, 3]


def test_a_query_reads_no_python_variable(tmp_path: Path) -> None:
    rows = {"a": np.array([1])}
    assert len(rows) == 1
    with pytest.raises(DataError, match="rows does not exist"):
        answer(tmp_path, "SELECT * FROM rows")


def test_the_sample_is_the_one_with_the_smallest_md5_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n" + "".join(f"{i}\n" for i in range(1000)))
    reading = asking(tmp_path, "FROM 'rows.csv'", max_rows=100, key="a").read()
    with duckdb.connect() as connection:
        ranked = connection.execute(
            "SELECT a FROM range(1000) t(a) ORDER BY md5_number_lower(a::VARCHAR) % 1048576 LIMIT 100"
        ).fetchall()
    assert sorted(reading.table["a"].tolist()) == sorted(row[0] for row in ranked)


INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path
from siklus.data.sources import open_source
from siklus.project.sections import Data

query = "SELECT sum(a.range * b.range % 7) AS y FROM range(1000000) a, range(1000000) b"
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    open_source(Data(query=query, target="y"), directory=Path()).read()
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_stops_a_long_query() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "stopped\n"
