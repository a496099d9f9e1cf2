"""How good is a model on rows that nothing was fitted on: whole, by slice, by class, and column by column."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Boolean, Category, Contract, Label
from siklus.stats.calibration import calibration
from siklus.stats.confusion import confusion_matrix
from siklus.stats.intervals import LEVEL, Estimate, estimate
from siklus.stats.losses import Floats, Truth
from siklus.stats.ranking import roc_curve
from siklus.stats.scores import METRICS, Task, names_of, score
from siklus.table import Cells, Table, is_missing

SLICED_WORDS = 20  # a column with more words than this is sliced only where a gate asks for it
FEWEST_SLICE_ROWS = 30  # below it an interval says little more than "somewhere"
CURVE_POINTS = 200  # more cannot be told apart in a picture
RESIDUAL_QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

# 20 columns then cost 200,000 predictions: seconds even for a large forest.
IMPORTANCE_ROWS = 2_000
IMPORTANCE_REPEATS = 5

Predict: TypeAlias = Callable[[NDArray[np.float32]], NDArray[Any]]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The rows in which a column has one value (None: missing). Too few of them have no ``metrics``."""

    label: Label | None
    rows: int
    metrics: dict[str, Estimate]

    @property
    def too_few_rows(self) -> bool:
        return not self.metrics


class Roc(msgspec.Struct, frozen=True, kw_only=True):
    """One class against the rest (of two classes only the second), at no more than 200 points."""

    label: Label
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


class CalibrationBins(msgspec.Struct, frozen=True, kw_only=True):
    """Per bin, ascending: the mean probability that was said, the share that came true, and the rows."""

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[int, ...]


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the metric gets worse when the column's cells are shuffled; ``std`` over the shuffles."""

    mean: float
    std: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured. ``slices`` by column, the largest first.

    Classification has ``classes``, ``confusion`` (rows counted by true class down, predicted class across),
    ``roc`` and ``calibration``; regression has ``residuals``, true minus predicted, by quantile (`"0.05"`).
    """

    task: Literal["classification", "regression"]
    rows: int
    level: float
    metrics: dict[str, Estimate]
    slices: dict[str, tuple[Slice, ...]]
    classes: tuple[Label, ...] | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    roc: tuple[Roc, ...] = ()
    calibration: CalibrationBins | None = None
    residuals: dict[str, float] | None = None
    importance: dict[str, Importance] = {}


def evaluate(
    y: Truth,
    predictions: NDArray[Any],
    *,
    task: Task,
    classes: Sequence[Label] | None,
    slices: Mapping[str, Cells],
    seed: int,
) -> Evaluation:
    """Judge predictions of at least one row.

    Classification: ``y`` class indices, shape (rows,), and probabilities, shape (rows, classes). Regression:
    two arrays of numbers, shape (rows,). ``slices``: by column, each row's value. Where predictions are not
    finite, every metric is undefined and there are no curves.
    """
    truth: Truth = y.astype(np.int64 if task == "classification" else np.float64)
    said = predictions.astype(np.float64)
    found = Evaluation(
        task=task,
        rows=len(truth),
        level=LEVEL,
        metrics=_metrics(truth, said, task=task, seed=seed),
        slices={name: _slices(truth, said, cells, task=task, seed=seed) for name, cells in slices.items()},
        classes=None if classes is None else tuple(classes),
    )
    if not np.isfinite(said).all():
        return found
    if task == "regression":
        return msgspec.structs.replace(found, residuals=_residuals(truth, said))
    return msgspec.structs.replace(
        found,
        confusion=tuple(tuple(row) for row in confusion_matrix(truth, said).tolist()),
        roc=_curves(truth, said, found.classes or ()),
        calibration=_calibration(truth, said),
    )


def slices_of(contract: Contract, table: Table, *, asked: Collection[str] = ()) -> Mapping[str, Cells]:
    """The columns to look at value by value: short vocabularies, booleans, and those that are asked for."""
    short = {
        column.name
        for column in contract.columns
        if isinstance(column, Boolean)
        or (isinstance(column, Category) and len(column.vocabulary) <= SLICED_WORDS)
    }
    return {name: table[name] for name in table if name in short or name in asked}


def importance(
    predict: Predict,
    matrix: NDArray[np.float32],
    y: Truth,
    groups: Mapping[str, Sequence[int]],
    *,
    metric: str,
    seed: int,
) -> dict[str, Importance]:
    """What each column is worth: its slots are shuffled together, five times, on at most 2,000 rows.

    (Breiman, Machine Learning 45, 2001.) ``predict`` maps rows like ``matrix``'s to what `evaluate` takes. A
    column without slots is left out; where the metric is undefined on the rows, the result is empty. Columns
    that say the same share their importance.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(matrix))[:IMPORTANCE_ROWS])
    sample, truth = np.asarray(matrix[rows]), y[rows]
    whole = score(metric, truth, predict(sample).astype(np.float64))
    if whole is None:
        return {}
    sign = 1.0 if METRICS[metric].greater_is_better else -1.0
    worth = {}
    for name, slots in groups.items():
        if not slots:
            continue
        shuffled = _shuffled(sample, slots, rng)
        scores = [
            score(metric, truth, part)
            for part in np.split(predict(shuffled).astype(np.float64), IMPORTANCE_REPEATS)
        ]
        lost = np.array([sign * (whole - value) for value in scores if value is not None])
        if len(lost):
            worth[name] = Importance(mean=float(lost.mean()), std=float(lost.std()))
    return worth


def _shuffled(
    sample: NDArray[np.float32], slots: Sequence[int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Copies of the sample, one under the other, in each of which the slots stem from other rows."""
    copies = np.tile(sample, (IMPORTANCE_REPEATS, 1))
    order = np.concatenate([rng.permutation(len(sample)) for _ in range(IMPORTANCE_REPEATS)])
    copies[:, slots] = sample[order][:, slots]
    return copies


def _metrics(y: Truth, predictions: Floats, *, task: Task, seed: int) -> dict[str, Estimate]:
    return {name: estimate(name, y, predictions, seed=seed) for name in names_of(task)}


def _slices(y: Truth, predictions: Floats, cells: Cells, *, task: Task, seed: int) -> tuple[Slice, ...]:
    found = []
    for label, rows in _rows_by_label(cells).items():
        enough = len(rows) >= FEWEST_SLICE_ROWS
        metrics = _metrics(y[rows], predictions[rows], task=task, seed=seed) if enough else {}
        found.append(Slice(label=label, rows=len(rows), metrics=metrics))
    return tuple(sorted(found, key=lambda part: (-part.rows, str(part.label))))


def _rows_by_label(cells: Cells) -> dict[Label | None, NDArray[np.int64]]:
    places: dict[Label | None, list[int]] = {}
    for i, (value, missing) in enumerate(zip(cells.tolist(), is_missing(cells).tolist(), strict=True)):
        places.setdefault(None if missing else _label(value), []).append(i)
    return {label: np.array(rows, dtype=np.int64) for label, rows in places.items()}


def _label(value: object) -> Label:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # integers with gaps come as floats
    return value if isinstance(value, str | int) else str(value)


def _residuals(y: Floats, predictions: Floats) -> dict[str, float]:
    quantiles = np.quantile(y - predictions, RESIDUAL_QUANTILES).tolist()
    return dict(zip(map(str, RESIDUAL_QUANTILES), quantiles, strict=True))


def _curves(y: Truth, probabilities: Floats, classes: Sequence[Label]) -> tuple[Roc, ...]:
    curves = []
    for i, label in enumerate(classes):
        of_two = len(classes) == 2 and i == 0
        if of_two or len(np.unique(y == i)) < 2:
            continue
        curve = roc_curve(y == i, probabilities[:, i], most=CURVE_POINTS)
        x, hits = curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist()
        curves.append(Roc(label=label, false_positive_rate=tuple(x), true_positive_rate=tuple(hits)))
    return tuple(curves)


def _calibration(y: Truth, probabilities: Floats) -> CalibrationBins:
    found = calibration(y, probabilities)
    return CalibrationBins(
        predicted=tuple(found.predicted.tolist()),
        observed=tuple(found.observed.tolist()),
        rows=tuple(found.rows.astype(int).tolist()),
    )
