"""Rows of a retraining: each once, as they were known when they were answered, within the window."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siklus.automation.retraining.logged import read_logged
from siklus.automation.retraining.rows import Assembled, Wanted, assemble, columns_beside, write_rows
from siklus.contract.columns import Category, Contract, Datetime, Number, Target
from siklus.data.frames import table_of
from siklus.data.sources import open_source
from siklus.errors import AutomationError, RowsRefused
from siklus.project.sections import Data, Split
from siklus.table import Table
from tests.automation.logs import HOUR, NOON, Log

DAY = timedelta(days=1)
CONTRACT = Contract(
    columns=(Number(name="size"), Category(name="kind", vocabulary=("flat", "house"))),
    target=Target(name="price"),
    ignored=("id", "note"),
)
TIMED = Contract(columns=(Datetime(name="sold"), Number(name="size")), target=Target(name="price"))
DATA = Data(path="rows.csv", target="price")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "records", CONTRACT)


def assembled(
    log: Log,
    source: dict[str, Any] | None,
    *,
    data: Data = DATA,
    window: str = "all",
    cut: datetime = NOON + 365 * DAY,
    trusted: dict[str, Any] | None = None,
) -> Assembled:
    declared = None if source is None else table_of(source)
    logged = read_logged(
        log.layout, log.contract, cut=cut, most=1_000, beside=columns_beside(data, log.contract, declared)
    )
    wanted = Wanted(
        contract=log.contract,
        data=data,
        window=window,
        cut=cut,
        trusted=None if trusted is None else table_of(trusted),
    )
    return assemble(declared, logged, wanted)


def houses(*sizes: float, kind: str = "house", **more: Any) -> list[dict[str, Any]]:
    return [{"size": size, "kind": kind, **more} for size in sizes]


def prices(found: Assembled) -> list[float]:
    return found.table["price"].tolist()


SOURCE = {"size": [1.0, 2.0], "kind": ["flat", None], "price": [10, 20], "note": ["x", "y"], "id": [1, 2]}


def test_source_and_log_are_one_table_of_the_contracts_columns(log: Log) -> None:
    log.answer(houses(3.0, 4.0, note="z"), [30.5, 40.0])
    found = assembled(log, SOURCE)
    assert list(found.table) == ["size", "kind", "price"]
    assert prices(found) == [10, 20, 30.5, 40]
    assert found.table["kind"].tolist() == ["flat", None, "house", "house"]
    assert (found.taken.source, found.taken.logged, found.taken.left_out) == (2, 2, {})


def test_positional_rows_are_read_by_the_contracts_order(log: Log) -> None:
    log.answer([[5.0, "flat"]], [50.0])
    assert next(iter(assembled(log, None).table.records())) == {"size": 5.0, "kind": "flat", "price": 50.0}


def test_only_outcomes_that_had_come_by_the_cut_count_and_no_shadows(log: Log) -> None:
    log.answer(houses(1, 2, 3), [10.0, None, 30.0], received=NOON + HOUR)
    log.answer(houses(4), [40.0], received=NOON + 3 * HOUR)
    log.answer(houses(5), [50.0], shadow=True)
    assert prices(assembled(log, None, cut=NOON + 2 * HOUR)) == [10, 30]
    assert prices(assembled(log, None)) == [10, 30, 40]


def test_recent_days_are_counted_back_from_the_newest_answer(log: Log) -> None:
    for day in (0, 10, 20):
        log.answer(houses(day), [float(day)], at=NOON + day * DAY)
    found = assembled(log, None, window="recent 10d")
    assert prices(found) == [10, 20]
    assert found.taken.left_out == {"outside the window": 1}
    assert (found.taken.first, found.taken.last) == (NOON + 10 * DAY, NOON + 20 * DAY)


def test_days_leave_out_no_row_that_has_no_time(tmp_path: Path) -> None:
    """Nothing says that it is old; where rows are counted, it is before all that have one."""
    log = Log(tmp_path / "plain", CONTRACT)
    for day in (0, 20):
        log.answer(houses(day), [float(day)], at=NOON + day * DAY)
    found = assembled(log, SOURCE, window="recent 10d")
    assert prices(found) == [10, 20, 20]
    assert found.taken.source == 2
    assert prices(assembled(log, SOURCE, window="sliding 3")) == [20, 0, 20]

    timed = Log(tmp_path / "timed", TIMED)
    timed.answer([{"sold": "2026-02-20T00:00:00Z", "size": 1.0}], [3.0])
    source = {
        "sold": np.array(["2026-02-05", "NaT"], dtype="datetime64[us]"),
        "size": [1.0, 1.0],
        "price": [1.0, 2.0],
    }
    data = Data(path="rows.csv", target="price", time="sold")
    assert prices(assembled(timed, source, data=data, window="recent 10d")) == [2, 3]


def test_rows_have_the_time_of_their_time_column(tmp_path: Path) -> None:
    log = Log(tmp_path, TIMED)
    data = Data(path="rows.csv", target="price", time="sold")
    sold = [{"sold": f"2026-02-{day:02d}T00:00:00Z", "size": 1.0} for day in (1, 20, 10)]
    log.answer(sold, [1.0, 20.0, 10.0])
    source = {
        "sold": np.array(["2026-02-05", "2026-02-12"], dtype="datetime64[us]"),
        "size": [1.0, 1.0],
        "price": [5.0, 12.0],
    }
    found = assembled(log, source, data=data, window="recent 10d")
    assert prices(found) == [12, 20, 10]
    assert found.table["sold"].dtype.kind == "M"
    assert prices(assembled(log, source, data=data, window="sliding 3")) == [12, 20, 10]


def test_a_time_column_that_the_model_does_not_see_may_be_missing_in_the_log(tmp_path: Path) -> None:
    """Then the row has the time of its answer, and the split by time still works."""
    log = Log(tmp_path, CONTRACT)
    data = Data(path="rows.csv", target="price", time="note")
    log.answer([*houses(1), *houses(2, note="2026-02-01T00:00:00")], [1.0, 2.0])
    found = assembled(log, None, data=data)
    assert found.table["note"].tolist() == [
        datetime(2026, 3, 1, 12),
        datetime(2026, 2, 1),
    ]


def test_what_lies_in_the_future_is_no_row_of_today(tmp_path: Path) -> None:
    log = Log(tmp_path, TIMED)
    log.answer([{"sold": f"{year}-02-01T00:00:00Z", "size": 1.0} for year in (2026, 2099)], [1.0, 2.0])
    data = Data(path="rows.csv", target="price", time="sold")
    found = assembled(log, None, data=data, cut=NOON + DAY, window="recent 30d")
    assert prices(found) == [1.0]
    assert found.taken.left_out == {"a time after the training began": 1}


def test_a_window_of_days_needs_moments(log: Log) -> None:
    log.answer(houses(1), [1.0])
    data = Data(path="rows.csv", target="price", time="size")
    with pytest.raises(AutomationError) as caught:
        assembled(log, SOURCE, data=data, window="recent 10d")
    assert caught.value.code == "AU051"


def test_a_row_of_the_source_that_was_logged_too_is_taken_once_by_its_content(log: Log) -> None:
    """And of rows that are alike as many as there were: two in the source, of which one was logged."""
    source = {"size": [1.0, 1.0, 2.0], "kind": ["flat"] * 3, "price": [10.0, 10.0, 20.0]}
    log.answer(houses(1.0, kind="flat"), [10.0])
    found = assembled(log, source)
    assert prices(found) == [10, 20, 10]
    assert found.taken.left_out == {"the same row again": 1}


def test_a_key_names_rows_whatever_else_they_hold(log: Log) -> None:
    """The log's last answer stays: features as they were known, in the place of what the source has now."""
    data = Data(path="rows.csv", target="price", key="id")
    log.answer(houses(7.0, id=2), [21.0])
    log.answer(houses(8.0, id=2), [22.0], at=NOON + DAY)
    found = assembled(log, SOURCE, data=data)
    assert prices(found) == [10, 22]
    assert found.table["id"].tolist() == [1, 2]
    assert found.data.key == "id"


def test_a_key_that_clients_do_not_send_names_no_rows(log: Log) -> None:
    log.answer(houses(7.0), [21.0])
    found = assembled(log, SOURCE, data=Data(path="rows.csv", target="price", key="id"))
    assert found.data.key is None
    assert list(found.table) == ["size", "kind", "price"]


def test_rows_of_the_trusted_set_are_never_trained_on(log: Log) -> None:
    log.answer(houses(3.0, 4.0), [30.0, 40.0])
    trusted = {"size": [2, 4], "kind": [None, "house"], "price": [20, 40]}
    found = assembled(log, SOURCE, trusted=trusted)
    assert prices(found) == [10, 30]
    assert found.taken.left_out == {"rows of the trusted set": 2}


def test_words_that_the_contract_does_not_know_are_trained_on_as_such(log: Log) -> None:
    log.answer([*houses(1), *houses(2, kind="boat")], [1.0, 2.0])
    found = assembled(log, None)
    assert prices(found) == [1, 2]
    assert found.taken.unseen == {"kind": 1}


def test_rows_that_the_contract_refuses_by_now_are_left_out(tmp_path: Path) -> None:
    """They kept the contract of their day."""
    log = Log(tmp_path, Contract(columns=CONTRACT.columns[:1], target=CONTRACT.target))
    log.answer([{"size": 1.0}], [1.0])
    log.contract = CONTRACT
    log.answer(houses(2), [2.0])
    found = assembled(log, None)
    assert prices(found) == [2]
    assert found.taken.left_out == {"features that do not keep the contract": 1}


def test_a_column_that_a_row_may_leave_out_has_its_default(tmp_path: Path) -> None:
    size = Number(name="size", optional=True, default=7.0, nullable=True)
    log = Log(tmp_path, Contract(columns=(size, *CONTRACT.columns[1:]), target=CONTRACT.target))
    log.answer([{"kind": "flat"}, {"kind": "flat", "size": None}, *houses(3)], [1.0, 2.0, 3.0])
    sizes = assembled(log, {"kind": ["flat"], "price": [0.0]}).table["size"].tolist()
    assert sizes[:2] == [7.0, 7.0]
    assert np.isnan(sizes[2])
    assert sizes[3] == 3.0


def test_outcomes_of_no_class_are_left_out(tmp_path: Path) -> None:
    log = Log(tmp_path, Contract(columns=CONTRACT.columns, target=Target(name="late", classes=(False, True))))
    log.answer(houses(1, 2, 3), [True, "perhaps", False])
    found = assembled(log, None, data=Data(path="rows.csv", target="late"))
    assert found.table["late"].tolist() == [True, False]
    assert found.table["late"].dtype.kind == "b"
    assert found.taken.left_out == {"an outcome that the contract does not know": 1}


def test_sensitive_columns_are_refused_since_the_log_does_not_have_them(tmp_path: Path) -> None:
    secret = Number(name="income", sensitive=True, nullable=True)
    log = Log(tmp_path, Contract(columns=(*CONTRACT.columns, secret), target=CONTRACT.target))
    log.answer(houses(1, income=9.0), [1.0])
    with pytest.raises(AutomationError, match="'income' is sensitive") as caught:
        assembled(log, None)
    assert caught.value.code == "AU050"


def test_a_source_of_other_columns_is_refused_as_a_training_does(log: Log) -> None:
    log.answer(houses(1), [1.0])
    with pytest.raises(RowsRefused):
        assembled(log, {**SOURCE, "colour": ["red", "blue"]})


def test_no_row_at_all_says_what_became_of_all(log: Log) -> None:
    with pytest.raises(AutomationError, match="there are none") as caught:
        assembled(log, None)
    assert caught.value.code == "AU052"
    log.answer(houses(1), [1.0])
    trusted = {"size": [1], "kind": ["house"], "price": [1]}
    with pytest.raises(AutomationError, match=r"1 are out \(rows of the trusted set\)"):
        assembled(log, None, trusted=trusted)


def test_a_split_by_group_takes_no_row_without_one(log: Log) -> None:
    data = Data(path="rows.csv", target="price", split=Split(group="note"))
    log.answer([*houses(1, note="a"), *houses(2)], [1.0, 2.0])
    found = assembled(log, SOURCE, data=data)
    assert found.table["note"].tolist() == ["x", "y", "a"]
    assert found.taken.left_out == {"no 'note', which the split asks for": 1}


def test_the_file_is_read_back_with_these_very_cells(tmp_path: Path) -> None:
    table = table_of(
        {
            "number": [1.5, None],
            "whole": [1, 2],
            "word": ["a", None],
            "flag": [True, None],
            "all": [True, False],
            "when": np.array(["2026-01-01", "NaT"], dtype="datetime64[us]"),
            "pixels": [[[1.0, 2.0], [3.0, 4.5]], None],
        }
    )
    write_rows(table, tmp_path / "rows.parquet")
    data = Data(path="rows.parquet", target="number", time="when")
    assert open_source(data, directory=tmp_path).read().table == table


def test_nothing_of_a_log_is_the_source_alone(log: Log) -> None:
    found = assembled(log, SOURCE)
    assert isinstance(found.table, Table)
    assert prices(found) == [10, 20]
    assert (found.taken.first, found.taken.last) == (None, None)
