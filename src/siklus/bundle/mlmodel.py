"""The MLmodel file, so that MLflow (and whatever reads its format) loads a bundle as it stands."""

import json
from datetime import datetime

from siklus import __version__
from siklus.bundle.manifest import ONNX_FILE, Manifest
from siklus.bundle.papers import Golden
from siklus.contract.columns import Boolean, Category, Column, Contract, Integer, Number, Tensor, Text

LOADER = "siklus.bundle.pyfunc"


def mlmodel_text(contract: Contract, golden: Golden, manifest: Manifest, *, created: datetime) -> str:
    """MLflow's format: flavours, signature and an input example. JSON is YAML, so JSON is written."""
    flavors: dict[str, object] = {
        "python_function": {"loader_module": LOADER, "data": ".", "env": {"virtualenv": "python_env.yaml"}},
    }
    if manifest.model == "onnx":
        flavors["onnx"] = {"data": ONNX_FILE, "providers": ["CPUExecutionProvider"]}
    document: dict[str, object] = {
        "artifact_path": "bundle",
        "flavors": flavors,
        "metadata": {"siklus": __version__, "contract": "contract.json"},
        "utc_time_created": created.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    # MLflow's signatures hold either columns or tensors, not both.
    if not any(isinstance(column, Tensor) for column in contract.columns):
        document["signature"] = {
            "inputs": json.dumps([_signed(column) for column in contract.columns]),
            "outputs": json.dumps([_signed_answer(contract)]),
        }
    return json.dumps(document, indent=2) + "\n"


def _signed(column: Column) -> dict[str, object]:
    return {"name": column.name, "type": _mlflow_type(column), "required": not column.optional}


def _mlflow_type(column: Column) -> str:
    """MLflow's own word for the kind; "any" where its check would refuse what the contract allows.

    A gap turns pandas' integers into floats and its booleans into objects, and a moment comes as a
    string from a CSV file as often as a timestamp: decode judges these, as it does everything.
    """
    match column:
        case Number():
            return "double"
        case Integer(nullable=nullable):
            return "double" if nullable else "long"
        case Category(vocabulary=words, nullable=nullable):
            if isinstance(words[0], str):
                return "string"
            return "double" if nullable else "long"
        case Boolean(nullable=False):
            return "boolean"
        case Text():
            return "string"
        case _:
            return "any"


def _signed_answer(contract: Contract) -> dict[str, object]:
    classes = contract.target.classes
    if classes is None:
        kind = "double"
    else:
        kind = {str: "string", bool: "boolean", int: "long"}[type(classes[0])]
    return {"name": "prediction", "type": kind, "required": True}
