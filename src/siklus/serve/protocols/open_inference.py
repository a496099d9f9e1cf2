"""The Open Inference Protocol, version 2 of KServe's: what Triton, MLServer and KServe clients speak.

A row's columns come as a tensor each, under the column's name, or all together as one tensor of shape
[rows, columns] in the contract's order. Tensors may follow the JSON as raw bytes, as Triton's clients do it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.bundle.read import Bundle
from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Integer,
    Label,
    Number,
    Tensor,
    label_text,
)
from siklus.errors import RequestError
from siklus.serve.protocols.documents import not_json, refuse_count
from siklus.serve.protocols.tensors import BYTES, DATATYPES, InputTensor, array_of, broken, raw_words
from siklus.serve.scoring import Scored
from siklus.table import Cells, Table, objects

ENDPOINT = "/v2/models/{name}/infer"
LENGTH_HEADER = "Inference-Header-Content-Length"  # of the JSON, where raw bytes follow it
RAW = "application/octet-stream"
MATRIX_DIMENSIONS = 2


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Clients add members of their own (KServe's the model's name), so unknown ones are passed over."""

    inputs: list[InputTensor]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: dict[str, Any] | None = None


class OutputTensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, int] | msgspec.UnsetType = msgspec.UNSET


class InferAnswer(msgspec.Struct, frozen=True, kw_only=True):
    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | msgspec.UnsetType = msgspec.UNSET


class TensorShape(msgspec.Struct, frozen=True, kw_only=True):
    """-1 is the number of rows. ``classes``: whose probabilities they are, in their order."""

    name: str
    datatype: str
    shape: list[int]
    classes: tuple[Label, ...] | msgspec.UnsetType = msgspec.UNSET


class V2Model(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorShape]
    outputs: list[TensorShape]


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output. ``values``: shape as it is sent; numbers, booleans, or objects (str)."""

    datatype: str
    values: NDArray[Any]


class Inference:
    """One `infer`: read when the contract is known, and answered with the outputs that it asked for.

    ``length``: the value of ``LENGTH_HEADER``, None where the body is JSON alone.
    """

    def __init__(self, body: bytes, *, length: str | None, max_rows: int) -> None:
        self._body = body
        self._length = length
        self._max_rows = max_rows
        self._asked = InferRequest(inputs=[])

    def read(self, contract: Contract) -> Table:
        """The tensors as columns. RequestError RQ001, RQ006, RQ007, RQ038, or RQ039 for an unknown output."""
        document, raw = _parted(self._body, self._length)
        try:
            self._asked = msgspec.json.decode(document, type=InferRequest)
        except msgspec.ValidationError as exc:
            raise RequestError("RQ038", f"no infer request: {exc}", expected='{"inputs": […]}') from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise not_json(exc) from exc
        _refuse_unknown_outputs(self._asked, contract)
        return _table_of(self._asked.inputs, raw, contract, max_rows=self._max_rows)

    def answer(self, scored: Scored) -> tuple[bytes, int | None]:
        """The body, and the length of its JSON where raw bytes follow."""
        found = outputs_of(scored)
        asked = self._asked.outputs or [RequestedOutput(name=name) for name in found]
        raw_all = (self._asked.parameters or {}).get("binary_data_output") is True
        tensors, tail = [], []
        for output in asked:
            is_raw = (output.parameters or {}).get("binary_data", raw_all) is True
            tensor, raw = _written(output.name, found[output.name], is_raw=is_raw)
            tensors.append(tensor)
            tail.append(raw)
        head = msgspec.json.encode(
            InferAnswer(
                model_name=scored.bundle.manifest.name,
                model_version=scored.bundle.version,
                outputs=tensors,
                id=msgspec.UNSET if self._asked.id is None else self._asked.id,
            )
        )
        raw = b"".join(tail)
        is_raw = any(tensor.parameters for tensor in tensors)
        return head + raw, len(head) if is_raw else None


def model_metadata(bundle: Bundle, versions: Sequence[str]) -> V2Model:
    """What the model takes and gives. ``versions``: all that answer now."""
    contract = bundle.contract
    return V2Model(
        name=bundle.manifest.name,
        versions=list(versions),
        platform=f"siklus_{bundle.manifest.model}",
        inputs=[input_shape(column) for column in contract.columns],
        outputs=_output_shapes(contract),
    )


def outputs_of(scored: Scored) -> dict[str, Output]:
    """All that can be asked for; floats as FP64, which holds each float32 exactly."""
    classes = scored.bundle.contract.target.classes
    ids = Output(datatype=BYTES, values=objects(scored.ids))
    raw = np.asarray(scored.predictions.raw, dtype=np.float64)
    if classes is None:
        return {"prediction": Output(datatype="FP64", values=raw), "prediction_id": ids}
    datatype = _label_datatype(classes)
    labels = [label_text(label) for label in scored.labels] if datatype == BYTES else scored.labels
    return {
        "prediction": Output(datatype=datatype, values=objects(labels)),
        "probabilities": Output(datatype="FP64", values=raw),
        "prediction_id": ids,
    }


def _parted(body: bytes, length: str | None) -> tuple[bytes, memoryview]:
    if length is None:
        return body, memoryview(b"")
    size = int(length) if length.isascii() and length.isdecimal() and len(length) < 10 else -1
    if not 0 <= size <= len(body):
        expected = f"the length of the JSON, at most {len(body)}"
        raise RequestError("RQ038", f"{LENGTH_HEADER}: {length[:20]!r}", expected=expected)
    return body[:size], memoryview(body)[size:]


def _table_of(inputs: Sequence[InputTensor], raw: memoryview, contract: Contract, *, max_rows: int) -> Table:
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    for tensor in inputs:
        size = tensor.raw_size
        if size is not None and at + size > len(raw):
            raise broken(tensor, "the body ends before its bytes do")
        own = None if size is None else raw[at : at + size]
        if tensor.name in arrays:
            raise broken(tensor, "it stands twice", expected="each input with its own name")
        arrays[tensor.name] = array_of(tensor, own)
        at += size or 0
    if at != len(raw):
        raise RequestError("RQ038", f"{len(raw) - at} bytes that no input claims", expected="none")
    counts = {len(array) for array in arrays.values()}
    if len(counts) > 1:
        raise RequestError("RQ038", f"inputs of {min(counts)} to {max(counts)} rows", expected="one number")
    refuse_count(max(counts, default=0), max_rows=max_rows)
    return _matrix_table(inputs, arrays, contract) or Table(
        {tensor.name: _cells(arrays[tensor.name]) for tensor in inputs}
    )


def _matrix_table(
    inputs: Sequence[InputTensor], arrays: Mapping[str, NDArray[Any]], contract: Contract
) -> Table | None:
    """The table of one tensor that has all columns in the contract's order, under a name of its own."""
    names = contract.names
    if len(inputs) != 1 or inputs[0].name in names or arrays[inputs[0].name].ndim != MATRIX_DIMENSIONS:
        return None
    matrix = arrays[inputs[0].name]
    if matrix.shape[1] != len(names):
        expected = f"[rows, {len(names)}], or a tensor a column"
        raise broken(inputs[0], f"shape {list(matrix.shape)}", expected=expected)
    return Table({name: matrix[:, i] for i, name in enumerate(names)})


def _cells(array: NDArray[Any]) -> Cells:
    """One cell a row: [rows] and [rows, 1] alike, and arrays where there are more dimensions."""
    if array.ndim == 1:
        return array
    if array.shape[1:] == (1,):
        return array[:, 0]
    return objects(array.tolist())


def _refuse_unknown_outputs(request: InferRequest, contract: Contract) -> None:
    known = [shape.name for shape in _output_shapes(contract)]
    for output in request.outputs or ():
        if output.name not in known:
            raise RequestError(
                "RQ039", f"no output {output.name[:60]!r}", expected=f"one of {', '.join(known)}"
            )


def _written(name: str, output: Output, *, is_raw: bool) -> tuple[OutputTensor, bytes]:
    values, datatype = output.values, output.datatype
    shape = list(values.shape)
    if not is_raw:
        return OutputTensor(name=name, datatype=datatype, shape=shape, data=values.reshape(-1).tolist()), b""
    raw = raw_words(values.tolist()) if datatype == BYTES else values.astype(DATATYPES[datatype]).tobytes()
    head = OutputTensor(name=name, datatype=datatype, shape=shape, parameters={"binary_data_size": len(raw)})
    return head, raw


def input_shape(column: Column) -> TensorShape:
    """The tensor that a column is sent as; other number types are taken as well."""
    match column:
        case Tensor(shape=shape):
            return TensorShape(name=column.name, datatype="FP64", shape=[-1, *shape])
        case Number():
            datatype = "FP64"
        case Integer():
            datatype = "INT64"
        case Boolean():
            datatype = "BOOL"
        case Category(vocabulary=words) if isinstance(words[0], int):
            datatype = "INT64"
        case _:
            datatype = BYTES
    return TensorShape(name=column.name, datatype=datatype, shape=[-1])


def _output_shapes(contract: Contract) -> list[TensorShape]:
    classes = contract.target.classes
    ids = TensorShape(name="prediction_id", datatype=BYTES, shape=[-1])
    if classes is None:
        return [TensorShape(name="prediction", datatype="FP64", shape=[-1]), ids]
    return [
        TensorShape(name="prediction", datatype=_label_datatype(classes), shape=[-1]),
        TensorShape(name="probabilities", datatype="FP64", shape=[-1, len(classes)], classes=classes),
        ids,
    ]


def _label_datatype(classes: Sequence[Label]) -> str:
    """Classes of several types have only text in common."""
    kinds = set(map(type, classes))
    return {bool: "BOOL", int: "INT64"}.get(kinds.pop(), BYTES) if len(kinds) == 1 else BYTES
