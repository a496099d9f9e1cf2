"""Training's door: in whatever file rows come, they are the same bits, or it is shown what no file says."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from siklus.bundle.read import Bundle
from siklus.contract.columns import (
    Boolean,
    Category,
    Contract,
    Datetime,
    Target,
    Tensor,
    Text,
)
from siklus.contract.decode import decode_records, decode_table
from siklus.monitor.skew.bits import unequal
from siklus.monitor.skew.training_door import Door, Form, door_of, through
from siklus.project.sections import Data
from tests.bundle.sealed import INSTANCES, MINUTES, regressor
from tests.monitor.logged import answered_by, bundle_of, flight, skew_of

FORMS = get_args(Form)
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"

# Where a float64 is not a float32, an integer no float64, a zero not nothing.
NUMBERS = [
    16777217,
    16777219.0,
    0.1,
    1.0000000596046448,  # half way between two float32, so it goes to the even one
    1.0000000596046450,
    -0.0,
    0,
    1e-40,
    -1e-45,
    5e-324,
    3.4028234663852886e38,
    -(2**53) - 1,
    123456789012345678901234567890,
    None,
]
INTEGERS = [0, -1, 2**24 + 1, 2**53 + 1, -(2**53) - 3, 2**63 - 1, 2**64, 3.0, 1e5, None]
MOMENTS = [
    "2013-01-01T10:00:00Z",
    "2013-01-01T10:00:00",
    "2013-01-01 10:00",
    "2013-01-01",
    "2012-12-31T20:30:00-05:30",
    "2013-03-10T02:30:00+13:45",
    "2013-06-30T23:59:59.999999Z",
    "1899-12-31T23:00:00+00:00",
]
WORDS = Contract(
    columns=(
        Category(
            name="place", vocabulary=(COMPOSED, DECOMPOSED, "a,b", 'say "so"', "NA", " x "), nullable=True
        ),
        Category(name="grade", vocabulary=(3, 1, 2), nullable=True),
        Boolean(name="new", nullable=True),
        Datetime(name="when", parts=("year", "hour", "minute", "weekday")),
    ),
    target=Target(name="minutes"),
)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return bundle_of(tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_numbers_moments_and_words_are_the_same_bits_whatever_file_they_came_in(
    bundle: Bundle, form: Form
) -> None:
    instances = [
        *INSTANCES,
        *(flight(distance=number) for number in NUMBERS),
        *(flight(seats=number) for number in INTEGERS),
        *(flight(time_hour=moment) for moment in MOMENTS),
    ]
    found = skew_of(bundle, answered_by(bundle, instances), form=form)
    assert (found.differences, found.refusals) == ((), ())
    assert (found.rows, found.identical, found.found) == (len(instances), len(instances), False)
    assert found.answers is not None
    assert found.answers.max_difference == 0


@pytest.mark.parametrize("form", FORMS)
def test_words_are_told_apart_by_their_letters_whatever_file_they_came_in(form: Form) -> None:
    instances = [
        {"place": place, "grade": grade, "new": new, "when": when}
        for place, grade, new, when in [
            (COMPOSED, 3, True, "2013-01-01T10:00:00+02:00"),
            (DECOMPOSED, 1, False, "2013-01-01T10:00:00Z"),
            ("a,b", 2, None, "2013-01-01T10:00:00"),
            ('say "so"', 7, True, "2013-01-01"),
            ("NA", None, True, "0001-01-01T00:00:00"),
            (None, 1.0, True, "9999-12-31T23:59:59"),
            (" x ", 2, True, "1969-12-31T23:59:59.999999Z"),
            ("nowhere", 2, True, "2000-02-29"),
        ]
    ]
    served = decode_records(instances, WORDS).accepted()
    table = through(instances, WORDS, Door(form))
    assert unequal(served, decode_table(table, WORDS).accepted(), WORDS) == {}
    assert served.matrix[:2, 0].tolist() == [0, 1]


@pytest.mark.parametrize(("column", "cells"), [("time_hour", MOMENTS), ("seats", INTEGERS)])
@pytest.mark.parametrize("form", ["csv", "json"])  # whose readers guess
def test_a_file_of_one_kind_of_cell_is_typed_by_it_and_gives_the_same_bits(
    bundle: Bundle, column: str, cells: list[object], form: Form
) -> None:
    for cell in cells[:-1]:
        instances = [flight(**{column: cell}), flight(**{column: cell, "wind": 1})]
        found = skew_of(bundle, answered_by(bundle, instances), form=form)
        assert (found.differences, found.refusals, found.found) == ((), (), False), cell


@pytest.mark.parametrize("form", ["parquet", "json"])
def test_texts_and_tensors_are_compared_too(tmp_path: Path, form: Form) -> None:
    wider = msgspec.structs.replace(
        MINUTES,
        columns=(*MINUTES.columns, Text(name="note", nullable=True), Tensor(name="picture", shape=(2, 2))),
    )
    bundle = bundle_of(tmp_path, wider, model=regressor())
    records = answered_by(
        bundle,
        [
            flight(note=note, picture=[[0.1, -0.0], [1e-40, 16777217]])
            for note in (COMPOSED, "", "null", None, "line\nbreak")
        ],
    )
    found = skew_of(bundle, records, form=form)
    assert (found.identical, found.quick, found.found) == (5, 0, False)


def test_a_column_that_was_left_out_has_its_default_in_training_too(bundle: Bundle) -> None:
    without = {name: cell for name, cell in flight().items() if name != "wind"}
    for instances in ([without, without], [without, flight(wind=7)]):
        assert not skew_of(bundle, answered_by(bundle, instances)).found


@pytest.mark.parametrize(
    ("form", "column", "cell"),
    [
        ("csv", Category(name="carrier", vocabulary=("01", "1", "02")), "01"),  # a number there
        (
            "json",
            Category(name="carrier", vocabulary=("2013-01-02", "AA", "UA")),
            "2013-01-02",
        ),  # a day there
        ("csv", Category(name="carrier", vocabulary=("", "AA", "UA"), nullable=True), ""),  # missing there
    ],
)
def test_what_a_training_file_cannot_say_is_found(
    tmp_path: Path, form: Form, column: Category, cell: str
) -> None:
    distance, seats, _, *others = MINUTES.columns
    bundle = bundle_of(
        tmp_path,
        msgspec.structs.replace(MINUTES, columns=(distance, seats, column, *others)),
        model=regressor(),
    )
    records = answered_by(bundle, [flight(carrier=cell), flight(carrier=cell, seats=4)])
    found = skew_of(bundle, records, form=form)
    assert (found.identical, found.found) == (0, True)
    assert not skew_of(bundle, records, form="parquet").found  # which has texts


def test_a_difference_shows_the_cell_on_both_sides_with_all_its_bits(tmp_path: Path) -> None:
    distance, seats, _, *others = MINUTES.columns
    empty = Category(name="carrier", vocabulary=("", "AA", "UA"), nullable=True)
    bundle = bundle_of(
        tmp_path,
        msgspec.structs.replace(MINUTES, columns=(distance, seats, empty, *others)),
        model=regressor(),
    )
    found = skew_of(bundle, answered_by(bundle, [flight(carrier="AA"), flight(carrier="")]), form="csv")
    (difference,) = found.differences
    assert found.cells == {"carrier": 1}
    assert (difference.prediction_id, difference.way, difference.column) == (
        "prediction-1",
        "training",
        "carrier",
    )
    assert (difference.request, difference.training) == ("", None)
    assert (difference.served, difference.served_bits) == (0.0, "0x00000000")
    assert (difference.other, difference.other_bits) == (None, "0x7fc00000")


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ({"path": "data/rows.csv"}, "csv"),
        ({"path": "data/rows.TSV.gz"}, "csv"),
        ({"path": "rows.csv.zip"}, "csv"),
        ({"path": "rows.2024.jsonl"}, "json"),
        ({"path": "part-*.parquet"}, "parquet"),
        ({"query": "SELECT * FROM 'rows.csv'"}, "parquet"),
        ({"url": "sqlite:///x.db", "query": "SELECT 1"}, "parquet"),
    ],
)
def test_the_file_is_of_the_project_s_own_format(source: dict[str, str], form: Form) -> None:
    assert door_of(Data(**source, target="y", time="t")) == Door(form, "t")
