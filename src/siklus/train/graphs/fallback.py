"""Steps without a writer of ours go through skl2onnx, in float32."""

import warnings
from typing import Any

import onnx

from siklus.contract.columns import Task
from siklus.errors import ExportError
from siklus.extras import need
from siklus.train.graphs.graph import ML, OLD_ML_OPSET, OPSET, Graph, Matrix


def converted_transformer(graph: Graph, step: Any, rows: Matrix) -> Matrix:
    part = _converted(step, rows, options=None)
    (output,) = graph.attach(part, graph.narrowed(rows))
    return graph.widened(output, _width(part.graph.output[0], step))


def converted_estimator(graph: Graph, model: Any, rows: Matrix, *, task: Task) -> Matrix:
    if task == "regression":
        part = _converted(model, rows, options=None)
        output, *_ = graph.attach(part, graph.narrowed(rows))
        return graph.widened(output, 1)
    if not hasattr(model, "predict_proba"):
        raise ExportError("EX001", f"{type(model).__name__} gives no probabilities", expected="predict_proba")
    part = _converted(model, rows, options={"zipmap": False})
    _, probabilities, *_ = graph.attach(part, graph.narrowed(rows))
    return graph.widened(probabilities, len(model.classes_))


def _converted(step: Any, rows: Matrix, *, options: dict[str, Any] | None) -> onnx.ModelProto:
    # Imported at first use: it takes half a second, and hardly any model needs it.
    skl2onnx = need("skl2onnx")
    kinds = [("given", need("skl2onnx.common.data_types").FloatTensorType([None, rows.width]))]
    opsets = {"": OPSET, ML: OLD_ML_OPSET}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its doubts are settled by the certificate, not by a warning
            part: onnx.ModelProto = skl2onnx.to_onnx(
                step, initial_types=kinds, options=options, target_opset=opsets
            )
    except Exception as exc:  # skl2onnx raises whatever its converters stumble over
        why = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ExportError(
            "EX001", f"{type(step).__name__}: {why[0][:200]}", expected="a step that converts to ONNX"
        ) from exc
    return part


def _width(output: onnx.ValueInfoProto, step: Any) -> int:
    last = output.type.tensor_type.shape.dim[-1]
    if not last.dim_value:
        raise ExportError("EX001", f"{type(step).__name__}: an unknown number of columns", expected="fixed")
    return int(last.dim_value)
