"""Promises of the check: what breaks a contract, what it lets through, and how much of it."""

from collections.abc import Iterable

import numpy as np
import pytest

from siklus.contract.check import check
from siklus.contract.columns import Boolean, Category, Contract, Datetime, Integer, Number, Target
from siklus.contract.decode import decode_table
from siklus.table import Table, objects

CONTRACT = Contract(
    columns=(
        Number(name="temp", minimum=-10.0, maximum=40.0, nullable=True),
        Integer(name="month", minimum=1, maximum=12, strict=True),
        Category(name="carrier", vocabulary=("AA", "UA"), nullable=True),
        Datetime(name="time", parts=("month", "hour")),
        Boolean(name="holiday", optional=True, default=False),
    ),
    target=Target(name="late", classes=("no", "yes")),
    ignored=("id",),
)


def table(**changed: Iterable[object]) -> Table:
    """Four rows that keep the contract, with these columns put in."""
    columns = {
        "temp": np.array([1.5, np.nan, 3.0, 4.0]),
        "month": np.array([1, 2, 3, 12]),
        "carrier": objects(["AA", "UA", None, "UA"]),
        "time": objects(["2024-01-31T08:00"] * 4),
        "late": objects(["no", "yes", "no", "yes"]),
        "id": np.arange(4),
    }
    return Table({**columns, **{name: objects(cells) for name, cells in changed.items()}})


def test_a_table_that_keeps_the_contract_passes_without_a_word() -> None:
    report = check(table(), CONTRACT)
    assert (report.rows, report.passed, report.problems, report.problem_count, report.warnings) == (
        4,
        True,
        (),
        0,
        (),
    )


def test_the_share_of_missing_cells_is_told_for_each_column_that_is_there() -> None:
    report = check(table(late=["no", None, "no", "yes"]), CONTRACT)
    assert report.missing == {"temp": 0.25, "month": 0.0, "carrier": 0.25, "time": 0.0, "late": 0.25}


def test_numbers_out_of_range_are_a_warning_with_the_extremes() -> None:
    report = check(table(temp=[-99.0, 20.0, 41.0, None]), CONTRACT)
    [warning] = report.warnings
    assert report.passed
    assert (warning.code, warning.column) == ("out-of-range", "temp")
    assert warning.message == "2 of 4 rows (50.0%) outside -10 to 40: lowest -99, highest 41"


def test_unseen_words_are_a_warning_with_the_most_frequent_ones() -> None:
    report = check(table(carrier=["ZZ", "YY", "ZZ", "AA"]), CONTRACT)
    [warning] = report.warnings
    assert report.passed
    assert warning.message == "3 of 4 rows (75.0%) hold unseen words: 'ZZ' (2), 'YY' (1)"


def test_a_row_without_a_target_is_a_warning() -> None:
    report = check(table(late=["no", None, "no", "yes"]), CONTRACT)
    assert report.passed
    assert [warning.code for warning in report.warnings] == ["target-missing"]


@pytest.mark.parametrize(
    ("changed", "code", "row", "column"),
    [
        ({"month": [1, 2, 13, 3]}, "RW007", 2, "month"),
        ({"month": [1, None, 2, 3]}, "RW004", 1, "month"),
        ({"temp": [1.0, "cold", 2.0, 3.0]}, "RW003", 1, "temp"),
        ({"time": ["2024-01-31", "soon", "2024-01-31", "2024-01-31"]}, "RW009", 1, "time"),
        ({"late": ["no", None, "no", "perhaps"]}, "RW008", 3, "late"),
        ({"unheard_of": [1, 2, 3, 4]}, "RW001", None, "unheard_of"),
    ],
)
def test_what_breaks_the_contract_is_a_problem_in_its_place(
    changed: dict[str, list[object]], code: str, row: int | None, column: str
) -> None:
    report = check(table(**changed), CONTRACT)
    [problem] = report.problems
    assert not report.passed
    assert (problem.code, problem.row, problem.column) == (code, row, column)


@pytest.mark.parametrize("gone", ["temp", "late"])
def test_a_column_that_is_gone_is_a_problem(gone: str) -> None:
    report = check(table().drop([gone]), CONTRACT)
    assert [(problem.code, problem.column) for problem in report.problems] == [("RW002", gone)]


def test_an_ignored_column_and_an_optional_one_may_be_gone() -> None:
    assert check(table().drop(["id", "holiday"]), CONTRACT).passed


def test_few_problems_are_shown_and_all_are_counted() -> None:
    months = [0] * 1000
    many = Table({name: np.resize(cells, 1000) for name, cells in table().columns.items()})
    report = check(many.with_column("month", np.array(months)), CONTRACT)
    assert (len(report.problems), report.problem_count) == (20, 1000)


def test_a_check_says_what_decode_says() -> None:
    broken = table(month=[0, 1.5, None, 3], temp=["x", 1, 2, 3], unheard_of=[1, 2, 3, 4])
    decoded = decode_table(broken, CONTRACT)
    report = check(broken, CONTRACT)
    assert report.problem_count == decoded.problem_count
    assert {(p.code, p.row, p.column) for p in report.problems} == {
        (p.code, p.row, p.column) for p in decoded.problems
    }


def test_an_empty_table_passes() -> None:
    report = check(table().take(np.zeros(4, dtype=bool)), CONTRACT)
    assert (report.rows, report.passed) == (0, True)
    assert set(report.missing.values()) == {0.0}
