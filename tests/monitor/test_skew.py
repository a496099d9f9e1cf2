"""No skew: what must be the same is, to the last bit, and what is not the same is found."""

import time
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest

from siklus.bundle.read import Bundle
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
)
from siklus.contract.decode import Rows, decode_records, decode_table
from siklus.errors import MonitorError
from siklus.monitor.bits import unequal
from siklus.monitor.skew import CHUNK_ROWS, Served, VersionSkew, verify_skew
from siklus.monitor.training_door import Door, Form, door_of, through
from siklus.project.sections import Data
from siklus.records.reading import PredictionRecord
from siklus.stats.agreement import FLOAT32_STEP
from siklus.table import FloatRows, objects
from tests.bundle.sealed import INSTANCES, LATE, MINUTES, WEIGHTS, regressor
from tests.figures import Figure
from tests.monitor.logged import altered, answered_by, bundle_of

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


def skew(bundle: Bundle, records: list[PredictionRecord], *, form: Form = "parquet") -> VersionSkew:
    (found,) = verify_skew(records, {"1": Served(bundle)}, door=Door(form))
    return found


def flight(**cells: object) -> dict[str, object]:
    return {**INSTANCES[0], **cells}


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
    found = skew(bundle, answered_by(bundle, instances), form=form)
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
        found = skew(bundle, answered_by(bundle, instances), form=form)
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
    found = skew(bundle, records, form=form)
    assert (found.identical, found.quick, found.found) == (5, 0, False)


def test_the_quick_way_is_held_against_the_other(bundle: Bundle) -> None:
    assert skew(bundle, answered_by(bundle, INSTANCES)).quick == len(INSTANCES)
    # A whole number written as 3.0 is none of the plain rows that it takes.
    assert skew(bundle, answered_by(bundle, [flight(seats=3.0), flight()])).quick == 1


def test_a_column_that_was_left_out_has_its_default_in_training_too(bundle: Bundle) -> None:
    without = {name: cell for name, cell in flight().items() if name != "wind"}
    for instances in ([without, without], [without, flight(wind=7)]):
        assert not skew(bundle, answered_by(bundle, instances)).found


def test_many_rows_are_compared_a_part_at_a_time(bundle: Bundle, figure: Figure) -> None:
    rows = CHUNK_ROWS + 3
    records = answered_by(bundle, [flight(distance=i / 7) for i in range(rows)])
    started = time.perf_counter()
    found = skew(bundle, records)
    figure("rows proven free of skew", f"{rows / (time.perf_counter() - started):,.0f}/s, of 6 columns")
    assert (found.rows, found.identical, found.quick) == (rows, rows, rows)
    last = altered(records[-1], prediction=0.0)
    assert skew(bundle, [*records[:-1], last]).found


# What must be found.


def test_a_logged_cell_that_was_changed_shows_in_the_answer(bundle: Bundle) -> None:
    records = answered_by(bundle, INSTANCES)
    tampered = altered(records[0], features={**records[0].features, "distance": 101.5})
    found = skew(bundle, [tampered, *records[1:]])
    # The same bits both ways, since both read the log; but the model says 1 · WEIGHTS[0] more.
    assert found.identical == 3
    assert found.answers is not None
    assert found.answers.max_difference == WEIGHTS[0]
    assert (found.answers.rows_beyond, found.found) == (1, True)


def test_a_logged_answer_that_was_changed_is_found(bundle: Bundle) -> None:
    first, *others = answered_by(bundle, INSTANCES)
    assert isinstance(first.prediction, float)
    near = np.nextafter(np.float32(first.prediction), np.float32(np.inf))
    assert not skew(bundle, [altered(first, prediction=float(near)), *others]).found  # float32's last bit
    for prediction in (first.prediction + 1, "a word"):
        assert skew(bundle, [altered(first, prediction=prediction), *others]).found


def test_another_class_or_probability_is_found_but_for_ties(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, LATE)
    sure, tied = answered_by(bundle, [flight(), flight(distance=0, seats=0, carrier="AA", **TIED)])
    assert (sure.prediction, tied.prediction, tied.probability) == ("yes", "no", 0.5)
    assert not skew(bundle, [sure, tied]).found
    assert not skew(bundle, [sure, altered(tied, prediction="yes")]).found  # 0.5 and 0.5
    assert sure.probability is not None
    assert 2 * sure.probability - 1 > FLOAT32_STEP
    for changed in (
        {"prediction": "no"},
        {"prediction": "perhaps"},
        {"probability": sure.probability + 1e-4},
        {"probability": None},
    ):
        assert skew(bundle, [altered(sure, **changed), tied]).found, changed


TIED = {"is late": False, "time_hour": "2013-01-07T00:00:00", "wind": 0.0}  # a Monday


def test_the_contract_of_another_bundle_is_found(tmp_path: Path, bundle: Bundle) -> None:
    records = answered_by(bundle, INSTANCES)
    swapped = Category(name="carrier", vocabulary=("UA", "AA"), nullable=True)
    distance, seats, carrier, *others = MINUTES.columns
    columns = {
        "words in another order": (distance, seats, swapped),
        "a column less": (distance, Integer(name="places", nullable=True), carrier),
        "no gaps": (distance, Integer(name="seats"), carrier),
        "another range": (Number(name="distance", nullable=True, minimum=0, strict=True), seats, carrier),
    }
    for what, first in columns.items():
        contract = msgspec.structs.replace(MINUTES, columns=(*first, *others))
        found = skew(bundle_of(tmp_path / what, contract, model=regressor()), records)
        assert found.found, what


def test_more_refusals_than_are_kept_are_counted_all_the_same(tmp_path: Path, bundle: Bundle) -> None:
    records = answered_by(bundle, [flight(seats=None if i < 50 else 3) for i in range(60)])
    distance, _, *others = MINUTES.columns
    strict = msgspec.structs.replace(MINUTES, columns=(distance, Integer(name="seats"), *others))
    found = skew(bundle_of(tmp_path / "strict", strict, model=regressor()), records)
    assert (found.refused_by_serving, found.refused_by_training, found.identical) == (50, 50, 10)
    assert {(r.code, r.column) for r in found.refusals} == {("RW004", "seats")}


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
    found = skew(bundle, records, form=form)
    assert (found.identical, found.found) == (0, True)
    assert not skew(bundle, records, form="parquet").found  # which has texts


def test_a_difference_shows_the_cell_on_both_sides_with_all_its_bits(tmp_path: Path) -> None:
    distance, seats, _, *others = MINUTES.columns
    empty = Category(name="carrier", vocabulary=("", "AA", "UA"), nullable=True)
    bundle = bundle_of(
        tmp_path,
        msgspec.structs.replace(MINUTES, columns=(distance, seats, empty, *others)),
        model=regressor(),
    )
    found = skew(bundle, answered_by(bundle, [flight(carrier="AA"), flight(carrier="")]), form="csv")
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


def rows_of(*values: float | np.float32) -> Rows:
    return Rows(np.array([values], dtype=np.float32).T, {}, {})


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (np.float32(0.1), np.float32(0.1), False),
        (0.0, -0.0, True),
        (np.float32(np.float64(16777217)), np.float32(16777216), False),  # the same float32
        (np.float32(16777218), np.float32(16777216), True),
        (np.nan, np.nan, False),
        (np.nan, np.uint32(0x7FC00001).view(np.float32), True),
        (np.nan, -np.float32(np.nan), True),
        (np.float32(1e-45), 0.0, True),  # the smallest subnormal
        (np.inf, np.finfo(np.float32).max, True),
    ],
)
def test_a_float_is_its_bits(one: float, other: float, differ: bool) -> None:
    contract = Contract(columns=(Number(name="a"),), target=Target(name="b"))
    assert (unequal(rows_of(1.0, one), rows_of(1.0, other), contract) != {}) is differ


def test_texts_and_tensors_are_their_letters_and_bits() -> None:
    contract = Contract(columns=(Text(name="note"), Tensor(name="t", shape=(2,))), target=Target(name="b"))

    def rows(note: str | None, *cells: float) -> Rows:
        return Rows(
            np.empty((1, 0), dtype=np.float32),
            {"note": objects([note])},
            {"t": np.array([cells], dtype=np.float32)},
        )

    same = rows(COMPOSED, 1, 2)
    assert unequal(same, rows(COMPOSED, 1, 2), contract) == {}
    assert list(unequal(same, rows(DECOMPOSED, 1, 2), contract)) == ["note"]
    assert list(unequal(rows(None, 1, 2), rows("", 1, 2), contract)) == ["note"]
    assert list(unequal(same, rows(COMPOSED, 1, -2), contract)) == ["t"]


# The trained model, where it is at hand.


def test_a_trained_model_that_answers_otherwise_is_found(bundle: Bundle) -> None:
    records = answered_by(bundle, INSTANCES)

    def sums(rows: FloatRows) -> np.ndarray:
        return np.asarray(np.nan_to_num(rows) @ WEIGHTS, dtype=np.float64)

    (same,) = verify_skew(records, {"1": Served(bundle, sums)}, door=Door())
    assert same.trained is not None
    assert (same.trained.rows, same.trained.holds, same.found) == (3, True, False)
    (other,) = verify_skew(records, {"1": Served(bundle, lambda rows: sums(rows) + 1)}, door=Door())
    assert other.trained is not None
    assert (other.trained.max_difference, other.found) == (1, True)


def test_each_version_is_held_against_its_own_bundle(tmp_path: Path, bundle: Bundle) -> None:
    double = bundle_of(tmp_path / "double", model=regressor(2 * WEIGHTS))
    records = [*answered_by(bundle, INSTANCES), *answered_by(double, INSTANCES, version="2")]
    served = {"1": Served(bundle), "2": Served(double), "3": Served(bundle)}
    found = verify_skew(records, served, door=Door())
    assert [(one.version, one.rows, one.found) for one in found] == [("1", 3, False), ("2", 3, False)]
    assert all(
        one.found for one in verify_skew(records, {"1": Served(double), "2": Served(bundle)}, door=Door())
    )


# What the log does not have.


def test_sensitive_columns_are_left_out_and_named_and_the_others_compared(tmp_path: Path) -> None:
    distance, seats, *others = MINUTES.columns
    secret = msgspec.structs.replace(seats, sensitive=True)
    contract = msgspec.structs.replace(MINUTES, columns=(distance, secret, *others))
    bundle = bundle_of(tmp_path, contract)
    records = answered_by(bundle, INSTANCES)
    omitted = [
        altered(r, features={name: cell for name, cell in r.features.items() if name != "seats"})
        for r in records
    ]
    hashed = [altered(r, features={**r.features, "seats": "hash:" + "0" * 32}) for r in records]
    for logged in (omitted, hashed):
        found = skew(bundle, logged)
        assert (found.hidden, found.answers, found.trained) == (("seats",), None, None)
        assert (found.rows, found.identical, found.found) == (3, 3, False)
        assert "seats" not in found.columns


def test_what_one_version_calls_sensitive_is_hidden_in_the_records_of_all(
    tmp_path: Path, bundle: Bundle
) -> None:
    distance, seats, *others = MINUTES.columns
    secret = msgspec.structs.replace(seats, sensitive=True)
    shadow = bundle_of(tmp_path / "s", msgspec.structs.replace(MINUTES, columns=(distance, secret, *others)))
    logged = [
        altered(r, features={name: cell for name, cell in r.features.items() if name != "seats"})
        for r in answered_by(bundle, INSTANCES)
    ]
    (found,) = verify_skew(logged, {"1": Served(bundle), "2": Served(shadow)}, door=Door())
    assert (found.version, found.hidden, found.found) == ("1", ("seats",), False)


def test_where_all_is_sensitive_nothing_can_be_compared(tmp_path: Path, bundle: Bundle) -> None:
    columns = tuple(msgspec.structs.replace(column, sensitive=True) for column in MINUTES.columns)
    hidden = bundle_of(tmp_path / "hidden", msgspec.structs.replace(MINUTES, columns=columns))
    with pytest.raises(MonitorError) as refused:
        skew(hidden, answered_by(bundle, INSTANCES))
    assert refused.value.code == "MO062"


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
