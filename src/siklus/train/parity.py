"""The certificate that a graph answers as the model that it was written from."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.bundle.runtime import onnx_runtime
from siklus.bundle.session import OUTPUTS
from siklus.contract.columns import Task
from siklus.errors import ExportError

TOLERANCE = 1e-5
BATCH_ROWS = 4096  # at once through the graph, so that a million rows need no memory of their own

# A difference is never counted in less than a hundredth of the value: float32 rounds it by up to 6e-8 of
# its size, so an exact graph stays below 6e-6 even where the target hardly moves (the years 2012 to 2014).
OWN_SIZE = 0.01
FLOAT32_STEP = 2.0**-23  # between neighbouring float32 numbers at 1

FloatRows = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """How far a graph's answers are from the model's, over ``rows`` rows.

    ``max_difference`` and ``mean_difference``: of probabilities, or in the target's unit.
    ``relative``: the largest difference as the tolerance counts it. Of probabilities it is
    ``max_difference``; of values, each difference is divided by the largest of the standard deviation
    of the model's answers, this answer's distance from their mean, and a hundredth of its size.
    ``differing_classes``: rows whose first largest probability (scikit-learn's rule) is another class's,
    but for ``ties``: rows in which the model itself holds the two classes closer together than float32
    can tell, such as the halves of a forest's votes, added up in another order.
    ``rows_beyond``: rows whose difference, counted so, is beyond the tolerance.
    ``holds``: there is none, and not one row gets another class.
    """

    rows: int
    max_difference: float
    mean_difference: float
    relative: float
    differing_classes: int
    ties: int
    rows_beyond: int
    tolerance: float
    holds: bool


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


def agreement(answers: Floats, reference: Floats, *, task: Task, tolerance: float = TOLERANCE) -> Parity:
    """Compare answers, probabilities or values, with ``reference`` row by row. ExportError EX006 as above."""
    found, wanted = _by_row(answers), _by_row(reference)
    if found.shape != wanted.shape or not len(wanted):
        expected = f"{wanted.shape}, and one row at least"
        raise ExportError("EX006", f"answers of shape {found.shape}", expected=expected)
    differences = np.abs(found - wanted)
    differences[~np.isfinite(differences)] = np.inf
    if task == "classification":
        by_row = differences.max(axis=1)
        changed, ties = _other_classes(found, wanted)
    else:
        by_row = _per_spread(differences, wanted).max(axis=1)
        changed, ties = 0, 0
    return Parity(
        rows=len(wanted),
        max_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        relative=float(by_row.max()),
        differing_classes=changed,
        ties=ties,
        rows_beyond=int((by_row > tolerance).sum()),
        tolerance=tolerance,
        holds=bool(by_row.max() <= tolerance and changed == 0),
    )


def _by_row(answers: Floats) -> Floats:
    """Float64, shape (rows, classes) or (rows, 1)."""
    found = np.asarray(answers, dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found


def _other_classes(found: Floats, wanted: Floats) -> tuple[int, int]:
    """Rows that get another class, and rows that do so out of two that are equal to float32."""
    rows, chosen = np.arange(len(wanted)), np.argmax(found, axis=1)
    other = chosen != np.argmax(wanted, axis=1)
    equal = wanted.max(axis=1) - wanted[rows, chosen] <= FLOAT32_STEP
    return int((other & ~equal).sum()), int((other & equal).sum())


def _per_spread(differences: Floats, wanted: Floats) -> Floats:
    unit = np.maximum(np.abs(wanted - np.mean(wanted)), OWN_SIZE * np.abs(wanted))
    unit = np.maximum(unit, np.std(wanted))
    # 0 of 0 is no difference; anything of 0 is one without measure.
    with np.errstate(divide="ignore"):
        return np.divide(differences, unit, out=np.zeros_like(differences), where=differences > 0)


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
