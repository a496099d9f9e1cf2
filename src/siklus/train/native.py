"""The other way out: a model in its own library's safe format, where ONNX cannot carry it."""

import tempfile
from pathlib import Path
from typing import Any

from siklus.bundle.native import read_skops
from siklus.contract.columns import Task
from siklus.errors import BundleError, ExportError
from siklus.extras import need


def native_bytes(model: Any, *, task: Task) -> tuple[str, bytes]:
    """(format, bytes) of a fitted model; ExportError EX010 when no allowed format holds it."""
    maker = type(model).__module__.partition(".")[0]
    if maker == "xgboost":
        return "xgboost", bytes(getattr(model, "get_booster", lambda: model)().save_raw("ubj"))
    if maker == "lightgbm":
        return "lightgbm", str(getattr(model, "booster_", model).model_to_string()).encode()
    io = need("skops.io")
    try:
        data: bytes = io.dumps(model)
    except Exception as exc:  # whatever a class of the user's own has to say when it is taken apart
        raise _unsafe(model, str(exc)) from exc
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.skops"
        file.write_bytes(data)
        try:
            read_skops(file, task)
        except BundleError as exc:
            raise _unsafe(model, exc.message.removeprefix(f"{file}: ")) from exc
    return "skops", data


def _unsafe(model: Any, why: str) -> ExportError:
    return ExportError(
        "EX010",
        f"{type(model).__name__} fits no safe native format: {why[:300]}",
        expected="a model of scikit-learn's, XGBoost's or LightGBM's own types",
    )
