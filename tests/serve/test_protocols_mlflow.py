"""`/invocations` answers as MLflow's own scoring server does, which is asked beside it in this process."""

import asyncio
import os
import warnings
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.serve.bundles import ODD, ODD_ROW, classifier
from tests.serve.servers import Server

ROWS = [
    ODD_ROW,
    {**ODD_ROW, "petal length": 9.25, "größe.cm": 3.5, "origin": "JFK", "is_new": False},
    {**ODD_ROW, "petal length": 0, "count": 5, "origin": "elsewhere", "grade": 1},
]
FRAME = pd.DataFrame(ROWS)

with warnings.catch_warnings(action="ignore"):  # MLflow warns about its own type hints
    import mlflow.pyfunc
    from mlflow.pyfunc import scoring_server

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
COLUMNS = {name: [row[name] for row in ROWS] for name in ODD.names}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """MLflow's scoring server for the same bundle, as an app."""
    path = classifier(tmp_path_factory.mktemp("bundles") / "irises")
    app = scoring_server.init(mlflow.pyfunc.load_model(str(path)))
    os.environ.pop("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", None)  # it tells the whole process
    return app


def ask(app: Any, path: str, **request: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mlflow") as client:
            return await client.request("POST" if request else "GET", path, **request)

    return asyncio.run(once())


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": list(ODD.names), "data": [list(row.values()) for row in ROWS]}},
        {"dataframe_split": FRAME.astype(object).where(FRAME.notna(), None).to_dict(orient="split")},
        {"dataframe_records": ROWS},
        {"dataframe_records": ROWS, "params": {"probabilities": True}},
        {"dataframe_records": ROWS, "params": {"probabilities": False}},
        {"inputs": COLUMNS},
        {"instances": ROWS},
    ],
)
def test_json_is_answered_as_by_mlflow(document: dict[str, Any], theirs: Any, irises: Server) -> None:
    expected = ask(theirs, "/invocations", json=document)
    assert expected.status_code == 200, expected.text
    found = irises.client.post("/invocations", json=document)
    assert found.headers["content-type"] == expected.headers["content-type"]
    assert found.json() == expected.json()


def test_parquet_is_answered_as_by_mlflow(theirs: Any, irises: Server, tmp_path: Path) -> None:
    """CSV is not compared: MLflow reads it by types of its own, which a bundle's signature leaves open."""
    FRAME.to_parquet(tmp_path / "rows.parquet")
    content = (tmp_path / "rows.parquet").read_bytes()
    request: dict[str, Any] = {"content": content, "headers": {"content-type": PARQUET}}
    expected = ask(theirs, "/invocations", **request)
    assert expected.status_code == 200, expected.text
    assert irises.client.post("/invocations", **request).json() == expected.json()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"[1, 2]", JSON),
        (b"{}", JSON),
        (b"not json", JSON),
        (b'{"instances": [[1]], "inputs": [[1]]}', JSON),
        (b'{"columns": ["a"], "data": [[1]]}', JSON),  # MLflow 1's form
        (b'{"dataframe_split": [[1]]}', JSON),
        (b'{"dataframe_split": {"columns": ["a"]}}', JSON),
        (b'{"dataframe_split": {"data": [[1]], "more": 1}}', JSON),
        (b'{"dataframe_records": {"a": 1}}', JSON),
        (b'{"dataframe_records": [{"a": 1}]}', JSON),  # columns are missing
        (b'{"dataframe_records": []}', "application/json; format=pandas-records"),
        (b"<x/>", "application/xml"),
        (b"a,b\n1,2\n", "text/csv; charset=latin-1"),
        (b"\xff\xfe\n", CSV),
        (b"PAR1", PARQUET),
    ],
)
def test_what_mlflow_refuses_is_refused(content: bytes, kind: str, theirs: Any, irises: Server) -> None:
    request: dict[str, Any] = {"content": content, "headers": {"content-type": kind}}
    assert ask(theirs, "/invocations", **request).status_code >= 400
    found = irises.client.post("/invocations", **request)
    assert 400 <= found.status_code < 500, found.text
    assert "Traceback" not in found.text


def test_ping_and_version_answer_as_mlflow_does(theirs: Any, irises: Server) -> None:
    for path in ("/ping", "/health"):
        assert ask(theirs, path).status_code == irises.client.get(path).status_code == 200
    assert irises.client.get("/ping").text == ask(theirs, "/ping").text
    # A version as bare text there too; ours is the model's.
    assert irises.client.get("/version").text == "7"
