"""What each protocol refuses: with status and code, in the shape that its clients read, never with a 500."""

import json
import random
import string
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serve.asking import STREAM, parquet_of, stream_of, tensors_of
from tests.serve.bundles import ODD, ODD_ROW, numbers
from tests.serve.conftest import FEW_ROWS
from tests.serve.servers import Server

V1, V2 = "/v1/models/minutes:predict", "/v2/models/minutes/infer"
TENSOR = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}
OWN = {"a": {"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}}
OWN["b"] = {**OWN["a"], "name": "b"}


def refused(response: httpx.Response) -> str:
    """The code of a refusal, checked for the shape that clients of this path read."""
    assert 400 <= response.status_code < 500, response.text
    assert "Traceback" not in response.text
    error = response.json()["error"]
    if response.url.path.startswith(("/v1", "/v2")):
        assert error.startswith(response.json()["code"])
        return str(response.json()["code"])
    return str(error["code"])


def infer(*inputs: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"inputs": list(inputs), **more}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (infer(), "RQ006"),
        (infer({**TENSOR, "shape": [0, 2], "data": []}), "RQ006"),
        (infer({**TENSOR, "shape": [FEW_ROWS + 1, 2], "data": [1] * (2 * FEW_ROWS + 2)}), "RQ007"),
        (infer({**TENSOR, "shape": [2, 2]}), "RQ038"),
        (infer({**TENSOR, "shape": [10**18, 2]}), "RQ038"),
        (infer({**TENSOR, "shape": [-1, -2]}), "RQ038"),
        (infer({**TENSOR, "shape": []}), "RQ038"),
        (infer({**TENSOR, "shape": [1, 1, 2]}), "RW002"),
        (infer({**TENSOR, "shape": [2, 1]}), "RQ038"),
        (infer({**TENSOR, "data": [[1], [2]]}), "RQ038"),
        (infer({**TENSOR, "data": [[1, [2]]]}), "RQ038"),
        (infer({**TENSOR, "data": ["1", 2]}), "RQ038"),
        (infer({**TENSOR, "data": [True, 2]}), "RQ038"),
        (infer({**TENSOR, "datatype": "FP16", "data": [70000, 2]}), "RQ038"),
        (infer({**TENSOR, "datatype": "FP32", "data": [1e39, 2]}), "RQ038"),
        (infer({**TENSOR, "datatype": "FP64", "data": [1e39, 2]}), "RW005"),
        (infer({**TENSOR, "datatype": "INT8", "data": [128, 2]}), "RQ038"),
        (infer({**TENSOR, "datatype": "UINT8", "data": [-1, 2]}), "RQ038"),
        (infer({**TENSOR, "datatype": "INT64", "data": [1.5, 2]}), "RQ038"),
        (infer({**TENSOR, "datatype": "BOOL", "data": [1, 0]}), "RQ038"),
        (infer({**TENSOR, "datatype": "BOOL", "data": [True, False]}), "RW003"),
        (infer({**TENSOR, "datatype": "BYTES", "data": ["1", "2"]}), "RW003"),
        (infer({**TENSOR, "datatype": "FP128"}), "RQ038"),
        (infer({**TENSOR, "data": [None, 2]}), "RW004"),
        (infer(OWN["a"]), "RW002"),
        (infer(OWN["a"], OWN["a"]), "RQ038"),
        (infer(OWN["a"], OWN["b"], {**OWN["a"], "name": "c"}), "RW001"),
        (infer(OWN["a"], {**OWN["b"], "shape": [2], "data": [1, 2]}), "RQ038"),
        (infer(TENSOR, outputs=[{"name": "probabilities"}]), "RQ039"),
        (infer(TENSOR, outputs=[{"name": "x" * 500}]), "RQ039"),
        (infer({"name": "rows"}), "RQ038"),
        (infer({**TENSOR, "parameters": {"binary_data_size": 16}}), "RQ038"),
        (infer({**TENSOR, "data": None, "parameters": {"binary_data_size": 16}}), "RQ038"),
        (infer({**TENSOR, "data": None, "parameters": {"binary_data_size": -1}}), "RQ038"),
        ({"inputs": "rows"}, "RQ038"),
        ({}, "RQ038"),
        ([], "RQ038"),
    ],
)
def test_a_wrong_tensor_is_refused(body: object, code: str, minutes: Server) -> None:
    assert refused(minutes.client.post(V2, json=body)) == code


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (V1, {}, "RQ031"),
        (V1, [], "RQ002"),
        (V1, {"instances": [[1, 2]], "inputs": {"a": [1], "b": [2]}}, "RQ031"),
        (V1, {"instances": [[1, 2]], "more": 1}, "RQ003"),
        (V1, {"instances": [[1, 2]], "signature_name": "other"}, "RQ003"),
        (V1, {"instances": {"a": 1}}, "RQ005"),
        (V1, {"instances": []}, "RQ006"),
        (V1, {"instances": [[1, 2]] * (FEW_ROWS + 1)}, "RQ007"),
        (V1, {"instances": [1, 2]}, "RW011"),
        (V1, {"instances": [[1]]}, "RW006"),
        (V1, {"instances": [{"a": 1}]}, "RW002"),
        (V1, {"inputs": {"a": [1], "b": [1, 2]}}, "RQ033"),
        (V1, {"inputs": {"a": 1, "b": 2}}, "RQ033"),
        (V1, {"inputs": {}}, "RQ006"),
        (V1, {"inputs": {"a": [1]}}, "RW002"),
        (V1, {"inputs": {"a": [1], "b": [None]}}, "RW004"),
        ("/invocations", {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "RQ033"),
        ("/invocations", {"dataframe_split": {"columns": ["a", 1], "data": [[1, 2]]}}, "RQ033"),
        ("/invocations", {"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "RQ033"),
        ("/invocations", {"dataframe_split": {"columns": ["a", "b"], "data": []}}, "RQ006"),
        ("/invocations", {"dataframe_split": {"columns": ["a", "c"], "data": [[1, 2]]}}, "RW002"),
        ("/invocations", {"instances": [[1, 2]], "params": {"temperature": 1}}, "RQ003"),
        ("/invocations", {"instances": [[1, 2]], "signature_name": "x"}, "RQ003"),
    ],
)
def test_wrong_rows_are_refused(path: str, body: object, code: str, minutes: Server) -> None:
    assert refused(minutes.client.post(path, json=body)) == code


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/other/infer",
        "/v2/models/minutes/versions/other/infer",
        "/v1/models/other:predict",
    ],
)
def test_another_model_or_version_does_not_answer(path: str, minutes: Server) -> None:
    response = minutes.client.post(path, json={"instances": [[1, 2]]})
    assert (response.status_code, refused(response)) == (404, "RQ030")


def test_a_version_that_answers_may_be_asked_by_its_number(irises: Server) -> None:
    body, headers = tensors_of([ODD_ROW], ODD, raw=False)
    response = irises.client.post("/v2/models/irises/versions/7/infer", content=body, headers=headers)
    assert response.json()["model_version"] == "7"


@pytest.mark.parametrize("length", ["-1", "abc", "99999", "٣", "9" * 40, ""])
def test_a_wrong_length_of_the_json_is_refused(length: str, minutes: Server) -> None:
    headers = {b"Inference-Header-Content-Length": length.encode()}
    response = minutes.client.post(V2, content=json.dumps(infer(TENSOR)).encode(), headers=headers)
    assert refused(response) == "RQ038"


def test_bytes_that_no_tensor_claims_are_refused(minutes: Server) -> None:
    rows = [{"a": 1.0, "b": 2.0}]
    body, headers = tensors_of(rows, numbers("a", "b"), raw=True)
    assert minutes.client.post(V2, content=body, headers=headers).status_code == 200
    assert refused(minutes.client.post(V2, content=body + b"x", headers=headers)) == "RQ038"
    assert refused(minutes.client.post(V2, content=body[:-1], headers=headers)) == "RQ038"


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (STREAM, b"", "RQ036"),
        (STREAM, b"\xff" * 500, "RQ036"),
        ("application/vnd.apache.arrow.file", b"ARROW1", "RQ036"),
        ("application/vnd.apache.parquet", b"PAR1" + b"\0" * 50 + b"PAR1", "RQ036"),
        ("text/csv; charset=latin-1", b"a,b\n1,2\n", "RQ009"),
        ("text/tab-separated-values", b"a\tb\n1\t2\n", "RQ009"),
        ("text/csv", b"a,b\n1\n", "RQ034"),
        ("text/csv", b"a,b\n1,x\n", "RW003"),
        ("text/csv", b"a,b\n1,\n", "RW004"),
        ("text/csv", b"a\n1\n", "RW002"),
        ("text/csv", b"a,b,c\n1,2,3\n", "RW001"),
        ("text/csv", b"a,b\n" + b"1,2\n" * (FEW_ROWS + 1), "RQ007"),
    ],
)
def test_wrong_tables_are_refused(kind: str, body: bytes, code: str, minutes: Server) -> None:
    response = minutes.client.post("/predict/batch", content=body, headers={"content-type": kind})
    assert refused(response) == code


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
SHAPES = st.lists(st.integers(-2, 4) | st.just(2**62), max_size=3)
NAMES = st.sampled_from(["a", "b", "rows", ""])
DATATYPES = st.sampled_from(["FP16", "FP32", "FP64", "INT8", "UINT64", "BOOL", "BYTES", "fp32", ""])
TENSORS = st.fixed_dictionaries(
    {"name": NAMES, "shape": SHAPES, "datatype": DATATYPES},
    optional={
        "data": NESTED | st.lists(st.floats(-9, 9), max_size=6),
        "parameters": st.none() | st.fixed_dictionaries({"binary_data_size": NESTED | st.integers(0, 20)}),
    },
)
INFERS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=3) | NESTED},
    optional={"outputs": NESTED | st.just([{"name": "prediction"}]), "parameters": NESTED, "id": NESTED},
)
CALLS = st.dictionaries(
    st.sampled_from(["instances", "inputs", "dataframe_split", "dataframe_records", "params", "columns"]),
    NESTED | st.fixed_dictionaries({"columns": NESTED, "data": NESTED}),
    max_size=2,
)


@settings(max_examples=150)
@given(body=INFERS, tail=st.binary(max_size=30), length=st.none() | st.integers(-1, 400))
def test_no_tensor_breaks_the_server(body: Any, tail: bytes, length: int | None, minutes: Server) -> None:
    head = json.dumps(body).encode()
    headers = (
        {"Inference-Header-Content-Length": str(len(head) if length is None else length)} if tail else {}
    )
    response = minutes.client.post(V2, content=head + tail, headers=headers)
    assert response.status_code == 200 or refused(response)


@settings(max_examples=100)
@given(body=CALLS, path=st.sampled_from([V1, "/invocations"]))
def test_no_document_breaks_the_server(body: Any, path: str, minutes: Server) -> None:
    response = minutes.client.post(path, content=json.dumps(body).encode())
    assert response.status_code == 200 or refused(response)


RARE = st.sampled_from(['"', ",", "\n", "\r", "\r\n", '""', "1", "a", "b", "é", "\0", " ", "NaN", "inf"])


@settings(max_examples=100)
@given(
    text=st.lists(RARE, max_size=20).map("".join) | st.text(max_size=20),
    header=st.sampled_from(["", "a,b\n"]),
)
def test_no_csv_breaks_the_server(text: str, header: str, minutes: Server) -> None:
    body = (header + text).encode("utf-8", "surrogatepass")
    response = minutes.client.post("/invocations", content=body, headers={"content-type": "text/csv"})
    assert response.status_code == 200 or refused(response)


def test_no_damage_breaks_the_server(minutes: Server) -> None:
    chance = np.random.default_rng(1)
    table = pa.table({"a": [1.0, 2.0, 3.0], "b": pa.array([1, 2, 3], pa.int8())})
    kinds = {STREAM: stream_of(table, compression="lz4"), "application/x-parquet": parquet_of(table)}
    for kind, body in kinds.items():
        for _ in range(100):
            bits = bytearray(body)
            bits[int(chance.integers(len(body)))] ^= 1 << int(chance.integers(8))
            headers = {"content-type": kind}
            response = minutes.client.post("/predict/batch", content=bytes(bits), headers=headers)
            # √(2a + b) of a number below 0 is none, and the server says so (SV004).
            assert response.status_code == 200 or "SV004" in response.text or refused(response)


def test_random_names_make_no_series(irises: Server) -> None:
    chance = random.Random(0)
    before = set(irises.series())
    for _ in range(50):
        name = "".join(chance.choices(string.ascii_letters + "%:{}", k=8))
        for path in (f"/v2/models/{name}", f"/v2/models/irises/versions/{name}/infer", f"/v1/models/{name}"):
            irises.client.get(path)
            irises.client.post(path, json={"instances": [name]})
        irises.client.post(f"/v1/models/{name}:predict", json={"instances": [{name: name}]})
        irises.client.post("/invocations", content=b"x", headers={"content-type": f"text/{name}"})
    assert set(irises.series()) == before


def test_answered_and_refused_calls_are_counted_by_their_protocol(minutes: Server) -> None:
    def counted(endpoint: str, status: str) -> float:
        series = minutes.series().items()
        wanted = (f'endpoint="{endpoint}"', f'status="{status}"', "ml_predictions_total{")
        return sum(value for name, value in series if all(part in name for part in wanted))

    for endpoint, path, body in (
        ("/v2/models/{name}/infer", V2, infer(TENSOR)),
        ("/v1/models/{name}:predict", V1, {"instances": [[1, 2]]}),
        ("/invocations", "/invocations", {"instances": [[1, 2]]}),
    ):
        before = counted(endpoint, "success"), counted(endpoint, "refused")
        assert minutes.client.post(path, json=body).status_code == 200
        assert minutes.client.post(path, json={}).status_code == 400
        assert (counted(endpoint, "success"), counted(endpoint, "refused")) == (before[0] + 1, before[1] + 1)
