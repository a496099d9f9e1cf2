"""What must hold for any rows, whatever their order, their spelling, their company and who answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.bundles import ODD, ODD_ROW, classifier
from tests.serve.servers import Server, serving_bundle
from tests.serve.wire import exchange, request

MOMENTS = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
ROWS = st.fixed_dictionaries(
    {
        "petal length": st.floats(-(2.0**40), 2.0**40, width=32) | st.integers(-9, 9),
        "größe.cm": st.none() | st.floats(-5, 5, width=32),
        "count": st.integers(1, 5),
        "origin": st.sampled_from(["JFK", "LGA", "EWR", "SFO", ""]),
        "grade": st.sampled_from([1, 2, 3]),
        "is_new": st.booleans(),
        "when": MOMENTS,
    }
)
SEVERAL = st.lists(ROWS, min_size=1, max_size=6)
anywhere = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same bundle as `irises`, answered by two workers."""
    folder = tmp_path_factory.mktemp("bundles")
    with serving_bundle(classifier(folder / "irises"), "--version", "7", "--workers", "2") as server:
        yield server


def said(answer: Any) -> tuple[object, object, object]:
    return answer["prediction"], answer["probability"], answer["version"]


@anywhere
@given(row=ROWS, data=st.data())
def test_the_order_of_the_keys_says_nothing(
    irises: Server, row: dict[str, object], data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(row.items()))))
    assert said(irises.predict(shuffled)) == said(irises.predict(row))


@anywhere
@given(row=ROWS)
def test_by_name_and_in_order_are_the_same_row(irises: Server, row: dict[str, object]) -> None:
    assert said(irises.predict([row[name] for name in ODD.names])) == said(irises.predict(row))


@anywhere
@given(row=ROWS)
def test_a_row_read_back_from_json_is_the_same_row(irises: Server, row: dict[str, object]) -> None:
    spellings = [json.dumps({"features": row}, **how) for how in ({}, {"ensure_ascii": False}, {"indent": 3})]
    answers = [irises.client.post("/predict", content=body.encode()) for body in spellings]
    assert len({said(answer.raise_for_status().json()) for answer in answers}) == 1


@anywhere
@given(rows=SEVERAL)
def test_a_batch_is_its_rows_one_by_one(irises: Server, rows: list[dict[str, object]]) -> None:
    batch = irises.batch(rows)
    singles = [irises.predict(row) for row in rows]
    assert batch["predictions"] == [one["prediction"] for one in singles]
    assert batch["probabilities"] == [one["probability"] for one in singles]


@anywhere
@given(rows=SEVERAL)
def test_two_workers_answer_as_one_does(irises: Server, pair: Server, rows: list[dict[str, object]]) -> None:
    one = irises.batch(rows)
    asked = request(json.dumps({"instances": rows}).encode(), path="/predict/batch")
    for _ in range(3):
        (answer,) = exchange(pair.port, asked)  # a new connection may meet either worker
        two = answer.said
        assert (two["predictions"], two["probabilities"]) == (one["predictions"], one["probabilities"])


def test_both_workers_were_asked(pair: Server) -> None:
    before = pair.series()
    for _ in range(60):
        (answer,) = exchange(pair.port, request(json.dumps({"features": ODD_ROW}).encode()))
        assert answer.status == 200
    counted = 'ml_predictions_total{endpoint="/predict",status="success",version="7"}'
    assert pair.series()[counted] - before[counted] == 60
