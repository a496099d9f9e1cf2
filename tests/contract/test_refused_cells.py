"""What breaks the contract is named with row, column and code; nothing is guessed and nothing is used."""

import json
import math
from typing import Any

import numpy as np
import pytest

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
from siklus.contract.decode import Decoded, decode_records, decode_table, decode_target
from siklus.errors import RowsRefused
from siklus.table import Table, objects

DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]

NUMBER, INTEGER = Number(name="x"), Integer(name="x")
WORD, CODE = Category(name="x", vocabulary=("a", "1")), Category(name="x", vocabulary=(1, 2))
FLAG, MOMENT, TEXT, PAIR = Boolean(name="x"), Datetime(name="x"), Text(name="x"), Tensor(name="x", shape=(2,))

REFUSED: list[tuple[Column, Any, str]] = [
    *[
        (NUMBER, cell, "RW005")
        for cell in (math.nan, math.inf, -math.inf, json.loads("1e999"), 3.5e38, 10**400)
    ],
    *[(NUMBER, cell, "RW003") for cell in (True, False, "1", "", [1], {}, DEEP)],
    *[(INTEGER, cell, "RW005") for cell in (math.nan, math.inf, 10**400, -(10**5000))],
    *[(INTEGER, cell, "RW003") for cell in (1.5, True, "3", [3])],
    *[(WORD, cell, "RW003") for cell in (1, 1.0, True, ["a"], {}, math.nan)],
    *[(CODE, cell, "RW003") for cell in ("1", 1.5, True, math.inf, math.nan, [])],
    *[(FLAG, cell, "RW003") for cell in (0, 1, "true", 1.0, math.nan, [])],
    *[
        (MOMENT, cell, "RW009")
        for cell in ("yesterday", "", 20130101, True, "2013-02-30", "2013-01-01T25:00", math.nan)
    ],
    *[(MOMENT, cell, "RW009") for cell in ("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", [])],
    *[(TEXT, cell, "RW003") for cell in (1, True, math.nan, ["a"], {})],
    *[(PAIR, cell, "RW010") for cell in ([1], [1, 2, 3], [[1, 2]], [1, "2"], [1, None], [[1], [2, 3]], DEEP)],
    *[
        (PAIR, cell, "RW010")
        for cell in (1, "12", {}, True, [True, False], [1.5, True], [1, 10**400], math.nan)
    ],
    *[(PAIR, cell, "RW005") for cell in ([1, math.nan], [math.inf, 1], [1, 1e39])],
    *[(column, None, "RW004") for column in (NUMBER, INTEGER, WORD, CODE, FLAG, MOMENT, TEXT, PAIR)],
    (Number(name="x", minimum=0, maximum=1, strict=True), 1.5, "RW007"),
    (Integer(name="x", minimum=0, strict=True), -1, "RW007"),
    (Category(name="x", vocabulary=("a",), strict=True), "b", "RW008"),
    (Category(name="x", vocabulary=(1,), strict=True), 2.0, "RW008"),
]


def good_cell(column: Column) -> Any:
    """A cell that keeps the column."""
    match column:
        case Category(vocabulary=words):
            return words[0]
        case Boolean():
            return True
        case Datetime() | Text():
            return "2013-01-01"
        case Tensor():
            return [1, 2.5]
    return 1


def the_problem(decoded: Decoded) -> tuple[str, int | None, str | None]:
    [problem] = decoded.problems
    assert decoded.problem_count == 1
    return problem.code, problem.row, problem.column


# Python refuses to write some of these values into a test's name.
NAMES = [f"{type(column).__name__}-{code}-{i}" for i, (column, _, code) in enumerate(REFUSED)]


@pytest.mark.parametrize(("column", "cell", "code"), REFUSED, ids=NAMES)
def test_a_refused_cell_is_named_with_row_column_and_code(column: Column, cell: Any, code: str) -> None:
    contract = contract_of(Number(name="before"), column)
    good = {"before": 1.0, "x": good_cell(column)}
    for bad in ({"before": 1.0, "x": cell}, [1.0, cell]):
        decoded = decode_records([good, bad], contract)
        assert the_problem(decoded) == (code, 1, "x")
        with pytest.raises(RowsRefused, match=rf"^{code} row 1, column 'x': ") as refused:
            decoded.accepted()
        assert refused.value.total == 1
        assert len(str(refused.value)) < 250
        assert np.isnan(decoded.rows.matrix[1, 1:]).all(), "a refused cell reads as missing"


def contract_of(*columns: Column) -> Contract:
    return Contract(columns=columns, target=Target(name="target"))


BOTH = contract_of(Number(name="a"), Number(name="b"))


@pytest.mark.parametrize(
    ("instance", "code", "column"),
    [
        ({"a": 1, "b": 2, "c": 3}, "RW001", "c"),
        ({"a": 1}, "RW002", "b"),
        ([1], "RW006", None),
        ([1, 2, 3], "RW006", None),
        ([], "RW006", None),
        (None, "RW011", None),
        (1.5, "RW011", None),
        ("ab", "RW011", None),
    ],
)
def test_a_refused_row_is_one_problem_however_many_columns_it_lacks(
    instance: Any, code: str, column: str | None
) -> None:
    decoded = decode_records([{"a": 1, "b": 2}, instance], BOTH)
    assert the_problem(decoded) == (code, 1, column)


def test_a_table_names_its_missing_and_unknown_columns_once() -> None:
    table = Table({"a": np.ones(3), "z": np.ones(3), "target": np.ones(3)})
    found = {(p.code, p.column, p.row) for p in decode_table(table, BOTH).problems}
    assert found == {("RW001", "z", None), ("RW002", "b", None)}


def test_nan_is_missing_in_a_table_and_refused_in_json() -> None:
    contract = contract_of(Number(name="x", nullable=True))
    for cells in (np.array([1, math.nan]), objects([1, math.nan]), objects([1, None])):
        assert decode_table(Table({"x": cells}), contract).accepted().matrix.shape == (2, 1)
    assert the_problem(decode_records([[1], [math.nan]], contract)) == ("RW005", 1, "x")


def test_a_missing_cell_in_a_table_is_refused_where_the_column_is_not_nullable() -> None:
    for column in (NUMBER, INTEGER, WORD, CODE, FLAG, MOMENT, TEXT, PAIR):
        table = Table({"x": objects([good_cell(column), None, math.nan])})
        problems = decode_table(table, contract_of(column)).problems
        assert [(p.code, p.row) for p in problems] == [("RW004", 1), ("RW004", 2)]


def test_all_problems_are_counted_and_the_first_twenty_of_a_column_kept() -> None:
    decoded = decode_records([{"a": "x", "b": 1}] * 500, BOTH)
    assert [problem.row for problem in decoded.problems] == list(range(20))
    assert decoded.problem_count == 500
    with pytest.raises(RowsRefused, match="and 499 more"):
        decoded.accepted()


def test_names_that_a_request_makes_up_share_one_allowance() -> None:
    decoded = decode_records([{"a": 1, "b": 2, **{f"n{i}" * 100: 1 for i in range(500)}}], BOTH)
    assert decoded.problem_count == 500
    assert len(decoded.problems) == 20
    assert max(len(problem.message) for problem in decoded.problems) < 120


def test_rows_that_are_none_are_counted_once_each_beyond_the_twenty_that_are_kept() -> None:
    decoded = decode_records([None] * 100, BOTH)
    assert (decoded.problem_count, len(decoded.problems)) == (100, 20)


def test_what_is_outside_but_not_strict_is_scored_and_counted() -> None:
    contract = contract_of(Number(name="x", minimum=0, maximum=1), Category(name="c", vocabulary=("a",)))
    decoded = decode_records([[2, "a"], [0.5, "b"], [-1, "b"]], contract)
    assert decoded.accepted().matrix.tolist() == [[2, 0], [0.5, -1], [-1, -1]]
    assert (decoded.out_of_range, decoded.unseen) == ({"x": 2}, {"c": 2})


def test_a_class_target_is_the_place_of_its_class() -> None:
    contract = Contract(columns=(NUMBER,), target=Target(name="y", classes=("no", "yes")))
    answer = decode_target(Table({"y": objects(["yes", "no", "yes"])}), contract)
    assert (answer.dtype, answer.tolist()) == (np.dtype(np.int64), [1, 0, 1])


def test_a_number_target_keeps_its_precision() -> None:
    values = np.array([0.1, 1e-12, 123456789.123])
    for cells in (values, objects(values.tolist())):
        answer = decode_target(Table({"target": cells}), BOTH)
        assert answer.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("classes", "cells", "codes"),
    [
        (("no", "yes"), ["yes", "maybe", None, ["no"]], {1: "RW008", 2: "RW004", 3: "RW008"}),
        ((0, 1), [1, 2, math.nan, "1"], {1: "RW008", 2: "RW004", 3: "RW008"}),
        (None, [1.5, "2", math.inf, None, True], {1: "RW003", 2: "RW005", 3: "RW004", 4: "RW003"}),
    ],
)
def test_a_target_that_is_missing_or_wrong_is_refused_by_row(
    classes: tuple[Any, ...] | None, cells: list[Any], codes: dict[int, str]
) -> None:
    contract = Contract(columns=(NUMBER,), target=Target(name="y", classes=classes))
    with pytest.raises(RowsRefused) as refused:
        decode_target(Table({"y": objects(cells)}), contract)
    assert {problem.row: problem.code for problem in refused.value.problems} == codes
    assert {problem.column for problem in refused.value.problems} == {"y"}


def test_every_missing_target_is_counted() -> None:
    with pytest.raises(RowsRefused) as refused:
        decode_target(Table({"target": np.full(1000, math.nan)}), BOTH)
    assert refused.value.total == 1000
