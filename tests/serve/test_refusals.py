"""What is refused: each wrong request has a status, a code and, where a row is at fault, its place."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from siklus.contract.columns import Contract, Number, Target
from tests.serve.bundles import ODD_ROW, classifier
from tests.serve.servers import Server, ask, loaded_app

GOOD = json.dumps(ODD_ROW)


def with_cell(column: str, written: str) -> str:
    """The good row as JSON text, with something else written in one cell."""
    return GOOD.replace(
        f"{json.dumps(column)}: {json.dumps(ODD_ROW[column])}", f"{json.dumps(column)}: {written}"
    )


def refusal(response: httpx.Response) -> Any:
    """The error of a refused request, checked for its shape."""
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    error = response.json()["error"]
    assert list(error) == ["code", "message", "expected", "problems", "total"]
    assert "Traceback" not in response.text
    assert "siklus" not in response.text
    return error


CELLS = [
    ("petal length", "NaN", "RW005"),
    ("petal length", "Infinity", "RW005"),
    ("petal length", "-Infinity", "RW005"),
    ("petal length", "1e999", "RW005"),
    ("petal length", "-1e400", "RW005"),
    ("petal length", "1e39", "RW005"),  # within float64, beyond float32
    ("petal length", "9" * 5000, "RW005"),
    ("petal length", "-" + "9" * 5000, "RW005"),
    ("petal length", '"1.5"', "RW003"),
    ("petal length", "true", "RW003"),
    ("petal length", "[1.5]", "RW003"),
    ("petal length", "[" * 500 + "]" * 500, "RW003"),
    ("petal length", "null", "RW004"),
    ("größe.cm", "NaN", "RW005"),  # nullable: null is missing, NaN is an accident
    ("count", "2.5", "RW003"),
    ("count", "6", "RW007"),
    ("origin", "3", "RW003"),
    ("origin", "NaN", "RW003"),
    ("grade", "9", "RW008"),
    ("is_new", "1", "RW003"),
    ("when", '"yesterday"', "RW009"),
    ("when", "1706688000", "RW009"),
]


@pytest.mark.parametrize(("column", "written", "code"), CELLS)
def test_a_wrong_cell_is_named(column: str, written: str, code: str, irises: Server) -> None:
    body = f'{{"features": {with_cell(column, written)}}}'
    response = irises.client.post("/predict", content=body.encode())
    assert response.status_code == 422, response.text
    error = refusal(response)
    problem = error["problems"][0]
    assert (error["code"], error["total"]) == (code, 1)
    assert (problem["row"], problem["column"], problem["code"]) == (0, column, code)
    assert len(response.content) < 2000, "a refused value must not come back whole"


@pytest.mark.parametrize(("column", "written", "code"), CELLS)
def test_a_wrong_cell_of_a_batch_is_named_with_its_row(
    column: str, written: str, code: str, irises: Server
) -> None:
    body = f'{{"instances": [{GOOD}, {GOOD}, {with_cell(column, written)}]}}'
    response = irises.client.post("/predict/batch", content=body.encode())
    assert response.status_code == 422, response.text
    [problem] = refusal(response)["problems"]
    assert (problem["row"], problem["column"], problem["code"]) == (2, column, code)


@pytest.mark.parametrize(
    ("features", "code", "column"),
    [
        ({**ODD_ROW, "petal lenght": 1}, "RW001", "petal lenght"),
        ({**ODD_ROW, "species": "setosa"}, "RW001", "species"),
        ({name: cell for name, cell in ODD_ROW.items() if name != "origin"}, "RW002", "origin"),
        (list(ODD_ROW.values())[:-1], "RW006", None),
        ([*ODD_ROW.values(), 1], "RW006", None),
        ([], "RW006", None),
        ("JFK", "RW011", None),
        (5, "RW011", None),
        (None, "RW011", None),
        ([list(ODD_ROW.values())], "RW006", None),
    ],
)
def test_a_wrong_row_is_named(features: object, code: str, column: str | None, irises: Server) -> None:
    response = irises.client.post("/predict", json={"features": features})
    assert response.status_code == 422, response.text
    problem = refusal(response)["problems"][0]
    assert (problem["row"], problem["column"], problem["code"]) == (0, column, code)


def test_every_problem_is_counted_and_the_first_are_shown(irises: Server) -> None:
    rows = [
        {**ODD_ROW, "count": 9, "grade": 9, "when": "", "petal length": "", "origin": 1, "größe.cm": ""}
    ] * 200
    error = refusal(irises.client.post("/predict/batch", json={"instances": rows}))
    assert error["total"] == 1200
    assert 20 <= len(error["problems"]) <= 100
    assert [problem["row"] for problem in error["problems"]][:2] == [0, 0]


def test_a_contract_of_many_columns_is_not_recited_with_each_problem(bundles: Path) -> None:
    wide = Contract(
        columns=tuple(Number(name=f"a rather long name {i}") for i in range(1000)),
        target=Target(name="y", classes=(0, 1)),
    )
    path = classifier(bundles / "wide", contract=wide, weights=np.zeros((1000, 2), dtype=np.float32))
    with loaded_app(path) as app:
        [response] = ask(app, ("POST", "/predict/batch", {"instances": [[1.0]] * 50}))
    assert refusal(response)["total"] == 50
    assert len(response.content) < 30_000


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "RQ001"),
        (b"{", 400, "RQ001"),
        (b'{"features": [1,]}', 400, "RQ001"),
        (b"{'features': [1]}", 400, "RQ001"),
        (b'{"features": [1]} x', 400, "RQ001"),
        (b'{"features": ["\xff"]}', 400, "RQ001"),
        (b"\xff\xfe{", 400, "RQ001"),
        (b'{"features": %s}' % with_cell("origin", r'"\ud800"').encode(), 400, "RQ001"),
        (b"[" * 100_000, 400, "RQ001"),
        (b'{"features": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "RQ001"),
        (b'{"features":' * 5000, 400, "RQ001"),
        (b"[1, 2]", 400, "RQ002"),
        (b"5", 400, "RQ002"),
        (b"null", 400, "RQ002"),
        (b"NaN", 400, "RQ002"),
        (b'"features"', 400, "RQ002"),
        (b'{"feature": [1]}', 400, "RQ003"),
        (b'{"features": [1], "more": 1}', 400, "RQ003"),
        (b'{"instances": [[1]]}', 400, "RQ003"),
        (b'{"\\ud800": NaN}', 400, "RQ003"),
        (b"{}", 400, "RQ004"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, status: int, code: str, irises: Server) -> None:
    response = irises.client.post("/predict", content=body)
    assert response.status_code == status, response.text
    error = refusal(response)
    assert (error["code"], error["problems"], error["total"]) == (code, [], 0)
    assert len(response.content) < 1000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"instances": 5}', "RQ005"),
        (b'{"instances": {"a": 1}}', "RQ005"),
        (b'{"instances": NaN}', "RQ005"),
        (b'{"instances": []}', "RQ006"),
        (b'{"features": [1]}', "RQ003"),
        (b"{}", "RQ004"),
        (b"[[1]]", "RQ002"),
    ],
)
def test_what_is_no_batch_is_refused(body: bytes, code: str, irises: Server) -> None:
    response = irises.client.post("/predict/batch", content=body)
    assert (response.status_code, refusal(response)["code"]) == (400, code)


def test_a_misspelt_key_is_told_the_right_one(irises: Server) -> None:
    error = refusal(irises.client.post("/predict", json={"feature": [1]}))
    assert "'features'?" in error["expected"]


@pytest.mark.parametrize("query", ["?probabilities=some", "?probabilites=all", "?a=b&probabilities=all"])
def test_an_unknown_query_is_refused(query: str, irises: Server) -> None:
    response = irises.client.post(f"/predict{query}", json={"features": ODD_ROW})
    assert (response.status_code, refusal(response)["code"]) == (400, "RQ010")


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/csv"}, {"Content-Type": "application/json", "Content-Encoding": "gzip"}],
)
def test_a_body_in_another_form_is_refused(headers: dict[str, str], irises: Server) -> None:
    response = irises.client.post("/predict", content=b"a,b\n1,2\n", headers=headers)
    assert (response.status_code, refusal(response)["code"]) == (415, "RQ009")


@pytest.mark.parametrize(
    "path", ["/predct", "/predict/", "/docs/", "/../etc/passwd", "/%00", "/" + "x" * 5000]
)
def test_an_unknown_path_is_refused(path: str, irises: Server) -> None:
    response = irises.client.get(path)
    assert (response.status_code, refusal(response)["code"]) == (404, "RQ011")
    assert len(response.content) < 1000


def test_a_misspelt_path_is_told_the_right_one(irises: Server) -> None:
    assert refusal(irises.client.post("/predct", json={}))["expected"] == "/predict?"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("POST", "/health", "GET"), ("DELETE", "/live", "GET")],
)
def test_an_unknown_method_is_refused(method: str, path: str, allowed: str, irises: Server) -> None:
    response = irises.client.request(method, path)
    assert (response.status_code, refusal(response)["code"]) == (405, "RQ012")
    assert response.headers["allow"] == allowed


def test_a_model_that_answers_no_number_is_an_error_and_no_null(minutes: Server) -> None:
    response = minutes.client.post("/predict/batch", json={"instances": [[1, 1], [-5, 1]]})
    assert (response.status_code, refusal(response)["code"]) == (500, "SV004")


def test_the_server_goes_on_after_all_this(irises: Server) -> None:
    assert irises.predict(ODD_ROW)["version"] == "7"
