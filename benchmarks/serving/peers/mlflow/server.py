"""The forest behind MLflow: server.py PORT MODEL, which becomes `mlflow models serve`."""

import os
import sys
from importlib import import_module
from pathlib import Path


def saved(path: Path, folder: Path) -> Path:
    """The model as MLflow keeps one, in its own flavour."""
    if path.suffix == ".onnx":
        flavour, model = import_module("mlflow.onnx"), import_module("onnx").load(path)
        flavour.save_model(model, folder)
    else:
        flavour, model = import_module("mlflow.sklearn"), import_module("joblib").load(path)
        flavour.save_model(model, folder, serialization_format="pickle")
    return folder


if __name__ == "__main__":
    # Saving takes seconds that a server's start should not be charged with, so it is done once.
    folder = Path(sys.argv[2]).with_suffix(".mlflow")
    if not folder.exists():
        saved(Path(sys.argv[2]), folder)
    listen = ["--host", "127.0.0.1", "--port", sys.argv[1], "--workers", "1"]
    serve = ["models", "serve", "--env-manager", "local", "--model-uri", str(folder)]
    # No shell: the harness ends this very process.
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *serve, *listen])  # noqa: S606
