"""Table: columns of one length, whatever is taken from them."""

import math
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.errors import DataError
from siklus.table import Table, concatenate, is_missing, is_nan, objects

NUMBERS = st.lists(st.floats(allow_infinity=False), max_size=8)


def flights() -> Table:
    return Table(
        {
            "distance": np.array([1400.0, math.nan, 229.0]),
            "seats": np.array([178, 55, 200]),
            "carrier": objects(["UA", None, "EV"]),
            "departure": np.array(["2013-01-01T05:15", "NaT", "2013-01-02"], dtype="datetime64[us]"),
        }
    )


def test_columns_of_unequal_length_are_no_table() -> None:
    with pytest.raises(DataError, match=r"^DA001 .*\[1, 2\]"):
        Table({"a": np.zeros(1), "b": np.zeros(2)})


def test_a_column_that_is_not_there_is_named_beside_those_that_are() -> None:
    with pytest.raises(DataError, match=r"^DA002 no column 'tail'.*'carrier'"):
        flights()["tail"]
    with pytest.raises(DataError, match="DA002"):
        flights().select(["seats", "tail"])


def test_a_table_knows_its_length_its_names_and_what_it_has() -> None:
    table = flights()
    assert (len(table), table.names) == (3, ["distance", "seats", "carrier", "departure"])
    assert "seats" in table
    assert "tail" not in table
    assert (len(Table({})), list(Table({}))) == (0, [])


def test_records_are_plain_python_with_none_where_a_cell_is_missing() -> None:
    records = list(flights().records())
    assert records[0] == {
        "distance": 1400.0,
        "seats": 178,
        "carrier": "UA",
        "departure": datetime(2013, 1, 1, 5, 15),
    }
    assert records[1] == {"distance": None, "seats": 55, "carrier": None, "departure": None}
    assert [type(cell) for cell in records[0].values()] == [float, int, str, datetime]


def test_tables_are_equal_when_their_cells_are_and_missing_cells_are_alike() -> None:
    assert flights() == flights()
    assert flights() != flights().with_column("seats", np.array([178, 55, 201]))
    assert flights() != flights().drop(["seats"])
    assert flights() != flights().with_column("seats", objects([178, 55, 200]))
    assert flights() != "flights"
    turned = flights().select(reversed(flights().names))
    assert flights() != turned, "the order of the columns is part of a table"


def test_select_drop_and_with_column_leave_the_first_table_alone() -> None:
    table = flights()
    assert table.select(["seats", "carrier"]).names == ["seats", "carrier"]
    assert table.drop(["seats", "nothing"]).names == ["distance", "carrier", "departure"]
    assert table.with_column("origin", objects(["EWR"] * 3)).names[-1] == "origin"
    assert table == flights()


@given(NUMBERS, st.data())
def test_rows_are_taken_by_place_and_by_mask_alike(numbers: list[float], data: st.DataObject) -> None:
    table = Table({"x": np.array(numbers, dtype=float), "i": np.arange(len(numbers))})
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table))), dtype=bool)
    by_mask, by_place = table.take(mask), table.take(np.flatnonzero(mask))
    assert by_mask == by_place
    assert by_mask["i"].tolist() == [i for i, chosen in enumerate(mask) if chosen]


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_tables_under_each_other_are_the_rows_under_each_other(parts: list[list[float]]) -> None:
    tables = [Table({"x": np.array(part, dtype=float), "word": objects(map(str, part))}) for part in parts]
    together = concatenate(tables)
    assert list(together.records()) == [record for table in tables for record in table.records()]


@pytest.mark.parametrize(
    ("cells", "missing"),
    [
        (np.array([1.0, math.nan, math.inf]), [False, True, False]),
        (np.array([1, 2, 3]), [False, False, False]),
        (np.array([True, False]), [False, False]),
        (np.array(["2013-01-01", "NaT"], dtype="datetime64[us]"), [False, True]),
        (objects(["", None, math.nan, 0, [math.nan], "nan"]), [False, True, True, False, False, False]),
    ],
)
def test_missing_is_nan_nat_or_none_and_nothing_else(cells: Any, missing: list[bool]) -> None:
    assert is_missing(cells).tolist() == missing


@pytest.mark.parametrize(
    ("cell", "found"), [(math.nan, True), (np.float64("nan"), True), (1.0, False), ("nan", False)]
)
def test_only_a_float_can_be_nan(cell: object, found: bool) -> None:
    assert is_nan(cell) is found


def test_lists_stay_whole_in_a_column_of_objects() -> None:
    cells = objects([[1, 2], [3, 4]])
    assert cells.shape == (2,)
    assert cells[0] == [1, 2]
