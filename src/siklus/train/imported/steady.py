"""Cuts that lie on a value: kept on their side of it when the value is read as float32.

Histogram trees cut float64 values, and often at a value that was learned from, not between two. A
server reads that value as float32, a hair above or below, and half of such rows would take the other
branch. So each cut moves by that hair: every given row goes where it went before.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    """The model with its steps' cuts moved; the model itself where there is none that could be.

    ``raw``: the rows as the model takes them. ``rounded``: likewise, with numbers as float32 has them.
    """
    name = library_name(model)
    if name in SEARCHES:
        made = copy.copy(model)
        made.best_estimator_ = steady(model.best_estimator_, raw, rounded, table)
        return made
    if name != "sklearn.Pipeline":
        return _moved(model, _columns(table), _columns(table).astype(np.float32).astype(np.float64))
    if not any(library_name(step) in MOVERS for _, step in model.steps):
        return model
    made = copy.copy(model)
    made.steps = []
    for step_name, step in model.steps:
        made.steps.append((step_name, _moved(step, _numbers(raw), _numbers(rounded))))
        if len(made.steps) < len(model.steps) and step not in (None, "passthrough"):
            raw, rounded = asked(step, "transform", raw), asked(made.steps[-1][1], "transform", rounded)
    unchanged = all(old[1] is new[1] for old, new in zip(model.steps, made.steps, strict=True))
    return model if unchanged else made


@dataclass(frozen=True)
class Moves:
    """What rounding did to a column: its values in order, and how high (low) any that is not above (not
    below) each of them has come."""

    values: NDArray[Any]
    highest: NDArray[Any]
    lowest: NDArray[Any]

    @classmethod
    def of(cls, before: NDArray[Any], after: NDArray[Any]) -> "Moves":
        there = ~np.isnan(before)
        order = np.argsort(before[there], kind="stable")
        moved = after[there][order]
        return cls(
            before[there][order],
            np.concatenate([[-np.inf], np.maximum.accumulate(moved)]),
            np.concatenate([np.minimum.accumulate(moved[::-1])[::-1], [np.inf]]),
        )

    def kept_apart(self, cuts: NDArray[Any], *, below: bool = False) -> NDArray[Any]:
        """The cuts, moved as little as it takes: what was at most a cut (``below``: below it) still is.

        A cut stays where it was when no place keeps all values on their sides.

        >>> moves = Moves.of(np.array([0.1, 0.3]), np.array([0.1000001, 0.3]))
        >>> moves.kept_apart(np.array([0.1, 5.0]))
        array([0.1000001, 5.       ])
        """
        lefts = np.searchsorted(self.values, cuts, side="left" if below else "right")
        left, right = self.highest[lefts], self.lowest[lefts]
        if below:
            found = np.clip(cuts, np.nextafter(left, np.inf, dtype=left.dtype), right)
        else:
            found = np.clip(cuts, left, np.nextafter(right, -np.inf, dtype=right.dtype))
        kept: NDArray[Any] = np.where(left < right, found, cuts)
        return kept


def _moved(model: Any, before: NDArray[Any] | None, after: NDArray[Any] | None) -> Any:
    name = library_name(model)
    if name not in MOVERS or before is None or after is None or before.shape != after.shape:
        return model
    if name.startswith("xgboost."):  # it cuts float32 values, whatever it is given
        before, after = before.astype(np.float32), after.astype(np.float32)
    if np.array_equal(before, after, equal_nan=True):
        return model
    columns = range(before.shape[1])
    return MOVERS[name](model, [Moves.of(before[:, column], after[:, column]) for column in columns])


def _histogram(model: Any, moves: Sequence[Moves]) -> Any:
    """scikit-learn's histogram trees, which put categorical columns before the others inside."""
    made = copy.deepcopy(model)
    chosen = np.zeros(len(moves), dtype=bool) if model.is_categorical_ is None else model.is_categorical_
    places = np.concatenate([np.flatnonzero(chosen), np.flatnonzero(~np.asarray(chosen))])
    for iteration in made._predictors:  # noqa: SLF001 - scikit-learn shows its trees nowhere else
        for predictor in iteration:
            nodes = predictor.nodes
            splits = np.flatnonzero(~nodes["is_leaf"].astype(bool) & ~nodes["is_categorical"].astype(bool))
            columns = places[nodes["feature_idx"][splits]]
            cuts = nodes["num_threshold"]
            for column in np.unique(columns):
                here = splits[columns == column]
                cuts[here] = moves[column].kept_apart(cuts[here])
    return made


def _xgboost(model: Any, moves: Sequence[Moves]) -> Any:
    learner = json.loads(bytes(model.get_booster().save_raw("json")))
    for tree in learner["learner"]["gradient_booster"].get("model", {}).get("trees", []):
        cuts = np.array(tree["split_conditions"], dtype=np.float32)
        is_split = (np.array(tree["left_children"]) != LEAF) & (np.array(tree["split_type"]) == 0)
        columns = np.array(tree["split_indices"])
        for column in np.unique(columns[is_split]):
            here = np.flatnonzero(is_split & (columns == column))
            cuts[here] = moves[column].kept_apart(cuts[here], below=True)
        tree["split_conditions"] = cuts.astype(float).tolist()
    made = type(model)()  # no copy: that would load into the booster of the model that was given
    made.load_model(bytearray(json.dumps(learner, ensure_ascii=False).encode()))
    return made


def _bins(model: Any, moves: Sequence[Moves]) -> Any:
    made = copy.copy(model)
    made.bin_edges_ = model.bin_edges_.copy()
    for column, edges in enumerate(model.bin_edges_):
        inner = moves[column].kept_apart(edges[1:-1], below=True)
        made.bin_edges_[column] = np.concatenate([edges[:1], inner, edges[-1:]])
    return made


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


MOVERS: Mapping[str, Callable[[Any, Sequence[Moves]], Any]] = {
    **dict.fromkeys(HISTOGRAM_TREES, _histogram),
    "sklearn.KBinsDiscretizer": _bins,
    "xgboost.XGBClassifier": _xgboost,
    "xgboost.XGBRegressor": _xgboost,
}
