"""The same rows get the same predictions and probabilities, bit for bit, by whichever protocol they come."""

import dataclasses
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siklus.contract.columns import Contract
from tests.contract.strategies import kept_rows
from tests.serve.asking import WAYS, Answered, Row
from tests.serve.bundles import ODD, numbers
from tests.serve.servers import Server

PAIR = numbers("a", "b")
FEW = settings(max_examples=12)  # of each way


def complete(row: dict[str, Any]) -> Row:
    """Every cell there: a table has no row without a column, and CSV no empty word."""
    filled = {name: row.get(name, False if name == "is_new" else None) for name in ODD.names}
    # pyarrow's moments have years of four digits, CSV's line ends may be turned.
    return {**filled, "origin": "".join(filled["origin"].split()) or "x"}


ODD_ROWS = st.lists(kept_rows(ODD).map(complete), min_size=1, max_size=5)
PAIRS = st.lists(
    st.fixed_dictionaries({name: st.floats(0, 1e30) for name in PAIR.names}), min_size=1, max_size=5
)


def asked(way: str, name: str, client: httpx.Client, rows: list[Row], contract: Contract) -> Answered:
    found = WAYS[way]
    return dataclasses.replace(found, path=found.path.replace("{name}", name)).ask(client, rows, contract)


@pytest.mark.parametrize("way", WAYS)
@FEW
@given(rows=ODD_ROWS)
def test_classes_and_probabilities_are_the_same(way: str, rows: list[Row], irises: Server) -> None:
    expected = irises.batch(rows)
    found = asked(way, "irises", irises.client, rows, ODD)
    assert found.predictions == expected["predictions"]
    if found.probabilities is not None:
        assert found.probabilities == expected["probabilities"]
    assert (found.probabilities is None) == way.startswith("mlflow")


@pytest.mark.parametrize("way", WAYS)
@FEW
@given(rows=PAIRS)
def test_numbers_are_the_same(way: str, rows: list[Row], minutes: Server) -> None:
    found = asked(way, "minutes", minutes.client, rows, PAIR)
    assert found.predictions == minutes.batch(rows)["predictions"]
    assert found.probabilities is None


@FEW
@given(rows=ODD_ROWS)
def test_all_probabilities_are_the_same(rows: list[Row], irises: Server) -> None:
    everything = irises.batch(rows, "?probabilities=all")["class_probabilities"]
    expected = [list(row.values()) for row in everything]
    body = {"dataframe_records": rows, "params": {"probabilities": True}}
    assert irises.answered("/invocations", body)["predictions"] == expected


def test_one_tensor_of_all_columns_is_the_same(minutes: Server) -> None:
    matrix = [[1.0, 2.0], [3.5, 4.25], [0.0, 9.0]]
    expected = minutes.batch(matrix)["predictions"]
    flat = [cell for row in matrix for cell in row]
    for data in (flat, matrix):
        for name in ("rows", "input-0"):
            tensor = {"name": name, "shape": [3, 2], "datatype": "FP32", "data": data}
            [prediction] = minutes.answered(
                "/v2/models/minutes/infer", {"inputs": [tensor], "outputs": [{"name": "prediction"}]}
            )["outputs"]
            assert prediction == {"name": "prediction", "datatype": "FP64", "shape": [3], "data": expected}
