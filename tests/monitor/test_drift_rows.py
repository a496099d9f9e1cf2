"""Window rows: files and logs that break the contract are findings, not failures."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from siklus.contract.columns import Category, Contract, Label, Number, Target, Text
from siklus.monitor.drift.judge import drift
from siklus.monitor.drift.rows import (
    WindowRows,
    decode_leniently,
    profile_reference,
    profile_window,
    rows_of_instances,
    rows_of_table,
)
from siklus.project.sections import Monitor
from siklus.stats.profile import CategoryProfile, NumericProfile, Profile
from siklus.table import Table, objects

CONTRACT = Contract(
    columns=(
        Number(name="distance", minimum=0, maximum=100, strict=True),
        Category(name="origin", vocabulary=("JFK", "LGA"), strict=True),
        Number(name="age", sensitive=True),
        Text(name="note", nullable=True),
    ),
    target=Target(name="late", classes=("no", "yes")),
)
COUNT = 400
DRAWN = np.random.default_rng(0)


@cache
def training() -> Profile:
    return profile_reference(from_table(cells()))


def cells(**changed: Sequence[object]) -> Table:
    columns = {
        "distance": DRAWN.uniform(0, 100, COUNT),
        "origin": objects(DRAWN.choice(["JFK", "LGA"], COUNT).tolist()),
        "age": DRAWN.uniform(20, 60, COUNT),
        "note": objects(["x"] * COUNT),
    }
    return Table({**columns, **{name: objects(values) for name, values in changed.items()}})


def from_table(table: Table) -> WindowRows:
    answers = DRAWN.integers(0, 2, len(table)).astype(np.float64)
    return rows_of_table(decode_leniently(table, CONTRACT), answers, contract=CONTRACT)


def test_what_a_server_would_refuse_is_counted() -> None:
    strange = cells(origin=["OSL"] * 100 + ["JFK"] * 300, distance=[-5.0] * 50 + [50.0] * 350)
    found = profile_window(from_table(strange), training())
    assert found.columns["origin"].counts.unseen == 100
    assert found.columns["distance"].counts.below_minimum == 50


def test_a_column_that_is_gone_has_no_cell() -> None:
    rows = from_table(cells().drop(["distance"]))
    assert [(problem.code, problem.column) for problem in rows.problems] == [("RW002", "distance")]
    report = drift(training(), profile_window(rows, training()), settings=Monitor())
    assert report.column("distance").verdict == "vanished"


def test_a_stray_text_does_not_make_texts_of_all_numbers() -> None:
    numbers = [*(str(i / 4) for i in range(COUNT - 1)), "far"]
    found = from_table(cells(distance=numbers))
    counts = profile_window(found, training()).columns["distance"].counts
    assert (counts.missing, counts.rows) == (1, COUNT)
    assert [problem.message for problem in found.problems] == ["'far' is refused"]


def test_an_unknown_column_is_left_out_and_told() -> None:
    rows = from_table(cells(gate=["A1"] * COUNT))
    assert [problem.code for problem in rows.problems] == ["RW001"]
    assert len(rows) == COUNT


@pytest.mark.parametrize("hidden", [{}, {"age": "b64:9f2c"}])
def test_the_log_has_no_sensitive_column_and_none_is_missed(hidden: dict[str, object]) -> None:
    instances: list[tuple[object, object]] = [
        ({"distance": float(i % 100), "origin": "JFK", "note": None, **hidden}, "no") for i in range(COUNT)
    ]
    rows = rows_of_instances(iter(instances), contract=CONTRACT)
    assert rows.unlogged == ("age",)
    assert rows.refused == 0
    window = profile_window(rows, training())
    assert set(window.columns) == {"distance", "origin"}
    assert window.prediction.counts.bins == (COUNT, 0, 0)
    assert "age" not in {column.name for column in drift(training(), window, settings=Monitor()).columns}


@pytest.mark.parametrize(
    ("classes", "answers"),
    [
        (("no", "yes"), ["no", "yes", "no"]),
        ((False, True), [False, True, False]),
        ((False, True), ["false", "true", "false"]),
        ((10, 20), [10, 20, 10]),
        ((10, 20), ["10", "20", "10"]),
    ],
)
def test_logged_classes_are_known_by_value_or_by_text(
    classes: tuple[Label, ...], answers: list[object]
) -> None:
    contract = Contract(columns=(Number(name="a"),), target=Target(name="y", classes=classes))
    rows = rows_of_instances([({"a": 1.0}, answer) for answer in answers], contract=contract)
    assert rows.answers is not None
    assert rows.answers.tolist() == [0, 1, 0]


def test_logged_numbers_are_predictions_of_a_regression() -> None:
    contract = Contract(columns=(Number(name="a"),), target=Target(name="y"))
    answers: list[object] = [1.5, "2.5", None, "x"]
    rows = rows_of_instances([({"a": 1.0}, answer) for answer in answers], contract=contract)
    assert rows.answers is not None
    assert np.array_equal(rows.answers, [1.5, 2.5, np.nan, np.nan], equal_nan=True)


def test_no_rows_at_all_are_a_window_too() -> None:
    rows = rows_of_instances([], contract=CONTRACT)
    found = drift(training(), profile_window(rows, training()), settings=Monitor())
    assert (found.rows, found.enough, found.alarm) == (0, False, False)


def test_a_reference_can_be_made_of_rows() -> None:
    found = training()
    assert isinstance(found.columns["distance"], NumericProfile)
    assert isinstance(found.prediction, CategoryProfile)
    assert found.prediction.words == ("no", "yes")
    assert found.rows == COUNT
