"""The forest as every server but ours opens it: a graph with ONNX Runtime, a pickle with scikit-learn.

Peers run it in their own environments, so it imports nothing of ours.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import numpy as np

Score: TypeAlias = Callable[[np.ndarray], tuple[list[int], list[float]]]


def open_forest(path: Path) -> Score:
    """Rows, shape (rows, features), to the class of each and its probability."""
    return _graph(path) if path.suffix == ".onnx" else _pickle(path)


def _graph(path: Path) -> Score:
    ort = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # as ours has it: more only costs, for one row
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()

    def score(rows: np.ndarray) -> tuple[list[int], list[float]]:
        labels, probabilities = session.run(None, {given.name: rows.astype(np.float32)})
        return labels.tolist(), probabilities.max(axis=1).tolist()

    return score


def _pickle(path: Path) -> Score:
    model = import_module("joblib").load(path)

    def score(rows: np.ndarray) -> tuple[list[int], list[float]]:
        return model.predict(rows).tolist(), model.predict_proba(rows).max(axis=1).tolist()

    return score
