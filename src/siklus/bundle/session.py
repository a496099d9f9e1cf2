"""Scoring: a sealed model behind one call, float32 rows in, predictions out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from siklus.bundle.frame import frame_of
from siklus.bundle.manifest import Manifest
from siklus.bundle.native import NATIVE_READERS
from siklus.contract.columns import Contract, Task, Tensor, Text
from siklus.contract.decode import Rows
from siklus.errors import BundleError

ROWS_INPUT = "rows"
OUTPUTS: Mapping[Task, str] = {"classification": "probabilities", "regression": "value"}


@dataclass(frozen=True)
class Predictions:
    """What a model says of n rows. ``raw``: probabilities of shape (n, classes), or values of shape (n,)."""

    task: Task
    raw: NDArray[np.floating[Any]]

    @property
    def values(self) -> NDArray[np.floating[Any]]:
        """Regression: the numbers, shape (n,)."""
        return self.raw

    @cached_property
    def class_indices(self) -> NDArray[np.int64]:
        """Classification: scikit-learn's own rule, the first of the largest probabilities."""
        return np.argmax(self.raw, axis=1)

    @property
    def probabilities(self) -> NDArray[np.floating[Any]] | None:
        """Classification: that of the predicted class, shape (n,). None for a regression."""
        return None if self.task == "regression" else np.max(self.raw, axis=1)


class Session(Protocol):
    def run(self, rows: Rows) -> Predictions: ...


class OnnxSession:
    """One thread: a row costs microseconds, and the server's workers are the parallelism."""

    def __init__(self, path: Path, *, contract: Contract) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # warnings of graph optimisations are nobody's business here
        # From bytes, so that a model that points to other files (external data) finds none.
        model = path.read_bytes()
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # noqa: BLE001 - onnxruntime's own tree derives from Exception, one class a status
            raise BundleError("BN007", f"{path}: {_first_line(exc)}", expected="a model that ONNX Runtime reads") from exc
        self._task = contract.task
        self._inputs = [put.name for put in self._session.get_inputs()]
        self._output = OUTPUTS[contract.task]
        self._refuse_other_shape(path, contract)

    def run(self, rows: Rows) -> Predictions:
        feeds = {name: self._feed(rows, name) for name in self._inputs}
        (raw,) = self._session.run([self._output], feeds)
        return Predictions(self._task, raw[:, 0] if self._task == "regression" else raw)

    def _feed(self, rows: Rows, name: str) -> NDArray[Any]:
        if name == ROWS_INPUT:
            return rows.matrix
        return rows.tensors[name] if name in rows.tensors else rows.texts[name].reshape(-1, 1)

    def _refuse_other_shape(self, path: Path, contract: Contract) -> None:
        known = {column.name for column in contract.columns if isinstance(column, Text | Tensor)} | {ROWS_INPUT}
        outputs = [put.name for put in self._session.get_outputs()]
        if not set(self._inputs) <= known or self._output not in outputs:
            raise BundleError(
                "BN008",
                f"{path}: inputs {self._inputs}, outputs {outputs}",
                expected=f"inputs of {sorted(known)} and an output {self._output!r}",
            )


class NativeSession:
    """A model in its own library's safe format, for what cannot be written as ONNX."""

    def __init__(self, model: Any, *, manifest: Manifest, contract: Contract) -> None:
        self._model = model
        self._contract = contract
        self._frame = manifest.takes == "frame"

    def run(self, rows: Rows) -> Predictions:
        given = frame_of(rows, self._contract) if self._frame else rows.matrix
        if self._contract.task == "regression":
            return Predictions("regression", np.asarray(self._model.predict(given), dtype=np.float64).reshape(-1))
        return Predictions("classification", np.asarray(self._model.predict_proba(given), dtype=np.float64))


def open_session(path: Path, *, manifest: Manifest, contract: Contract) -> Session:
    if manifest.model == "onnx":
        return OnnxSession(path, contract=contract)
    return NativeSession(NATIVE_READERS[manifest.model](path, contract.task), manifest=manifest, contract=contract)


def _first_line(exc: Exception) -> str:
    return str(exc).strip().splitlines()[0][:200]
