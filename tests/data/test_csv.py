"""How the cells of a CSV file become cells of a table."""

import time
from pathlib import Path

import numpy as np
import pytest

from siklus.data.sources import open_source
from siklus.project.sections import Data
from siklus.table import Table


def read(directory: Path, text: str, **section: object) -> Table:
    (directory / "rows.csv").write_text(text)
    data = Data(path="rows.csv", target="y", **section)  # type: ignore[arg-type]  # whatever a test asks for
    return open_source(data, directory=directory).read().table


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "2"], "i", [1, 2]),
        (["1", "2.5"], "f", [1.0, 2.5]),
        (["1", ""], "f", [1.0, None]),
        (["1", "NA"], "f", [1.0, None]),
        (["?", "1.5"], "f", [None, 1.5]),
        (["inf", "1.5"], "f", [np.inf, 1.5]),
        (["1.5", "nan"], "f", [1.5, None]),
        (["99999999999999999999", "1"], "f", [1e20, 1.0]),
        (["9007199254740993", "1"], "i", [2**53 + 1, 1]),
        (["1e3", "2"], "i", [1000, 2]),
        (["007", "8"], "i", [7, 8]),
        (["true", "false"], "b", [True, False]),
        (["True", "FALSE"], "b", [True, False]),
        (["yes", "no"], "O", ["yes", "no"]),
        (["T", "F"], "O", ["T", "F"]),
        (["true", "NA"], "O", [True, None]),
        (["x", "NA"], "O", ["x", "NA"]),
        (["x", ""], "O", ["x", None]),
        (["x", '""'], "O", ["x", None]),
        (["", ""], "O", [None, None]),
        (["1", "x"], "O", ["1", "x"]),
        (["10:30", "11:00"], "O", ["10:30", "11:00"]),
        (["#1", "#2"], "O", ["#1", "#2"]),
        (['"a,b"', '"say ""so"""'], "O", ["a,b", 'say "so"']),
        (['"two\nlines"', "x"], "O", ["two\nlines", "x"]),
        (["2024-05-31", "NA"], "M", ["2024-05-31T00:00:00", None]),
        (["2024-05-31T12:00:00Z", "2024-05-31T12:00:00Z"], "M", ["2024-05-31T12:00:00"] * 2),
        (["2024-05-31T12:00:00+02:00", ""], "M", ["2024-05-31T10:00:00", None]),
        (["31/05/2024", "01/06/2024"], "M", ["2024-05-31T00:00:00", "2024-06-01T00:00:00"]),
    ],
)
def test_a_column_gets_the_type_of_all_its_cells(
    tmp_path: Path, cells: list[str], kind: str, values: list[object]
) -> None:
    table = read(tmp_path, "n,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    found = [record["y"] for record in table.records()]
    assert table["y"].dtype.kind == kind
    assert (
        [f"{moment:%FT%T}" if moment else None for moment in found] == values
        if kind == "M"
        else found == values
    )


def test_the_last_row_counts_for_a_type_as_much_as_the_first(tmp_path: Path) -> None:
    table = read(tmp_path, "n,y\n" + "1,\n" * 30_000 + "2,7\n")
    assert table["y"][-1] == 7.0
    table = read(tmp_path, "n,y\n" + "1,5\n" * 30_000 + "2,x\n")
    assert (table["y"][0], table["y"][-1]) == ("5", "x")


def test_odd_column_names_stay_as_they_are(tmp_path: Path) -> None:
    names = [
        '"sepal length (cm)"',
        "naïve",
        '"a,b"',
        '"say ""so"""',
        "select",
        "1",
        "column",
        "c0",
        "x.y",
        "it's",
    ]
    table = read(tmp_path, ",".join(names) + "\n" + ",".join(str(i) for i in range(10)) + "\n")
    assert table.names == [
        "sepal length (cm)", "naïve", "a,b", 'say "so"', "select", "1", "column", "c0", "x.y", "it's",
    ]  # fmt: skip
    assert next(table.records())["c0"] == 7
    query = Data(query="""SELECT "sepal length (cm)" + c0 AS y, "x.y" FROM 'rows.csv'""", target="y")
    assert list(open_source(query, directory=tmp_path).read().table.records()) == [{"y": 7, "x.y": 8}]


def test_a_name_loses_the_blanks_around_it_and_a_blank_one_says_its_place(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeff, a ,b\n0,1,2\n").names == ["column0", "a", "b"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_line_decides_on_the_delimiter(tmp_path: Path, delimiter: str) -> None:
    table = read(tmp_path, delimiter.join(["a", "b", "y"]) + "\n" + delimiter.join(["1", "x", "2.5"]) + "\n")
    assert list(table.records()) == [{"a": 1, "b": "x", "y": 2.5}]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert read(tmp_path, "y\n1\n2\n")["y"].tolist() == [1, 2]


def test_a_time_column_of_mixed_dates_and_moments_is_read_as_iso_8601(tmp_path: Path) -> None:
    table = read(tmp_path, "t,y\n2024-05-31,1\n2024-05-31T12:30:00+01:00,2\n", time="t")
    assert table["t"].astype(str).tolist() == ["2024-05-31T00:00:00.000000", "2024-05-31T11:30:00.000000"]


def test_a_time_column_of_numbers_stays_one(tmp_path: Path) -> None:
    assert read(tmp_path, "t,y\n2013,1\n2014,2\n", time="t")["t"].tolist() == [2013, 2014]


def test_many_columns_are_no_trouble(tmp_path: Path) -> None:
    # DuckDB plans some expressions in cubic time: 300 columns took 20 s of it once.
    names = [f"f{i}" for i in range(300)]
    row = ",".join(f"{i / 8}" if i % 2 else "NA" if i % 3 else "word" for i in range(300))
    started = time.process_time()
    table = read(tmp_path, ",".join(names) + "\n" + f"{row}\n" * 50)
    assert time.process_time() - started < 5
    assert (len(table), table.names) == (50, names)
