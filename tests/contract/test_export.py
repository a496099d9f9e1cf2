"""Promises of the exports: other tools accept and refuse the rows that decode accepts and refuses."""

import json
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pandera.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siklus.contract.columns import (
    Boolean,
    Category,
    Contract,
    Datetime,
    Integer,
    Number,
    Target,
    Tensor,
    Text,
    kind_of,
)
from siklus.contract.decode import decode_records, decode_table
from siklus.contract.examples import example_row
from siklus.contract.export import to_jsonschema, to_pandera
from siklus.table import Table, objects
from tests.contract.strategies import contracts, loose_rows

EVERY_KIND = Contract(
    columns=(
        Number(name="temp °C", minimum=-10.5, maximum=40.0),
        Number(name="share", minimum=0.0, maximum=1.0, strict=True, nullable=True),
        Integer(name="seats", minimum=1, maximum=400),
        Integer(name="month", minimum=1, maximum=12, strict=True),
        Category(name="carrier", vocabulary=("AA", "UA")),
        Category(name="origin", vocabulary=("EWR", "JFK"), strict=True, nullable=True),
        Category(name="grade", vocabulary=(1, 2, 3), strict=True),
        Boolean(name='says "yes"', optional=True, default=False),
        Datetime(name="departure.time"),
        Text(name="remark", nullable=True),
        Tensor(name="embedding", shape=(2,)),
    ),
    target=Target(name="late", classes=("no", "yes")),
    ignored=("row's id",),
)


def refused_by_decode(rows: list[Any], contract: Contract) -> bool:
    return decode_records(rows, contract).problem_count > 0


def refused_by_jsonschema(row: Any, contract: Contract) -> bool:
    return not jsonschema.Draft202012Validator(to_jsonschema(contract)).is_valid(row)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_row_is_valid_json_schema_exactly_when_decode_takes_it(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    row = data.draw(loose_rows(contract))
    refused = refused_by_decode([row], contract)
    if any(isinstance(column, Datetime) for column in contract.columns):
        # The one thing that JSON Schema cannot say in full: it may only refuse what decode refuses.
        assert refused or not refused_by_jsonschema(row, contract)
    else:
        assert refused == refused_by_jsonschema(row, contract)


@settings(max_examples=50, deadline=None)
@given(contracts())
def test_every_export_of_json_schema_is_json_schema(contract: Contract) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(to_jsonschema(contract))))


@pytest.mark.parametrize("text", ["yesterday", "31.01.2024", "", "12:00"])
def test_json_schema_refuses_a_text_that_does_not_begin_like_a_moment(text: str) -> None:
    row = {**example_row(EVERY_KIND), "departure.time": text}
    assert refused_by_jsonschema(row, EVERY_KIND)


def test_json_schema_tells_what_a_person_wants_to_know() -> None:
    shown = json.dumps(to_jsonschema(EVERY_KIND), ensure_ascii=False)
    for told in (
        "usually from -10.5 to 40.0",
        '"examples": ["AA", "UA"]',
        '"enum": ["EWR", "JFK", null]',
        "UTC",
    ):
        assert told in shown


@settings(max_examples=80, deadline=None)
@given(contracts())
def test_the_example_row_keeps_its_contract_after_a_trip_through_json(contract: Contract) -> None:
    row = json.loads(json.dumps(example_row(contract)))
    assert list(row) == list(contract.names)
    assert not refused_by_decode([row, list(row.values())], contract)


def test_an_example_lies_in_the_middle_of_what_was_seen() -> None:
    row = example_row(EVERY_KIND)
    assert (row["temp °C"], row["share"], row["month"], row["carrier"]) == (14.75, 0.5, 6, "AA")
    assert row['says "yes"'] is False  # its default


def a_frame() -> pd.DataFrame:
    """Two rows that keep EVERY_KIND."""
    return pd.DataFrame(
        {
            "temp °C": [1.5, 99.0],
            "share": [0.25, None],
            "seats": [100.0, 3.0],
            "month": [1, 12],
            "carrier": ["AA", "never seen"],
            "origin": ["EWR", None],
            "grade": [1, 3],
            'says "yes"': [True, False],
            "departure.time": ["2024-01-31T08:00:00", "2024-01-31"],
            "remark": ["late again", None],
            "embedding": [[1.0, 2.0], [3, 4]],
            "late": ["yes", "no"],
            "row's id": ["a", 7],
        }
    )


def as_table(frame: pd.DataFrame) -> Table:
    numeric = {name: cells.to_numpy() for name, cells in frame.items() if cells.dtype.kind in "biuf"}
    others = {name: objects(frame[name].tolist()) for name in frame if name not in numeric}
    return Table({str(name): {**numeric, **others}[name] for name in frame})


def pandera_of(contract: Contract) -> Any:
    scope: dict[str, Any] = {}
    exec(compile(to_pandera(contract), "<exported>", "exec"), scope)
    return scope["contract"]


def refused_by_pandera(frame: pd.DataFrame, contract: Contract) -> bool:
    try:
        pandera_of(contract).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors:
        return True
    return False


CELLS = [
    None,
    True,
    0,
    1,
    7,
    2.5,
    3.0,
    1e39,
    float("inf"),
    "AA",
    "JFK",
    "2024-02-30",
    "",
    [1, 2],
    [1.0],
    [[1]],
    ["a", "b"],
]


@pytest.mark.parametrize("name", EVERY_KIND.names)
def test_pandera_takes_exactly_the_cells_that_decode_takes(name: str) -> None:
    exported = pandera_of(EVERY_KIND)
    for cell in CELLS:
        frame = a_frame()
        frame[name] = pd.Series([frame[name].tolist()[0], cell], dtype=object)
        try:
            exported.validate(frame, lazy=True)
            refused = False
        except pandera.errors.SchemaErrors:
            refused = True
        assert refused == (decode_table(as_table(frame), EVERY_KIND).problem_count > 0), (name, cell)


def test_pandera_takes_the_columns_that_decode_takes() -> None:
    whole = a_frame()
    assert not refused_by_pandera(whole, EVERY_KIND)
    for name in whole:
        refused = decode_table(as_table(whole.drop(columns=name)), EVERY_KIND).problem_count > 0
        assert refused_by_pandera(whole.drop(columns=name), EVERY_KIND) == (refused or name == "late"), name
    assert refused_by_pandera(whole.assign(unheard_of=1), EVERY_KIND)


def test_pandera_takes_numpy_and_timestamp_columns() -> None:
    frame = a_frame().assign(**{"departure.time": pd.to_datetime(["2024-01-31", "2024-02-01"])})
    frame["embedding"] = pd.Series([np.array([1.0, 2.0]), np.array([1, 2])])
    assert not refused_by_pandera(frame, EVERY_KIND)


@pytest.mark.parametrize(
    ("target", "good", "bad"),
    [
        (Target(name="late", classes=("no", "yes")), "yes", "perhaps"),
        (Target(name="late", classes=(0, 1)), 1, 2),
        (Target(name="late", classes=(False, True)), True, "True"),
        (Target(name="late"), 3.5, "3.5"),
    ],
)
def test_pandera_holds_the_target(target: Target, good: object, bad: object) -> None:
    contract = Contract(columns=EVERY_KIND.columns, target=target, ignored=EVERY_KIND.ignored)
    for cell, refused in ((good, False), (None, False), (bad, True)):
        frame = a_frame()
        frame["late"] = pd.Series([good, cell], dtype=object)
        assert refused_by_pandera(frame, contract) == refused, cell


@settings(max_examples=50, deadline=None)
@given(contracts())
def test_every_export_to_pandera_is_python(contract: Contract) -> None:
    assert list(pandera_of(contract).columns) == [*contract.names, contract.target.name]


def test_the_examples_here_leave_no_kind_out() -> None:
    kinds = {kind_of(column) for column in EVERY_KIND.columns}
    assert kinds == {"number", "integer", "category", "boolean", "datetime", "text", "tensor"}
