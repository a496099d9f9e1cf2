"""OpenAPI: the calls, typed from the contract of what answers, with examples that work when pasted."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract
from siklus.contract.examples import example_row
from siklus.contract.export import to_jsonschema
from siklus.project.sections import Serve
from siklus.serve.answers import (
    BatchAnswer,
    ErrorAnswer,
    FeedbackAnswer,
    FeedbackElsewhere,
    Health,
    Liveness,
    PredictAnswer,
    TextErrorAnswer,
)
from siklus.serve.protocols.descriptions import describe

WORDS_SHOWN = 50  # of a vocabulary or of the classes: a longer list helps nobody, and a page must carry it
REFERENCE = "#/components/schemas/{name}"

JsonSchema: TypeAlias = dict[str, Any]

EXAMPLE_ID = "019c1a3e-5b7a-7c41-9d2e-0f3b6a8c1d24"  # nobody's: an answer brings one that is taken

KEYS: Mapping[str, JsonSchema] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}

EVERY_CLASS: JsonSchema = {
    "name": "probabilities",
    "in": "query",
    "required": False,
    "description": "`all` adds the probabilities of all classes to the answer.",
    "schema": {"type": "string", "enum": ["all"]},
}


def document(routes: Sequence[BaseRoute], bundle: Bundle, settings: Serve) -> JsonSchema:
    """The OpenAPI 3.1 document of a server with these routes and this bundle."""
    contract = bundle.contract
    found: JsonSchema = get_openapi(
        title=bundle.manifest.name,
        version=bundle.version,
        description=f"Predicts {contract.target.name} from {len(contract.columns)} columns.",
        routes=routes,
    )
    found["components"] = {"schemas": components(contract, settings)}
    _leave_out_foreign_refusals(found["paths"])
    row = example_row(contract)
    listed = [row[name] for name in contract.names]
    one = {"by name": {"features": row}, "by place": {"features": listed}}
    many = {"by name": {"instances": [row, row]}, "by place": {"instances": [listed, listed]}}
    found["paths"]["/predict"]["post"] |= _asked("PredictRequest", one)
    found["paths"]["/predict/batch"]["post"] |= _asked("BatchRequest", many)
    found["paths"]["/feedback"]["post"] |= _told(contract)
    found["components"]["schemas"] |= describe(found["paths"], bundle, template=REFERENCE)
    return found


def _leave_out_foreign_refusals(paths: Mapping[str, Any]) -> None:
    """FastAPI describes a 422 of its own wherever a path has a parameter; no server of ours answers it."""
    for methods in paths.values():
        for call in methods.values():
            if call["responses"].get("422", {}).get("description") == "Validation Error":
                del call["responses"]["422"]


def with_keys(found: JsonSchema) -> JsonSchema:
    """The document of a server that asks for API keys: which calls need one, and how it is sent."""
    for methods in found["paths"].values():
        for call in methods.values():
            if "401" in call["responses"]:
                call["security"] = [{name: []} for name in KEYS]
    found["components"]["securitySchemes"] = dict(KEYS)
    return found


def components(contract: Contract, settings: Serve) -> dict[str, JsonSchema]:
    """The named schemas: what is asked, from the contract, and what is answered."""
    by_name, by_place = _rows(contract)
    row = {"oneOf": [_reference("RowByName"), _reference("RowByPlace")]}
    many = {"type": "array", "items": row, "minItems": 1, "maxItems": settings.max_batch_rows}
    told = FeedbackAnswer if settings.feedback_url is None else FeedbackElsewhere
    _, answers = msgspec.json.schema_components(
        [PredictAnswer, BatchAnswer, told, Health, Liveness, ErrorAnswer, TextErrorAnswer],
        ref_template=REFERENCE,
    )
    predicted = _predicted(contract)
    _replace(answers["PredictAnswer"], "prediction", predicted)
    _replace(answers["BatchAnswer"], "predictions", {"type": "array", "items": predicted})
    return {
        "RowByName": by_name,
        "RowByPlace": by_place,
        "PredictRequest": _object("features", row),
        "BatchRequest": _object("instances", many),
        **_feedback(predicted, settings),
        **answers,
    }


def _rows(contract: Contract) -> tuple[JsonSchema, JsonSchema]:
    """One row as an object and as a list; both are whole in themselves."""
    row: Any = to_jsonschema(contract)
    by_name, by_place = row["oneOf"]
    columns = {name: _shortened(cell) for name, cell in by_name["properties"].items()}
    return {**by_name, "properties": columns}, {**by_place, "prefixItems": list(columns.values())}


def _shortened(cell: JsonSchema) -> JsonSchema:
    """A long enum becomes its first words as examples and a note: what is left out is no less allowed."""
    words = cell.get("enum", [])
    if len(words) <= WORDS_SHOWN:
        return cell
    note = f"one of {len(words)} words, of which the first {WORDS_SHOWN} are shown"
    told = "; ".join(text for text in (cell.get("description", ""), note) if text)
    rest = {key: value for key, value in cell.items() if key != "enum"}
    return {**rest, "examples": words[:WORDS_SHOWN], "description": told}


def _predicted(contract: Contract) -> JsonSchema:
    classes = contract.target.classes
    if classes is None:
        return {"type": "number"}
    if len(classes) <= WORDS_SHOWN:
        return {"enum": list(classes)}
    kinds = {bool: "boolean", int: "integer", str: "string"}
    return {
        "type": sorted({kinds[type(label)] for label in classes}),
        "examples": list(classes[:WORDS_SHOWN]),
    }


def _replace(answer: JsonSchema, field: str, typed: JsonSchema) -> None:
    """Type a field from the contract, and keep what is told of it."""
    answer["properties"][field] = {"description": answer["properties"][field]["description"], **typed}


def _asked(component: str, examples: Mapping[str, object]) -> JsonSchema:
    body = {
        "schema": _reference(component),
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {
        "parameters": [EVERY_CLASS],
        "requestBody": {"required": True, "content": {"application/json": body}},
    }


def _told(contract: Contract) -> JsonSchema:
    classes = contract.target.classes
    told = {"prediction_id": EXAMPLE_ID, "outcome": classes[0] if classes else 1.5}
    dated = {**told, "observed_at": "2026-01-31T08:00:00Z"}
    examples = {"one": {"value": told}, "several": {"value": [dated]}}
    body = {"schema": _reference("FeedbackRequest"), "examples": examples}
    return {"requestBody": {"required": True, "content": {"application/json": body}}}


def _feedback(predicted: JsonSchema, settings: Serve) -> dict[str, JsonSchema]:
    fields = {
        "prediction_id": {"type": "string", "description": "As the answer had it."},
        "outcome": {"description": "The true class, or the true number.", **predicted},
        "observed_at": {
            "type": ["string", "null"],
            "description": "When it came true: ISO 8601, in UTC without an offset.",
        },
    }
    one = {
        "type": "object",
        "properties": fields,
        "required": ["prediction_id", "outcome"],
        "additionalProperties": False,
    }
    several = {
        "type": "array",
        "items": _reference("Feedback"),
        "minItems": 1,
        "maxItems": settings.max_batch_rows,
    }
    return {"Feedback": one, "FeedbackRequest": {"oneOf": [_reference("Feedback"), several]}}


def _object(key: str, value: JsonSchema) -> JsonSchema:
    return {"type": "object", "properties": {key: value}, "required": [key], "additionalProperties": False}


def _reference(name: str) -> JsonSchema:
    return {"$ref": REFERENCE.format(name=name)}
