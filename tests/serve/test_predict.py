"""What is answered: the shapes, and the numbers that the models' formulas give."""

import math
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from tests.serve.bundles import (
    ODD,
    ODD_DECODED,
    ODD_ROW,
    ODD_WEIGHTS,
    TWO_CLASSES,
    classifier,
    labelled,
    softmax,
)
from tests.serve.servers import Server, ask, loaded_app

ODD_LIST = list(ODD_ROW.values())
EXPECTED = softmax(np.array(ODD_DECODED) @ ODD_WEIGHTS.astype(float))
CLASSES = ODD.target.classes or ()


def test_one_row_is_answered_in_the_documented_shape(irises: Server) -> None:
    answer = irises.predict(ODD_ROW)
    assert list(answer) == ["prediction", "probability", "latency_ms", "prediction_id", "version"]
    assert answer["prediction"] == CLASSES[int(np.argmax(EXPECTED))]
    assert answer["probability"] == pytest.approx(EXPECTED.max(), abs=1e-6)
    assert 0 < answer["latency_ms"] < 10_000
    assert answer["version"] == "7"


def test_a_row_by_name_and_by_place_are_the_same(irises: Server) -> None:
    by_name, by_place = (
        irises.predict(ODD_ROW, "?probabilities=all"),
        irises.predict(ODD_LIST, "?probabilities=all"),
    )
    assert by_name["class_probabilities"] == by_place["class_probabilities"]


def test_the_order_of_names_changes_nothing(irises: Server) -> None:
    backwards = dict(reversed(ODD_ROW.items()))
    assert irises.predict(backwards)["probability"] == irises.predict(ODD_ROW)["probability"]


def test_what_may_be_left_out_reads_as_its_default(irises: Server) -> None:
    without = {name: cell for name, cell in ODD_ROW.items() if name != "is_new"}
    assert (
        irises.predict(without)["probability"] == irises.predict({**ODD_ROW, "is_new": False})["probability"]
    )


def test_all_probabilities_come_when_they_are_asked_for(irises: Server) -> None:
    answer = irises.predict(ODD_ROW, "?probabilities=all")
    found = answer["class_probabilities"]
    assert list(found) == list(CLASSES)
    assert list(found.values()) == pytest.approx(EXPECTED.tolist(), abs=1e-6)
    assert found[answer["prediction"]] == answer["probability"]


def test_a_batch_is_answered_in_the_documented_shape(irises: Server) -> None:
    rows = [ODD_ROW, {**ODD_ROW, "count": 5}, ODD_LIST]
    answer = irises.batch(rows)
    shape = ["predictions", "probabilities", "latency_ms", "count", "prediction_ids", "version"]
    assert list(answer) == shape
    assert (answer["count"], answer["version"]) == (3, "7")
    assert len(set(answer["prediction_ids"])) == 3


def test_a_batch_answers_what_its_rows_alone_would(irises: Server) -> None:
    chance = np.random.default_rng(0)
    rows = [
        [
            float(chance.normal()),
            None,
            int(chance.integers(1, 6)),
            str(word),
            int(chance.integers(1, 4)),
            True,
            "2024-05-01",
        ]
        for word in chance.choice(["JFK", "EWR", "never seen"], size=40)
    ]
    answer = irises.batch(rows, "?probabilities=all")
    alone = [irises.predict(row, "?probabilities=all") for row in rows]
    assert answer["predictions"] == [one["prediction"] for one in alone]
    assert answer["probabilities"] == pytest.approx([one["probability"] for one in alone], abs=1e-6)
    assert [list(row) for row in answer["class_probabilities"]] == [list(CLASSES)] * 40


def test_the_answers_are_the_bundles_own_to_the_last_bit(irises: Server, bundles: Path) -> None:
    path = classifier(bundles / "same")
    with loaded_app(path) as app:
        [response] = ask(app, ("POST", "/predict?probabilities=all", {"features": ODD_ROW}))
    assert (
        response.json()["class_probabilities"]
        == irises.predict(ODD_ROW, "?probabilities=all")["class_probabilities"]
    )


def test_a_regression_has_no_probability(minutes: Server) -> None:
    answer = minutes.predict([8, 9], "?probabilities=all")
    assert answer["prediction"] == 5.0
    assert (answer["probability"], answer["class_probabilities"]) == (None, None)


def test_a_batch_of_a_regression(minutes: Server) -> None:
    answer = minutes.batch([[0, 4], {"a": 1, "b": 1}])
    assert answer["predictions"] == pytest.approx([2.0, math.sqrt(3)], rel=1e-6)
    assert answer["probabilities"] is None


@pytest.mark.parametrize("classes", [(0, 1), (False, True), ("no", "yes")])
def test_a_class_comes_back_as_the_data_has_it(classes: tuple[object, object], bundles: Path) -> None:
    path = classifier(bundles / "two", contract=labelled(classes), weights=TWO_CLASSES)
    with loaded_app(path) as app:
        [response] = ask(app, ("POST", "/predict/batch", {"instances": [[-3], [3]]}))
    answer = response.json()
    assert answer["predictions"] == list(classes)
    assert [type(label) for label in answer["predictions"]] == [type(label) for label in classes]


def test_prediction_ids_are_unique_and_sort_by_time(irises: Server) -> None:
    before = time.time_ns() // 1_000_000
    ids = [*irises.batch([ODD_ROW] * 20)["prediction_ids"]]
    time.sleep(0.002)
    ids += [irises.predict(ODD_ROW)["prediction_id"]]
    assert ids == sorted(ids)
    assert len(set(ids)) == 21
    moments = [uuid.UUID(text).int >> 80 for text in ids]
    assert all(before <= moment <= time.time_ns() // 1_000_000 for moment in moments)
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in ids} == {(7, uuid.RFC_4122)}


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]
)
def test_a_body_is_json_whatever_a_client_calls_it_by_default(kind: str, minutes: Server) -> None:
    response = minutes.client.post(
        "/predict", content=b'{"features": [8, 9]}', headers={"Content-Type": kind}
    )
    assert response.json()["prediction"] == 5.0
