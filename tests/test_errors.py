"""Errors say code, place, value and what would be right, and cross processes whole."""

import pickle
import sys
from pathlib import Path

import pytest

from siklus import errors
from siklus.errors import DataError, MissingExtra, RowProblem, RowsRefused, SiklusError
from siklus.extras import need

PROBLEMS = [
    RowProblem(code="RW003", row=3, column="age", message="'x' is refused", expected="a number"),
    RowProblem(code="RW006", row=4, column=None, message="2 values", expected="3 values"),
]


def test_an_error_reads_as_code_message_and_what_would_be_right() -> None:
    assert (
        str(DataError("DA001", "flights.csv: 3 columns", expected="4"))
        == "DA001 flights.csv: 3 columns (expected 4)"
    )
    assert str(DataError("DA001", "flights.csv: 3 columns")) == "DA001 flights.csv: 3 columns"


def test_refused_rows_read_as_the_first_problem_and_how_many_there_are() -> None:
    error = RowsRefused(PROBLEMS, total=7)
    assert str(error) == "RW003 row 3, column 'age': 'x' is refused (and 6 more) (expected a number)"
    assert (error.code, error.total, error.problems) == ("RW003", 7, tuple(PROBLEMS))
    assert str(RowsRefused(PROBLEMS[1:], total=1)) == "RW006 row 4: 2 values (expected 3 values)"


@pytest.mark.parametrize(
    "error", [DataError("DA001", "where: value", expected="right"), RowsRefused(PROBLEMS, total=7)]
)
def test_an_error_crosses_processes_whole(error: SiklusError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_every_error_has_a_status_of_http() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SiklusError)
    ]
    assert {kind.http_status for kind in kinds} <= {400, 422, 500, 503}


def test_a_package_that_is_missing_is_asked_for_by_its_extra() -> None:
    with pytest.raises(MissingExtra, match=r"^XT001 no_such_package is needed here .*siklus\[ray\]"):
        need("no_such_package", extra="ray")
    with pytest.raises(MissingExtra, match=r"pip install siklus\)$"):
        need("no_such_package.inner")


def test_a_package_that_is_there_but_broken_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import what_it_lacks")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_lacks"):
        need("broken_package", extra="ray")
    assert "broken_package" not in sys.modules
