"""The forest behind MLflow: server.py PORT MODEL, which becomes `mlflow models serve`."""

import os
import sys
from importlib import import_module
from pathlib import Path


def save(path: Path, folder: Path) -> None:
    """Into the folder as MLflow keeps a model, in the model's own flavour."""
    if path.suffix == ".onnx":
        import_module("mlflow.onnx").save_model(import_module("onnx").load(path), folder)
    else:
        model = import_module("joblib").load(path)
        import_module("mlflow.sklearn").save_model(model, folder, serialization_format="pickle")


if __name__ == "__main__":
    # Saving takes seconds that a server's start should not be charged with, so it is done once.
    model = Path(sys.argv[2])
    folder = model.with_name(f"{model.name}.mlflow")
    if not folder.exists():
        save(model, folder)
    listen = ["--host", "127.0.0.1", "--port", sys.argv[1], "--workers", "1"]
    serve = ["models", "serve", "--env-manager", "local", "--model-uri", str(folder)]
    # No shell: the harness ends this very process.
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *serve, *listen])  # noqa: S606
