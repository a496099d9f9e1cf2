"""Scoring: a sealed model behind one call, float32 rows in, predictions out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.bundle.frame import frame_of
from siklus.bundle.manifest import Manifest
from siklus.bundle.native import NATIVE_READERS
from siklus.bundle.runtime import onnx_runtime
from siklus.contract.columns import Contract, Task, Tensor, Text
from siklus.contract.decode import Rows
from siklus.errors import BundleError
from siklus.table import FloatRows, is_missing

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
        indices: NDArray[np.int64] = np.argmax(self.raw, axis=1)
        return indices

    @property
    def probabilities(self) -> NDArray[np.floating[Any]] | None:
        """Classification: that of the predicted class, shape (n,). None for a regression."""
        return None if self.task == "regression" else np.max(self.raw, axis=1)


class Session(Protocol):
    def run(self, rows: Rows) -> Predictions:
        """BundleError BN012 where the model itself fails."""
        ...


class OnnxSession:
    """One thread: a row costs microseconds, and the server's workers are the parallelism."""

    def __init__(self, path: Path, *, contract: Contract) -> None:
        ort = onnx_runtime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what matters is raised as well
        # A graph may name files to read weights from; in a branch even those of the working directory.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        model = path.read_bytes()
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # onnxruntime derives one class a status from Exception itself
            wanted = "a model that ONNX Runtime reads"
            raise BundleError("BN007", f"{path}: {_said(exc)}", expected=wanted) from exc
        self._task = contract.task
        self._inputs = [put.name for put in self._session.get_inputs()]
        self._output = OUTPUTS[contract.task]
        self._refuse_other_shape(path, contract)

    @property
    def inputs(self) -> list[str]:
        """What the graph reads: the matrix, and a column each of text or tensors."""
        return self._inputs

    def run(self, rows: Rows) -> Predictions:
        return self.predictions(self.raw({name: self._feed(rows, name) for name in self._inputs}))

    def raw(self, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """What the graph answers, shape (n, outputs). BundleError BN012 where it fails."""
        try:
            (raw,) = self._session.run([self._output], feeds)
        except Exception as exc:  # as in `__init__`
            raise _failed(exc) from exc
        found: NDArray[Any] = raw
        return found

    def predictions(self, raw: NDArray[Any]) -> Predictions:
        return Predictions(self._task, raw[:, 0] if self._task == "regression" else raw)

    def bind(self, rows: FloatRows, raw: NDArray[Any]) -> Any:
        """Buffers for `run_bound`: it reads ``rows`` and writes ``raw``, which must both outlive it."""
        binding = self._session.io_binding()
        where = ("cpu", 0)
        binding.bind_input(ROWS_INPUT, *where, rows.dtype.type, rows.shape, rows.ctypes.data)
        binding.bind_output(self._output, *where, raw.dtype.type, raw.shape, raw.ctypes.data)
        return binding

    def run_bound(self, binding: Any) -> None:
        try:
            self._session.run_with_iobinding(binding)
        except Exception as exc:  # as in `__init__`
            raise _failed(exc) from exc

    def _feed(self, rows: Rows, name: str) -> NDArray[Any]:
        if name == ROWS_INPUT:
            return rows.matrix
        if name in rows.tensors:
            return rows.tensors[name]
        texts = rows.texts[name]
        # ONNX Runtime would read a missing text as the word "None".
        return np.where(is_missing(texts), "", texts).reshape(-1, 1)

    def _refuse_other_shape(self, path: Path, contract: Contract) -> None:
        wanted = _inputs_of(contract)
        found = {put.name: (put.type, *put.shape[1:]) for put in self._session.get_inputs()}
        outputs = [put.name for put in self._session.get_outputs()]
        fits = all(name in wanted and _matches(shape, wanted[name]) for name, shape in found.items())
        if not fits or self._output not in outputs:
            raise BundleError(
                "BN008",
                f"{path}: inputs {found}, outputs {outputs}",
                expected=f"inputs of {wanted} and an output {self._output!r}",
            )


_Shape: TypeAlias = tuple[object, ...]  # the element type, then each dimension after the first


def _inputs_of(contract: Contract) -> dict[str, _Shape]:
    wanted: dict[str, _Shape] = {ROWS_INPUT: ("tensor(float)", contract.width)}
    for column in contract.columns:
        if isinstance(column, Text):
            wanted[column.name] = ("tensor(string)", 1)
        elif isinstance(column, Tensor):
            wanted[column.name] = ("tensor(float)", *column.shape)
    return wanted


def _matches(found: _Shape, wanted: _Shape) -> bool:
    """Whether each part is the same; a dimension that the graph leaves open is None or has a name."""
    if len(found) != len(wanted) or found[0] != wanted[0]:
        return False
    return all(a == b or not isinstance(a, int) for a, b in zip(found[1:], wanted[1:], strict=True))


class NativeSession:
    """A model in its own library's safe format, for what cannot be written as ONNX."""

    def __init__(self, model: Any, *, manifest: Manifest, contract: Contract) -> None:
        self._model = model
        self._contract = contract
        self._frame = manifest.takes == "frame"

    def run(self, rows: Rows) -> Predictions:
        given = frame_of(rows, self._contract) if self._frame else rows.matrix
        regression = self._contract.task == "regression"
        try:
            said = self._model.predict(given) if regression else self._model.predict_proba(given)
        except Exception as exc:  # whatever its library raises
            raise _failed(exc) from exc
        raw = np.asarray(said, dtype=np.float64)
        return Predictions(self._contract.task, raw.reshape(-1) if regression else raw)


def open_session(path: Path, *, manifest: Manifest, contract: Contract) -> Session:
    if manifest.model == "onnx":
        return OnnxSession(path, contract=contract)
    model = NATIVE_READERS[manifest.model](path, contract.task)
    return NativeSession(model, manifest=manifest, contract=contract)


def _failed(exc: Exception) -> BundleError:
    wanted = "a model that answers all rows that keep its contract"
    return BundleError("BN012", f"the model fails at these rows: {_said(exc)}", expected=wanted)


def _said(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300]
