"""The certificate that a graph answers as the model that it was written from."""

from typing import Any

import numpy as np

from siklus.bundle.runtime import onnx_runtime
from siklus.bundle.session import OUTPUTS
from siklus.contract.columns import Task
from siklus.errors import ExportError
from siklus.stats.agreement import TOLERANCE, Floats, Parity, agreement
from siklus.table import FloatRows

BATCH_ROWS = 4096  # at once through the graph, so that a million rows need no memory of their own


def certify(
    graph: bytes, rows: FloatRows, reference: Floats, *, task: Task, tolerance: float = TOLERANCE
) -> Parity:
    """Run the graph on rows and compare with ``reference``, the model's own answers for them.

    ``rows``: decoded rows (N, width), or whatever batch the graph's one input takes. ``reference``:
    probabilities of shape (N, classes), or values of shape (N,).

    ExportError EX005 when ONNX Runtime does not take the graph, EX006 when its answers have another
    shape. An answer that is not finite is infinitely far from one that is.
    """
    return agreement(_answers(graph, rows, task=task), reference, task=task, tolerance=tolerance)


def _answers(graph: bytes, rows: FloatRows, *, task: Task) -> Floats:
    """Float64, shape (N, classes) or (N, 1)."""
    session = _session(graph)
    (entry,) = session.get_inputs()
    matrix = np.ascontiguousarray(rows, dtype=np.float32)
    batches = [matrix[at : at + BATCH_ROWS] for at in range(0, max(len(matrix), 1), BATCH_ROWS)]
    answers = [session.run([OUTPUTS[task]], {entry.name: batch})[0] for batch in batches]
    return np.concatenate(answers).astype(np.float64)


def _session(graph: bytes) -> Any:
    ort = onnx_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime's own tree derives from Exception, one class a status
        why = str(exc).strip().splitlines()[0][:200]
        raise ExportError("EX005", why, expected="a graph that ONNX Runtime takes") from exc
