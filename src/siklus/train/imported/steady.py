"""Cuts that lie on a value: kept on their side of it when the value is read as float32.

Histogram trees cut float64 values, and often at a value that was learned from, not between two. A
server reads that value as float32, a hair above or below, and half of such rows would take the other
branch. So each cut moves by that hair: every given row goes where it went before.
"""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siklus.table import Table
from siklus.train.export import SEARCHES
from siklus.train.graphs.names import library_name
from siklus.train.imported.asking import Floats, asked
from siklus.train.imported.steps import HISTOGRAM_TREES

LEAF = -1


def steady(model: Any, raw: Any, rounded: Any, table: Table) -> Any:
    """The model with its last step's cuts moved; the model itself where it has none that could be.

    ``raw``: the rows as the model takes them. ``rounded``: likewise, with numbers as float32 has them.
    """
    name = library_name(model)
    if name in SEARCHES:
        made = copy.copy(model)
        made.best_estimator_ = steady(model.best_estimator_, raw, rounded, table)
        return made
    if name != "sklearn.Pipeline":
        return _moved(model, _columns(table), _columns(table).astype(np.float32).astype(np.float64))
    if len(model.steps) == 1 or library_name(model[-1]) not in MOVERS:
        return model
    before, after = (_numbers(asked(model[:-1], "transform", rows)) for rows in (raw, rounded))
    if before is None or after is None or before.shape != after.shape:
        return model
    made = copy.copy(model)
    made.steps = [*model.steps[:-1], (model.steps[-1][0], _moved(model[-1], before, after))]
    return made


def kept_apart(cuts: Floats, before: Floats, after: Floats, *, below: bool = False) -> Floats:
    """The cuts of one column, moved as little as it takes: a value ``before`` goes left when it is at most
    the cut (``below``: when it is below it), and what became of it ``after`` goes the same way.

    A cut stays where it was when no place keeps all values on their sides.

    >>> kept_apart(np.array([0.1, 5.0]), np.array([0.1, 0.3]), np.array([0.1000001, 0.3]))
    array([0.1000001, 5.       ])
    """
    there = ~np.isnan(before)
    order = np.argsort(before[there], kind="stable")
    values, moved = before[there][order], after[there][order]
    lefts = np.searchsorted(values, cuts, side="left" if below else "right")
    lowest = np.concatenate([[-np.inf], np.maximum.accumulate(moved)])[lefts]
    highest = np.concatenate([np.minimum.accumulate(moved[::-1])[::-1], [np.inf]])[lefts]
    if below:
        found = np.clip(cuts, np.nextafter(lowest, np.inf), highest)
    else:
        found = np.clip(cuts, lowest, np.nextafter(highest, -np.inf))
    kept: Floats = np.where(lowest < highest, found, cuts)
    return kept


def _moved(model: Any, before: Floats, after: Floats) -> Any:
    move = MOVERS.get(library_name(model))
    return model if move is None else move(model, before, after)


def _histogram(model: Any, before: Floats, after: Floats) -> Any:
    """scikit-learn's histogram trees, which put categorical columns before the others inside."""
    made = copy.deepcopy(model)
    chosen = np.zeros(before.shape[1], dtype=bool) if model.is_categorical_ is None else model.is_categorical_
    places = np.concatenate([np.flatnonzero(chosen), np.flatnonzero(~np.asarray(chosen))])
    for iteration in made._predictors:  # noqa: SLF001 - scikit-learn shows its trees nowhere else
        for predictor in iteration:
            nodes = predictor.nodes
            splits = np.flatnonzero(~nodes["is_leaf"].astype(bool) & ~nodes["is_categorical"].astype(bool))
            columns = places[nodes["feature_idx"][splits]]
            nodes["num_threshold"][splits] = _each(columns, nodes["num_threshold"][splits], before, after)
    return made


def _xgboost(model: Any, before: Floats, after: Floats) -> Any:
    """XGBoost cuts float32 values, so only what a preparation made of them can have moved."""
    learner = json.loads(bytes(model.get_booster().save_raw("json")))
    for tree in learner["learner"]["gradient_booster"].get("model", {}).get("trees", []):
        cuts = np.array(tree["split_conditions"], dtype=np.float32).astype(np.float64)
        is_split = np.array(tree["left_children"]) != LEAF
        splits = np.flatnonzero(is_split & (np.array(tree["split_type"]) == 0))
        columns = np.array(tree["split_indices"])[splits]
        narrow = before.astype(np.float32), after.astype(np.float32)
        cuts[splits] = _each(columns, cuts[splits], *narrow, below=True)
        tree["split_conditions"] = cuts.astype(np.float32).astype(float).tolist()
    made = copy.copy(model)
    made.load_model(bytearray(json.dumps(learner).encode()))
    return made


def _each(
    columns: NDArray[np.integer[Any]],
    cuts: Floats,
    before: NDArray[Any],
    after: NDArray[Any],
    *,
    below: bool = False,
) -> Floats:
    found = np.array(cuts, dtype=before.dtype)
    for column in np.unique(columns):
        here = columns == column
        found[here] = kept_apart(found[here], before[:, column], after[:, column], below=below)
    return found


def _columns(table: Table) -> Floats:
    """All columns as numbers; those that are none as missing."""
    numbers = [
        cells.astype(np.float64) if cells.dtype.kind in "biuf" else np.full(len(table), np.nan)
        for cells in table.columns.values()
    ]
    return np.column_stack(numbers)


def _numbers(prepared: Any) -> Floats | None:
    dense = prepared.toarray() if hasattr(prepared, "toarray") else prepared
    try:
        return np.asarray(dense, dtype=np.float64)
    except (TypeError, ValueError):  # a frame that still has words
        return None


MOVERS: Mapping[str, Callable[[Any, Floats, Floats], Any]] = {
    **dict.fromkeys(HISTOGRAM_TREES, _histogram),
    "xgboost.XGBClassifier": _xgboost,
    "xgboost.XGBRegressor": _xgboost,
}
