"""Descriptions: what /openapi.json says of the bodies of other tools' protocols, with examples that work."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract
from siklus.contract.examples import example_row
from siklus.serve.protocols.open_inference import InferAnswer, InferRequest, V2Model, input_shape
from siklus.serve.protocols.tables import FORMS
from siklus.serve.protocols.tensorflow import V1Answer, V1Model

JsonSchema: TypeAlias = dict[str, Any]

ANSWERS = (InferRequest, InferAnswer, V2Model, V1Answer, V1Model)
BINARY: JsonSchema = {"schema": {"type": "string", "format": "binary"}}
PREDICTIONS: JsonSchema = {
    "type": "object",
    "properties": {"predictions": {"type": "array"}},
    "required": ["predictions"],
}


def describe(paths: Mapping[str, Any], bundle: Bundle, *, template: str) -> dict[str, JsonSchema]:
    """Add bodies, examples and the names that exist to ``paths``; the components that they refer to.

    ``template``: where a component stands, with {name}.
    """
    row = example_row(bundle.contract)
    _name_what_exists(paths, bundle)
    _ask(paths["/v1/models/{name}:predict"], {"type": "object"}, _tensorflow(row))
    _ask(paths["/invocations"], {"type": "object"}, _mlflow(row))
    for path in ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"):
        _ask(paths[path], {"$ref": template.format(name="InferRequest")}, _inference(row, bundle.contract))
    for path in ("/predict/batch", "/invocations"):
        paths[path]["post"]["requestBody"]["content"] |= dict.fromkeys(sorted(FORMS), BINARY)
    _, found = msgspec.json.schema_components(ANSWERS, ref_template=template)
    return {**found, "InvocationsAnswer": PREDICTIONS}


def _name_what_exists(paths: Mapping[str, Any], bundle: Bundle) -> None:
    known = {"name": bundle.manifest.name, "version": bundle.version}
    for path in paths.values():
        for call in path.values():
            for parameter in call.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "enum": [known[parameter["name"]]]}


def _ask(path: Mapping[str, Any], body: JsonSchema, examples: Mapping[str, object]) -> None:
    told = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": body, "examples": told}}
    path["post"]["requestBody"] = {"required": True, "content": content}


def _tensorflow(row: Mapping[str, object]) -> dict[str, object]:
    columns = {name: [cell, cell] for name, cell in row.items()}
    return {"by row": {"instances": [row, row]}, "by column": {"inputs": columns}}


def _mlflow(row: Mapping[str, object]) -> dict[str, object]:
    listed = list(row.values())
    return {
        "split": {"dataframe_split": {"columns": list(row), "data": [listed, listed]}},
        "records": {"dataframe_records": [row, row]},
        "instances": {"instances": [listed, listed]},
        "inputs": {"inputs": {name: [cell] for name, cell in row.items()}},
    }


def _inference(row: Mapping[str, object], contract: Contract) -> dict[str, object]:
    tensors = []
    for column in contract.columns:
        takes = input_shape(column)
        shape = [1, *takes.shape[1:]]
        data = [row[column.name]]
        tensors.append({"name": column.name, "datatype": takes.datatype, "shape": shape, "data": data})
    return {"a tensor a column": {"inputs": tensors}}
