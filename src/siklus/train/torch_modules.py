"""A user's own PyTorch module as an ONNX graph with the answers that every server expects."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from siklus.bundle.session import ROWS_INPUT
from siklus.contract.columns import Task
from siklus.errors import ExportError
from siklus.extras import need
from siklus.train.graphs.graph import OPSET, Graph, Matrix
from siklus.train.graphs.heads import both_classes, logistic

# torch.export takes a batch of 1 for a constant, so it is shown a few rows.
FEWEST_ROWS = 2
SCRIPT_OPSET = 20  # the newest that PyTorch's old exporter writes; its operators mean the same in OPSET


def torch_module_to_onnx(
    module: Any, example: NDArray[np.float32], *, task: Task, logits: bool = True, entry: str = ROWS_INPUT
) -> bytes:
    """The graph of a module that takes one float32 batch and gives (N, classes), (N, 1) or (N,).

    ``example``: a few rows, shape (n, width), or (n, *shape) for a tensor column, whose name is then
    ``entry``. ``logits``: what a classifier gives is raw sums, to which a softmax (of one sum, a
    sigmoid) is added; otherwise it is probabilities. Nothing is added to a regression.

    ExportError EX001 when PyTorch cannot export the module, EX006 when it answers in another shape.
    """
    torch = need("torch", extra="torch")
    need("onnxscript", extra="torch")  # torch.onnx needs it and would say so less clearly
    batch = torch.from_numpy(np.ascontiguousarray(_few_rows(example), dtype=np.float32))
    with evaluating(module):
        width, flat = _answer_shape(torch, module, batch)
        part = _exported(torch, module, batch)
    graph = Graph(shape=example.shape[1:], entry=entry)
    output, *_ = graph.attach(part, entry)
    if flat:
        output = graph.node("Unsqueeze", [output, graph.constant(np.array([1], dtype=np.int64))])
    answer = graph.widened(output, width)
    return graph.finished(_with_head(graph, answer, task=task, logits=logits), task=task)


def _few_rows(example: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(example):
        raise ExportError("EX006", "an example without rows", expected="one row at least")
    return np.resize(example, (max(len(example), FEWEST_ROWS), *example.shape[1:]))


def _with_head(graph: Graph, answer: Matrix, *, task: Task, logits: bool) -> Matrix:
    if task == "regression":
        if answer.width != 1:
            raise ExportError("EX006", f"answers of shape (N, {answer.width})", expected="(N, 1) or (N,)")
        return answer
    if logits:
        return logistic(graph, answer)
    return both_classes(graph, answer) if answer.width == 1 else answer


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Dropout off and batch norms fixed; the module is left as it was found."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _answer_shape(torch: Any, module: Any, batch: Any) -> tuple[int, bool]:
    """How many numbers a row gets, and whether they come without an axis of their own."""
    with torch.no_grad():
        answer = module(batch)
    shape = tuple(getattr(answer, "shape", ()))
    if shape == (len(batch),):
        return 1, True
    if len(shape) == 2 and shape[0] == len(batch):
        return int(shape[1]), False
    raise ExportError(
        "EX006", f"answers of shape {shape} to {len(batch)} rows", expected="one row of numbers for each"
    )


def _exported(torch: Any, module: Any, batch: Any) -> onnx.ModelProto:
    export = _of_script if isinstance(module, torch.jit.ScriptModule) else _of_module
    try:
        with warnings.catch_warnings(), _quiet("torch.onnx"):
            warnings.simplefilter("ignore")  # deprecations inside PyTorch itself
            return export(torch, module, batch)
    except Exception as exc:  # whatever the module's own code and PyTorch's tracing of it raise
        why = str(exc).strip().splitlines() or [type(exc).__name__]
        what = f"{type(module).__name__}: {why[0][:200]}"
        raise ExportError("EX001", what, expected="a module that torch.onnx exports") from exc


def _of_module(torch: Any, module: Any, batch: Any) -> onnx.ModelProto:
    program = torch.onnx.export(
        module, (batch,), dynamo=True, dynamic_shapes=({0: "N"},), opset_version=OPSET, verbose=False
    )
    part: onnx.ModelProto = program.model_proto
    return part


def _of_script(torch: Any, module: Any, batch: Any) -> onnx.ModelProto:
    """TorchScript has no Python left that the new exporter could trace; the old one reads it."""
    written = io.BytesIO()
    torch.onnx.export(
        module,
        (batch,),
        written,
        dynamo=False,
        input_names=["given"],
        dynamic_axes={"given": {0: "N"}},
        opset_version=SCRIPT_OPSET,
    )
    return onnx.load_model_from_string(written.getvalue())


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """The exporter logs which optional packages it did not find."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
