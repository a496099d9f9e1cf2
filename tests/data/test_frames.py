"""Whatever frame a table comes in, its cells are the same."""

import enum
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.data.frames import table_of
from siklus.errors import DataError
from siklus.table import Table, objects

MOMENTS = [datetime(2024, 5, 31, 12, 0, 0, 5), None]
COLUMNS: dict[str, list[object]] = {
    "whole": [1, 2],
    "gaps": [1, None],
    "real": [0.5, None],
    "yes": [True, False],
    "maybe": [True, None],
    "word": ["x", None],
    "at": MOMENTS,
    "list": [[1.0, 2.0], [3.0, 4.0]],
}
EXPECTED = Table(
    {
        "whole": np.array([1, 2]),
        "gaps": np.array([1.0, np.nan]),
        "real": np.array([0.5, np.nan]),
        "yes": np.array([True, False]),
        "maybe": objects([True, None]),
        "word": objects(["x", None]),
        "at": np.array(MOMENTS, dtype="datetime64[us]"),
        "list": objects([[1.0, 2.0], [3.0, 4.0]]),
    }
)

FRAMES: Mapping[str, Callable[[dict[str, list[object]]], object]] = {
    "dict": dict,
    "dict of arrays": lambda columns: {name: objects(cells) for name, cells in columns.items()},
    "dict of series": lambda columns: {name: pd.Series(cells) for name, cells in columns.items()},
    "pandas": pd.DataFrame,
    "pandas nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas objects": lambda columns: pd.DataFrame(columns, dtype=object),
    "pandas on arrow": lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.DataFrame,
    "polars lazy": lambda columns: pl.DataFrame(columns).lazy(),
    "arrow": pa.table,
    "arrow batch": pa.RecordBatch.from_pydict,
    "table": table_of,
}


@pytest.fixture(params=FRAMES)
def frame(request: pytest.FixtureRequest) -> Callable[[dict[str, list[object]]], object]:
    return FRAMES[request.param]


def test_its_cells_are_the_same(frame: Callable[[dict[str, list[object]]], object]) -> None:
    table = table_of(frame(COLUMNS))
    assert table == EXPECTED
    assert [table[name].dtype for name in table] == [EXPECTED[name].dtype for name in table]


def test_a_frame_without_rows_has_its_columns(frame: Callable[[dict[str, list[object]]], object]) -> None:
    table = table_of(frame({"a": [], "b": []}))
    assert (table.names, len(table)) == (["a", "b"], 0)


def test_a_table_is_itself() -> None:
    assert table_of(EXPECTED) is EXPECTED


def test_moments_with_an_offset_become_utc() -> None:
    there = datetime(2024, 5, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    expected = np.array(["2024-05-31T10:00"], dtype="datetime64[us]")
    for frame in (
        {"t": [there]},
        pd.DataFrame({"t": pd.to_datetime([there])}),
        pd.DataFrame({"t": objects([pd.Timestamp(there)])}),
        pl.DataFrame({"t": [there]}),
        # In UTC already: once pandera is imported, pyarrow drops the offset of what it is given.
        pa.table({"t": pa.array([there.astimezone(UTC)], type=pa.timestamp("ns", tz="Asia/Jakarta"))}),
    ):
        found = table_of(frame)["t"]
        assert found.dtype == "datetime64[us]"
        assert np.array_equal(found, expected)


def test_dates_become_moments() -> None:
    for frame in (
        {"t": [date(2024, 5, 31)]},
        pl.DataFrame({"t": [date(2024, 5, 31)]}),
        {"t": np.array(["2024-05-31"], "M8[D]")},
    ):
        assert table_of(frame)["t"].tolist() == [datetime(2024, 5, 31)]


def test_categories_become_their_words() -> None:
    words = ["b", None, "a"]
    for frame in (
        pd.DataFrame({"c": pd.Categorical(words)}),
        pl.DataFrame({"c": pl.Series(words, dtype=pl.Categorical)}),
        pl.DataFrame({"c": pl.Series(words, dtype=pl.Enum(["a", "b"]))}),
        pa.table({"c": pa.array(words).dictionary_encode()}),
    ):
        assert table_of(frame)["c"].tolist() == words
    assert table_of(pd.DataFrame({"c": pd.Categorical([3, 1, 3])}))["c"].dtype == np.int64


def test_names_become_strings_and_an_array_s_columns_are_numbered() -> None:
    assert table_of(pd.DataFrame(np.eye(2))).names == ["0", "1"]
    assert table_of(np.eye(2, dtype=np.float32)) == Table(
        {"x0": np.array([1.0, 0.0]), "x1": np.array([0.0, 1.0])}
    )
    mixed = np.array([[1, "a"], [2.5, None]], dtype=object)
    assert list(table_of(mixed).records()) == [{"x0": 1.0, "x1": "a"}, {"x0": 2.5, "x1": None}]
    fields = np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f4")])
    assert list(table_of(fields).records()) == [{"a": 1, "b": 2.5}]


def test_a_pandas_index_is_left_out() -> None:
    assert table_of(pd.DataFrame({"a": [1, 2]}, index=["p", "q"])).names == ["a"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=[1, "1"]),
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
    ],
)
def test_a_name_that_stands_twice_is_refused(frame: object) -> None:
    with pytest.raises(DataError) as caught:
        table_of(frame)
    assert caught.value.code == "DA003"


@pytest.mark.parametrize(
    "thing",
    [
        None,
        3,
        "rows.csv",
        [{"a": 1}],
        np.zeros(3),
        np.zeros((2, 2, 2)),
        pd.Series([1]),
        {"a": "abc"},
        {"a": 3},
        {"a": np.array(3)},
    ],
)
def test_what_is_no_table_is_refused(thing: object) -> None:
    with pytest.raises(DataError) as caught:
        table_of(thing)
    assert caught.value.code == "DA017"


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(DataError, match="DA001"):
        table_of({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(
    "cells", [[1j], [object()], np.array([1j]), [b"\xff", {1, 2}], np.array([b"\xff"]), [10**400]]
)
def test_a_cell_that_no_table_has_is_refused_by_column(cells: object) -> None:
    with pytest.raises(DataError, match="column 'odd'") as caught:
        table_of({"odd": cells})
    assert caught.value.code == "DA016"


class Colour(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        ([Decimal("1.25"), 2], "<f8", [1.25, 2.0]),
        ([np.int8(3), np.float32(0.5)], "<f8", [3.0, 0.5]),
        ([np.bool_(True), False], "|b1", [True, False]),
        ([np.str_("a"), Word.RED], "|O", ["a", "red"]),
        ([Level.HIGH, 1], "<i8", [3, 1]),
        ([uuid.UUID(int=1)], "|O", ["00000000-0000-0000-0000-000000000001"]),
        ([time(10, 30)], "|O", ["10:30:00"]),
        ([timedelta(minutes=1), None], "<f8", [60.0, None]),
        ([b"ab"], "|O", ["6162"]),
        ([(1, 2), np.array([3, 4])], "|O", [[1, 2], [3, 4]]),
        ([{"k": (date(2024, 1, 1),)}], "|O", [{"k": ["2024-01-01"]}]),
        (["a", float("nan")], "|O", ["a", None]),
        ([True, np.nan], "|O", [True, None]),
        ([pd.NaT, datetime(2024, 1, 1, tzinfo=UTC)], "<M8[us]", [None, datetime(2024, 1, 1)]),
        ([pd.NA, 1], "<f8", [None, 1.0]),
        ([2**63, 1], "<f8", [2.0**63, 1.0]),
        ([1, "a"], "|O", [1, "a"]),
        (np.array([1, 2**63], dtype=np.uint64), "<f8", [1.0, 2.0**63]),
        (np.array([1, 2], dtype=np.uint8), "<i8", [1, 2]),
        (np.array([1, "NaT"], dtype="m8[ms]"), "<f8", [0.001, None]),
        (np.array(["a", "b"]), "|O", ["a", "b"]),
        (np.array([b"a"]), "|O", ["a"]),
        (np.ones((2, 1, 2), dtype=np.float32), "|O", [[[1.0, 1.0]], [[1.0, 1.0]]]),
        (np.array([np.longdouble(0.5)]), "<f8", [0.5]),
    ],
)
def test_each_kind_of_value_becomes_a_cell(cells: object, dtype: str, values: list[object]) -> None:
    table = table_of({"c": cells})
    assert table["c"].dtype.str == dtype
    assert [record["c"] for record in table.records()] == values


def test_an_enumeration_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="Colour"):
        table_of({"c": [Colour.RED]})


@given(st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53))))
def test_integers_are_exact_with_and_without_gaps(cells: list[int | None]) -> None:
    table = table_of({"c": cells})
    if any(cell is not None for cell in cells):
        assert [record["c"] for record in table.records()] == cells


@given(st.lists(st.one_of(st.none(), st.text())))
def test_strings_are_exact(cells: list[str | None]) -> None:
    assert table_of({"c": cells})["c"].tolist() == cells
    assert table_of(pd.DataFrame({"c": objects(cells)}))["c"].tolist() == cells
