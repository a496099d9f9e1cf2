"""The description is true: /openapi.json, /docs and docs/http.md say what the server does, and no more."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from siklus.contract.columns import Category, Contract, Target, Tensor, Text
from siklus.project.sections import Serve
from siklus.serve.openapi import WORDS_SHOWN, components
from tests.serve.bundles import ODD, ODD_ROW
from tests.serve.servers import Server

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PROTOCOLS = DOCS / "http.md", DOCS / "protocols.md"
POSTS = ["/predict", "/predict/batch"]


@pytest.fixture(scope="module")
def described(irises: Server) -> Any:
    return irises.client.get("/openapi.json").json()


def schema_of(described: Any, component: str) -> Draft202012Validator:
    """A named component, with the others that it refers to."""
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{component}", "components": described["components"]}
    )


def test_every_schema_that_is_named_is_there(described: Any) -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert named <= described["components"]["schemas"].keys()


@pytest.mark.parametrize("path", POSTS)
def test_every_example_is_answered_as_it_stands(path: str, described: Any, irises: Server) -> None:
    body = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert list(body["examples"]) == ["by name", "by place"]
    for example in body["examples"].values():
        response = irises.client.post(path, json=example["value"])
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("path", POSTS)
def test_examples_and_answers_fit_their_schemas(path: str, described: Any, irises: Server) -> None:
    call = described["paths"][path]["post"]
    body = call["requestBody"]["content"]["application/json"]
    for example in body["examples"].values():
        schema_of(described, body["schema"]["$ref"].split("/")[-1]).validate(example["value"])
        for query in ("", "?probabilities=all"):
            answer = irises.client.post(path + query, json=example["value"]).json()
            reference = call["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
            schema_of(described, reference.split("/")[-1]).validate(answer)


@pytest.mark.parametrize(
    "features",
    [
        {**ODD_ROW, "more": 1},
        {name: cell for name, cell in ODD_ROW.items() if name != "origin"},
        {**ODD_ROW, "count": 6},
        {**ODD_ROW, "count": 1.5},
        {**ODD_ROW, "grade": 9},
        {**ODD_ROW, "petal length": None},
        {**ODD_ROW, "is_new": "yes"},
        [1.5],
        "a row",
    ],
)
def test_what_the_description_forbids_is_refused(features: object, described: Any, irises: Server) -> None:
    body = {"features": features}
    assert not schema_of(described, "PredictRequest").is_valid(body)
    response = irises.client.post("/predict", json=body)
    assert response.status_code == 422
    schema_of(described, "ErrorAnswer").validate(response.json())


def test_the_columns_are_described_by_their_own_names(described: Any) -> None:
    row = described["components"]["schemas"]["RowByName"]
    assert list(row["properties"]) == list(ODD.names)
    assert row["required"] == [name for name in ODD.names if name != "is_new"]
    assert row["additionalProperties"] is False
    assert (row["properties"]["count"]["minimum"], row["properties"]["count"]["maximum"]) == (1, 5)
    assert row["properties"]["grade"]["enum"] == [1, 2, 3]
    assert row["properties"]["größe.cm"]["type"] == ["number", "null"]
    assert described["components"]["schemas"]["PredictAnswer"]["properties"]["prediction"]["enum"] == [
        "setosa",
        "versicolor",
        "virginica",
    ]


def test_the_document_names_the_model_and_every_call(described: Any, irises: Server) -> None:
    assert described["openapi"].startswith("3.1")
    assert (described["info"]["title"], described["info"]["version"]) == ("irises", "7")
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            assert call["summary"]
            assert call["description"]
            assert all(response["description"] for response in call["responses"].values())
            asked = path.replace("{name}", "irises").replace("{version}", "7")
            assert irises.client.request(method, asked, json={}).status_code not in (404, 405)


def test_every_component_is_a_sound_schema(described: Any) -> None:
    for part in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(part)


def test_a_long_vocabulary_is_not_written_out() -> None:
    words = tuple(f"word {i}" for i in range(10_000))
    columns = (
        Category(name="w", vocabulary=words, strict=True),
        Text(name="t"),
        Tensor(name="x", shape=(2, 2)),
    )
    contract = Contract(columns=columns, target=Target(name="y", classes=tuple(range(5000))))
    found = components(contract, Serve())
    column = found["RowByName"]["properties"]["w"]
    assert "enum" not in column
    assert column["examples"] == list(words[:WORDS_SHOWN])
    assert "10000 words" in column["description"]
    assert len(json.dumps(found)) < 30_000


def test_the_page_in_the_docs_has_every_call(described: Any) -> None:
    calls = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    pages = PAGE.read_text() + PROTOCOLS.read_text()
    headings = re.findall(r"^###? ((?:GET|POST) .+)$", pages, re.MULTILINE)
    assert {call for heading in headings for call in heading.split(", ")} == calls


def test_the_answers_in_the_docs_have_the_documented_keys(described: Any) -> None:
    """Each JSON block of a call's section is a sound answer, by name at least."""
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    components_of = {
        "POST /predict": "PredictAnswer",
        "POST /predict/batch": "BatchAnswer",
        "GET /health": "Health",
        "GET /live": "Liveness",
        "GET /ready": "Liveness",
        "What is refused": "ErrorAnswer",
    }
    seen = set()
    for section in sections:
        heading, _, text = section.partition("\n")
        if heading in components_of:
            for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
                schema_of(described, components_of[heading]).validate(json.loads(block))
                seen.add(heading)
    assert seen == set(components_of)


def test_the_page_loads_nothing_from_elsewhere(irises: Server) -> None:
    page = irises.client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", page.text)
    assert "innerHTML" not in page.text, "names are data and must not become HTML"


def test_the_root_points_to_the_page(irises: Server) -> None:
    response = irises.client.get("/")
    assert (response.status_code, response.json()) == (307, {"docs": "/docs"})
    assert irises.client.get("/", follow_redirects=True).url.path == "/docs"
