"""What MLflow, and whatever reads its format, needs to load a bundle as it stands."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from siklus import __version__
from siklus.bundle.manifest import ONNX_FILE, Manifest
from siklus.bundle.papers import Golden
from siklus.contract.columns import Contract

LOADER = "siklus.bundle.pyfunc"
EXAMPLE_ROWS = 5
PYTHON_ENV, REQUIREMENTS = "python_env.yaml", "requirements.txt"
EXAMPLE, SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"

# What `siklus.bundle.pyfunc` imports on its way to a prediction, and what a native model adds.
LOADING = ("mlflow-skinny", "msgspec", "numpy", "onnxruntime", "pandas")
NATIVE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "onnx": (),
    "skops": (("scikit-learn",), ("skops",)),
    "xgboost": (("xgboost-cpu", "xgboost"),),  # the same module from either
    "lightgbm": (("lightgbm",),),
}


def mlflow_files(
    contract: Contract, golden: Golden, manifest: Manifest, *, environment: Mapping[str, str]
) -> dict[str, str]:
    """MLflow's papers by file name. ``environment``: what training had installed, by name.

    MLflow compares its versions with those around it when it loads the bundle, and can build the same anew.
    """
    installed = {_canonical(name): version for name, version in environment.items()}
    example = _example(contract, golden)
    files = {
        "MLmodel": _mlmodel(
            contract, manifest, python=installed.get("python"), has_example=example is not None
        ),
        REQUIREMENTS: _requirements(manifest, installed),
        PYTHON_ENV: _text(
            {
                **({"python": installed["python"]} if "python" in installed else {}),
                "build_dependencies": ["pip"],
                "dependencies": [f"-r {REQUIREMENTS}"],
            }
        ),
    }
    if example is not None:
        files |= {EXAMPLE: _text(example), SERVING_EXAMPLE: _text({"dataframe_split": example})}
    return files


def _mlmodel(contract: Contract, manifest: Manifest, *, python: str | None, has_example: bool) -> str:
    """Flavours, signature and an input example. JSON is YAML, so JSON is written."""
    function = {"loader_module": LOADER, "data": ".", "env": {"virtualenv": PYTHON_ENV}}
    if python is not None:
        function["python_version"] = python
    document: dict[str, Any] = {
        "artifact_path": "bundle",
        "flavors": {"python_function": function},
        "metadata": {"siklus": __version__, "contract": "contract.json"},
        "signature": _signature(contract),
        "utc_time_created": _moment(manifest.created),
    }
    if manifest.model == "onnx":
        document["flavors"]["onnx"] = {"data": ONNX_FILE, "providers": ["CPUExecutionProvider"]}
    if has_example:
        document["saved_input_example_info"] = {
            "artifact_path": EXAMPLE,
            "serving_input_path": SERVING_EXAMPLE,
            "type": "dataframe",
            "pandas_orient": "split",
        }
    return _text(document)


def _signature(contract: Contract) -> dict[str, str]:
    # Every input is "any": MLflow's own check refuses whole numbers where a column is "double", gaps in
    # "long" and "boolean", pandas' categories in "string" and text in "datetime", all of which the contract
    # allows. So MLflow sees to the columns, and decode judges the cells, as it does everywhere.
    inputs = [
        {"name": column.name, "type": "any", "required": not column.optional} for column in contract.columns
    ]
    outputs = [{"type": "tensor", "tensor-spec": {"dtype": _answer_type(contract), "shape": [-1]}}]
    params = [{"name": "probabilities", "type": "boolean", "default": False, "shape": None}]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": json.dumps(params)}


def _answer_type(contract: Contract) -> str:
    classes = contract.target.classes
    if classes is None:
        return "float64"
    kinds = {type(label) for label in classes}
    return {str: "str", bool: "bool", int: "int64"}[kinds.pop()] if len(kinds) == 1 else "object"


def _example(contract: Contract, golden: Golden) -> dict[str, object] | None:
    """The first golden rows as pandas writes a frame; columns that a row leaves out are left out."""
    rows = golden.instances[:EXAMPLE_ROWS]
    if not rows:
        return None
    names = [name for name in contract.names if all(name in row for row in rows)]
    return {"columns": names, "data": [[row[name] for name in names] for row in rows]}


def _requirements(manifest: Manifest, installed: Mapping[str, str]) -> str:
    native = [
        next((name for name in either if name in installed), either[0]) for either in NATIVE[manifest.model]
    ]
    lines = [
        f"{name}=={installed[name]}" if name in installed else name for name in sorted([*LOADING, *native])
    ]
    return "\n".join([f"siklus=={__version__}", *lines]) + "\n"


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _moment(created: datetime) -> str:
    return created.strftime("%Y-%m-%d %H:%M:%S.%f")


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
