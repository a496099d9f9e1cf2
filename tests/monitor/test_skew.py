"""Skew: what is not the same in training and in serving is found, and what cannot be compared is named."""

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from siklus.bundle.read import Bundle
from siklus.contract.columns import (
    Category,
    Integer,
    Number,
)
from siklus.errors import MonitorError
from siklus.monitor.skew.proof import CHUNK_ROWS, Served, verify_skew
from siklus.monitor.skew.training_door import Door
from siklus.stats.agreement import FLOAT32_STEP
from siklus.table import FloatRows
from tests.bundle.sealed import INSTANCES, LATE, MINUTES, WEIGHTS, regressor
from tests.figures import Figure
from tests.monitor.logged import altered, answered_by, bundle_of, flight, skew_of


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return bundle_of(tmp_path)


def test_the_quick_way_is_held_against_the_other(bundle: Bundle) -> None:
    assert skew_of(bundle, answered_by(bundle, INSTANCES)).quick == len(INSTANCES)
    # As floats too, as tables with gaps send them; what float64 may have rounded is none of its plain rows.
    assert skew_of(bundle, answered_by(bundle, [flight(seats=3.0), flight(seats=2**53)])).quick == 1


def test_many_rows_are_compared_a_part_at_a_time(bundle: Bundle, figure: Figure) -> None:
    rows = CHUNK_ROWS + 3
    records = answered_by(bundle, [flight(distance=i / 7) for i in range(rows)])
    started = time.perf_counter()
    found = skew_of(bundle, records)
    figure("rows proven free of skew", f"{rows / (time.perf_counter() - started):,.0f}/s, of 6 columns")
    assert (found.rows, found.identical, found.quick) == (rows, rows, rows)
    last = altered(records[-1], prediction=0.0)
    assert skew_of(bundle, [*records[:-1], last]).found


# What must be found.


def test_a_logged_cell_that_was_changed_shows_in_the_answer(bundle: Bundle) -> None:
    records = answered_by(bundle, INSTANCES)
    tampered = altered(records[0], features={**records[0].features, "distance": 101.5})
    found = skew_of(bundle, [tampered, *records[1:]])
    # The same bits both ways, since both read the log; but the model says 1 · WEIGHTS[0] more.
    assert found.identical == 3
    assert found.answers is not None
    assert found.answers.max_difference == WEIGHTS[0]
    assert (found.answers.rows_beyond, found.found) == (1, True)


def test_a_logged_answer_that_was_changed_is_found(bundle: Bundle) -> None:
    first, *others = answered_by(bundle, INSTANCES)
    assert isinstance(first.prediction, float)
    near = np.nextafter(np.float32(first.prediction), np.float32(np.inf))
    assert not skew_of(bundle, [altered(first, prediction=float(near)), *others]).found  # float32's last bit
    for prediction in (first.prediction + 1, "a word"):
        assert skew_of(bundle, [altered(first, prediction=prediction), *others]).found


def test_another_class_or_probability_is_found_but_for_ties(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, LATE)
    sure, tied = answered_by(bundle, [flight(), flight(distance=0, seats=0, carrier="AA", **TIED)])
    assert (sure.prediction, tied.prediction, tied.probability) == ("yes", "no", 0.5)
    assert not skew_of(bundle, [sure, tied]).found
    assert not skew_of(bundle, [sure, altered(tied, prediction="yes")]).found  # 0.5 and 0.5
    assert sure.probability is not None
    assert 2 * sure.probability - 1 > FLOAT32_STEP
    for changed in (
        {"prediction": "no"},
        {"prediction": "perhaps"},
        {"probability": sure.probability + 1e-4},
        {"probability": None},
    ):
        assert skew_of(bundle, [altered(sure, **changed), tied]).found, changed


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
        found = skew_of(bundle_of(tmp_path / what, contract, model=regressor()), records)
        assert found.found, what


def test_more_refusals_than_are_kept_are_counted_all_the_same(tmp_path: Path, bundle: Bundle) -> None:
    records = answered_by(bundle, [flight(seats=None if i < 50 else 3) for i in range(60)])
    distance, _, *others = MINUTES.columns
    strict = msgspec.structs.replace(MINUTES, columns=(distance, Integer(name="seats"), *others))
    found = skew_of(bundle_of(tmp_path / "strict", strict, model=regressor()), records)
    assert (found.refused_by_serving, found.refused_by_training, found.identical) == (50, 50, 10)
    assert {(r.code, r.column) for r in found.refusals} == {("RW004", "seats")}


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
        found = skew_of(bundle, logged)
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
        skew_of(hidden, answered_by(bundle, INSTANCES))
    assert refused.value.code == "MO062"
