"""Promises of inference: which contract is proposed for which table, and what is refused outright."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siklus.contract.check import check
from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Datetime,
    Integer,
    Number,
    Target,
    Tensor,
    contract_text,
    parse_contract,
)
from siklus.contract.decode import decode_table
from siklus.contract.infer import infer
from siklus.errors import DataError
from siklus.table import Table, objects
from tests.contract.strategies import TEXTS

ROWS = 40
TARGET = np.arange(ROWS) % 2
OTHER = np.random.default_rng(0).normal(size=ROWS)  # so that a table always has a usable column


def with_cells(cells: Any, *, name: str = "x") -> Table:
    """A table of 40 rows: this column (repeated to that length), another one and the target `y`."""
    array = cells if isinstance(cells, np.ndarray) else objects(cells)
    return Table({name: np.resize(array, ROWS), "other": OTHER, "y": TARGET})


NAN, NAT = np.nan, np.datetime64("NaT", "us")
HOURS = np.datetime64("2024-01-31T00:00", "us") + np.arange(ROWS) * np.timedelta64(1, "h")


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (np.array([1.5, -2.0, 3.25]), Number(name="x", minimum=-2.0, maximum=3.25)),
        (np.array([1.5, NAN]), Number(name="x", minimum=1.5, maximum=1.5, nullable=True)),
        (np.array([3, -1, 7]), Integer(name="x", minimum=-1, maximum=7)),
        (np.array([3, 200], dtype=np.uint8), Integer(name="x", minimum=3, maximum=200)),
        (np.array([3.0, NAN, 7.0]), Integer(name="x", minimum=3, maximum=7, nullable=True)),
        ([3, None, 7], Integer(name="x", minimum=3, maximum=7, nullable=True)),
        ([3, 7.5], Number(name="x", minimum=3.0, maximum=7.5)),
        (np.array([2.0**60, 1.0]), Number(name="x", minimum=1.0, maximum=2.0**60)),
        (np.array([2**62 + 1, 1]), Integer(name="x", minimum=1, maximum=2**62 + 1)),
        (np.array([True, False]), Boolean(name="x")),
        ([True, None, False], Boolean(name="x", nullable=True)),
        (["b", "a", None, "c"], Category(name="x", vocabulary=("a", "b", "c"), nullable=True)),
        (np.array(["b", "a"]), Category(name="x", vocabulary=("a", "b"))),
        (["", "a"], Category(name="x", vocabulary=("", "a"))),
        (["20130101", "20130102"], Category(name="x", vocabulary=("20130101", "20130102"))),
        (["2024-01-31", "soon"], Category(name="x", vocabulary=("2024-01-31", "soon"))),
        (HOURS, Datetime(name="x", parts=("month", "day", "weekday", "hour"))),
        (HOURS[:24], Datetime(name="x", parts=("hour",))),
        (np.array([HOURS[0], HOURS[1], NAT]), Datetime(name="x", parts=("hour",), nullable=True)),
        (
            ["2024-01-31", "2024-02-29T07:30:00Z"],
            Datetime(name="x", parts=("month", "day", "weekday", "hour")),
        ),
        ([date(2024, 1, 1), date(2024, 1, 8)], Datetime(name="x", parts=("day",))),
        ([datetime(2024, 1, 1, 7, tzinfo=UTC), datetime(2024, 1, 1, 9)], Datetime(name="x", parts=("hour",))),
        ([[1.0, 2.0], [3, 4]], Tensor(name="x", shape=(2,))),
        ([[[1], [2]], None, [[3], [4]]], Tensor(name="x", shape=(2, 1), nullable=True)),
        ([np.array([1.0, 2.0]), np.array([3, 4])], Tensor(name="x", shape=(2,))),
    ],
)
def test_the_kind_is_read_off_the_cells(cells: Any, column: Column) -> None:
    found = infer(with_cells(cells), target="y")
    assert found.contract.columns[0] == column
    assert found.contract.columns[1].name == "other"
    assert found.contract.ignored == ()


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(-1e30, 1e30),
    TEXTS,
    st.datetimes(),
    st.dates(),
    st.lists(st.floats(-1, 1), max_size=2),
    st.binary(max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_row_keeps_the_contract_that_its_table_proposes(data: st.DataObject) -> None:
    pool = data.draw(st.lists(CELLS, min_size=1, max_size=5) | st.lists(TEXTS, min_size=1, max_size=ROWS))
    table = with_cells(pool, name=data.draw(st.text(min_size=1, max_size=5)))
    if len(table.names) < 3:
        return  # the drawn name is one of the others
    found = infer(table, target="y")
    assert check(table, found.contract).passed
    assert decode_table(table, found.contract).out_of_range == {}
    assert parse_contract(contract_text(found.contract).encode(), where="here") == found.contract


@pytest.mark.parametrize(
    "name", ["a b", "größe", "a.b", 'say "x"', "it's", "行", "\t", "x" * 300, "{x}", "%s"]
)
def test_odd_column_names_work(name: str) -> None:
    table = with_cells([1.5, 2.5, 4.5], name=name)
    found = infer(table, target="y")
    assert name in found.contract.names
    assert check(table, found.contract).passed
    assert infer(table.with_column("z", OTHER), target=name, task="regression").contract.target.name == name


def test_a_large_vocabulary_keeps_the_250_most_frequent_words_sorted() -> None:
    words = [f"w{i:05}" for i in range(10_000)]
    cells = objects(words * 2 + words[9_750:] * 3)
    table = Table({"x": cells, "y": np.arange(len(cells)) % 2})
    found = infer(table, target="y")
    [column] = found.contract.columns
    assert isinstance(column, Category)
    assert column.vocabulary == tuple(words[9_750:])
    assert "many-categories" in {about.code for about in found.findings}
    assert check(
        table, found.contract
    ).passed  # the rest is unseen, which no contract that is not strict refuses


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["b", "a"], "classification", ("a", "b")),
        (np.array([True, False]), "classification", (False, True)),
        ([True, None, False], "classification", (False, True)),
        (np.array([2, 0, 1]), "classification", (0, 1, 2)),
        (np.array([1.0, 0.0, NAN]), "classification", (0, 1)),
        (np.array([-1, 1]), "classification", (-1, 1)),
        (np.arange(20), "regression", None),  # two rows each: amounts
        (np.array([0.5, 1.5]), "regression", None),
    ],
)
def test_the_task_and_the_classes_are_read_off_the_target(cells: Any, task: str, classes: Any) -> None:
    table = with_cells(cells, name="goal")
    found = infer(table, target="goal")
    assert (found.task, found.contract.target) == (task, Target(name="goal", classes=classes))
    assert found.contract.task == task
    assert [about.code for about in found.findings if about.code == "assumed-task"] == ["assumed-task"]
    assert check(table, found.contract).passed


def test_a_given_task_is_taken_and_nothing_is_assumed() -> None:
    found = infer(with_cells(np.array([2, 0, 1]), name="goal"), target="goal", task="regression")
    assert found.contract.target == Target(name="goal")
    assert "assumed-task" not in {about.code for about in found.findings}


def test_key_and_dropped_columns_are_ignored_and_time_stays_a_feature() -> None:
    table = Table({"id": np.arange(ROWS), "at": HOURS, "secret": OTHER + np.inf, "other": OTHER, "y": TARGET})
    found = infer(table, target="y", time="at", key="id", drop=["secret"])
    assert found.contract.names == ("at", "other")
    assert found.contract.ignored == ("id", "secret")


def test_a_time_column_may_be_written_without_dashes_or_be_a_number() -> None:
    days = objects(f"202401{1 + i % 28:02}" for i in range(ROWS))
    assert infer(PLAIN.with_column("x", days), target="y", time="x").contract.columns[1] == Datetime(
        name="x", parts=("day", "weekday")
    )
    year = infer(PLAIN.with_column("x", np.arange(1980, 1980 + ROWS)), target="y", time="x")
    assert year.contract.columns[1] == Integer(name="x", minimum=1980, maximum=1980 + ROWS - 1)


def codes_of(error: type[DataError], table: Table, **given: Any) -> str:
    with pytest.raises(error) as caught:
        infer(table, **{"target": "y", **given})
    return str(caught.value)


PLAIN = Table({"other": OTHER, "y": TARGET})


def y(cells: Any) -> Table:
    return PLAIN.with_column("y", cells if isinstance(cells, np.ndarray) else objects(cells))


@pytest.mark.parametrize(
    ("table", "given", "said"),
    [
        (PLAIN, {"target": "othr"}, ("DA002", "'othr'", "the target", "'other'")),
        (PLAIN, {"target": "zzz"}, ("DA002", "'zzz'", "['other', 'y']")),
        (PLAIN, {"time": "when"}, ("DA002", "'when'", "the time")),
        (PLAIN, {"key": "who"}, ("DA002", "'who'", "the key")),
        (PLAIN, {"drop": ["what"]}, ("DA002", "'what'", "dropped")),
        (PLAIN.with_column("", OTHER), {}, ("DA030", "column 3 of 3")),
        (PLAIN, {"time": "y"}, ("DA031", "'y'")),
        (PLAIN, {"key": "other", "drop": ["other"]}, ("DA031", "'other'")),
        (PLAIN.take(TARGET > 5), {}, ("DA032",)),
        (y(np.zeros(ROWS)), {}, ("DA033", "'y'", "one value")),
        (y([None] * ROWS), {}, ("DA033", "no value")),
        (y(["a"] * 20 + ["b"] * 19 + ["lone"]), {}, ("DA034", "'lone'")),
        (PLAIN.with_column("y", OTHER), {"task": "classification"}, ("DA036", "whole numbers")),
        (y(["a", "b"] * 20), {"task": "regression"}, ("DA036", "'a'", "classification")),
        (y(HOURS), {}, ("DA036", "numbers")),
        (y(np.where(TARGET, np.inf, OTHER)), {}, ("DA037", "'y'", "20 cells", "row 1")),
        (PLAIN.with_column("x", np.where(TARGET, -np.inf, OTHER)), {}, ("DA037", "'x'", "20 cells", "row 1")),
        (PLAIN.with_column("x", np.where(TARGET, 1e39, OTHER)), {}, ("DA037", "1e+39", "float32")),
        (PLAIN.with_column("x", objects([1, 10**400] * 20)), {}, ("DA037", "'x'")),
        (
            PLAIN.with_column("x", objects(["31.01.2024", "b"] * 20)),
            {"time": "x"},
            ("DA038", "'31.01.2024'", "ISO"),
        ),
        (PLAIN.with_column("x", objects([True, None] * 20)), {"time": "x"}, ("DA038", "True")),
        (PLAIN.with_column("x", objects([None] * 40)), {"time": "x"}, ("DA038", "None")),
        (PLAIN.with_column("other", np.ones(ROWS)), {}, ("DA039", "'y'")),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(
    table: Table, given: dict[str, Any], said: tuple[str, ...]
) -> None:
    text = codes_of(DataError, table, **given)
    assert text.startswith(said[0])
    for part in said:
        assert part in text


def test_more_than_200_classes_are_refused() -> None:
    table = Table({"x": np.tile(OTHER, 11)[:402], "y": np.arange(402) % 201})
    assert codes_of(DataError, table, task="classification").startswith("DA035 target 'y': 201 classes")


def test_what_is_dropped_may_be_as_bad_as_it_likes() -> None:
    table = PLAIN.with_column("x", np.full(ROWS, np.inf)).with_column("key", objects([None] * ROWS))
    assert infer(table, target="y", key="key", drop=["x"]).contract.names == ("other",)


def test_the_same_table_gives_the_same_answer() -> None:
    table = with_cells(OTHER * 3)
    assert infer(table, target="y") == infer(table, target="y")
