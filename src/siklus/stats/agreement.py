"""Agreement: how far one set of a model's answers is from another, and whether they count as the same."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.errors import ExportError
from siklus.stats.scores import Task

TOLERANCE = 1e-5

# A difference is never counted in less than a hundredth of the value: float32 rounds it by up to 6e-8 of
# its size, so an exact graph stays below 6e-6 even where the target hardly moves (the years 2012 to 2014).
OWN_SIZE = 0.01
FLOAT32_STEP = 2.0**-23  # between neighbouring float32 numbers at 1

Floats = NDArray[np.floating[Any]]
Places = NDArray[np.int64]


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


def agreement(
    answers: Floats,
    reference: Floats,
    *,
    task: Task,
    tolerance: float = TOLERANCE,
    known_spread: float | None = None,
) -> Parity:
    """Compare answers, probabilities or values, with ``reference`` row by row.

    ``known_spread``: the values' standard deviation where it is known, because these rows are few or strange;
    it then takes the place of their own, and of an answer's distance from their mean.
    Both of shape (N, classes), or (N,) or (N, 1) for values, N at least 1: ExportError EX006 otherwise. An
    answer that is not finite is infinitely far from one that is.
    """
    found, wanted = _by_row(answers), _by_row(reference)
    if found.shape != wanted.shape or not len(wanted):
        expected = f"{wanted.shape}, and one row at least"
        raise ExportError("EX006", f"answers of shape {found.shape}", expected=expected)
    differences = np.abs(found - wanted)
    differences[~np.isfinite(differences)] = np.inf
    if task == "classification":
        changed, ties = _other_classes(found, wanted)
        return _parity(differences, differences.max(axis=1), changed, ties, tolerance=tolerance)
    by_row = _per_spread(differences, wanted, known_spread).max(axis=1)
    return _parity(differences, by_row, 0, 0, tolerance=tolerance)


def agreement_on_chosen(
    answers: Floats, chosen: Places, probabilities: Floats, *, tolerance: float = TOLERANCE
) -> Parity:
    """Compare probabilities (N, classes) with what is known of others: the class that they chose, its own.

    ``chosen``: positions of classes, -1 where it is none of them. ``probabilities``: theirs. Both (N,).
    """
    found, rows = _by_row(answers), np.arange(len(answers))
    differences = np.abs(found[rows, chosen] - probabilities)
    differences[~np.isfinite(differences) | (chosen < 0)] = np.inf
    other = chosen != np.argmax(found, axis=1)
    equal = (chosen >= 0) & (found.max(axis=1) - found[rows, chosen] <= FLOAT32_STEP)
    changed, ties = int((other & ~equal).sum()), int((other & equal).sum())
    return _parity(differences, differences, changed, ties, tolerance=tolerance)


def _parity(differences: Floats, by_row: Floats, changed: int, ties: int, *, tolerance: float) -> Parity:
    return Parity(
        rows=len(by_row),
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


def _per_spread(differences: Floats, wanted: Floats, known: float | None) -> Floats:
    unit = OWN_SIZE * np.abs(wanted)
    if known is None:
        unit = np.maximum(unit, np.maximum(np.abs(wanted - np.mean(wanted)), np.std(wanted)))
    else:
        unit = np.maximum(unit, known)
    # 0 of 0 is no difference; anything of 0 is one without measure.
    with np.errstate(divide="ignore"):
        return np.divide(differences, unit, out=np.zeros_like(differences), where=differences > 0)
