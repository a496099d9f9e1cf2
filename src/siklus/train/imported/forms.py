"""Which kind of model it is: each one comes to the same shape, from which it is proven and sealed."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from siklus.contract.columns import Contract, Label, Task
from siklus.contract.decode import Rows
from siklus.errors import ExportError
from siklus.table import Table
from siklus.train.graphs.names import library_name
from siklus.train.imported.asking import (
    Floats,
    ask_estimator,
    ask_lightgbm,
    ask_xgboost,
    asked,
    kind_of_model,
    task_of,
)
from siklus.train.imported.given import Given, classes_of, given_rows
from siklus.train.imported.graph_file import open_graph
from siklus.train.imported.learned import Learned
from siklus.train.imported.module import Module
from siklus.train.imported.sealable import Sealable
from siklus.train.imported.words import Known

XGBOOST_CLASSIFIES = ("binary:logistic", "multi:softprob", "multi:softmax")
LIGHTGBM_CLASSIFIES = ("binary", "multiclass")
NUMBERED = ("xgboost.XGBClassifier", "xgboost.XGBRFClassifier")  # they are fitted on numbers of classes only
UNNAMED = re.compile(r"Column_\d+")  # LightGBM's own names for the columns of an array


class Imported(Protocol):
    """A model that someone already has, with the rows that it was given.

    ``classes``: the model's own labels; None where it knows none. ``independent``: its answers come from
    the model itself and not from the very graph that would be sealed.
    """

    @property
    def kind(self) -> str: ...
    @property
    def task(self) -> Task: ...
    @property
    def classes(self) -> tuple[Label, ...] | None: ...
    @property
    def given(self) -> Given: ...
    @property
    def known(self) -> Known: ...
    @property
    def independent(self) -> bool: ...

    def answers(self, contract: Contract, rows: Rows) -> Floats:
        """The model's own answers for the given rows: probabilities (n, classes) or values (n,)."""

    def rounded_answers(self, contract: Contract, rows: Rows) -> Floats | None:
        """Likewise, once numbers are what float32 makes of them; None where that cannot be asked."""

    def graphs(self, contract: Contract, rows: Rows) -> Iterator[bytes]:
        """Its ONNX graphs, the likeliest first. ExportError when there is none."""

    def other_classes(self, reference: Floats) -> int:
        """For how many rows the model itself names another class than the first of the most probable."""

    def native(self, contract: Contract, rows: Rows) -> Sealable:
        """ExportError EX010 when no safe format holds it."""


def imported(model: Any, data: Any, *, task: Task | None, guessed: Task) -> Imported:
    """The model with the rows it is given. ``guessed``: what the target looks like, where nobody says.

    ExportError EX012 when it is no model that could be packaged, or does another task than ``task``.
    """
    if isinstance(model, str | bytes | Path) or library_name(model) == "onnx.ModelProto":
        return open_graph(model, given_rows(data, ()), task=task, guessed=guessed)
    if any(kind.__module__.startswith("torch.nn.") for kind in type(model).__mro__):
        return Module(model=model, task=task or guessed, given=given_rows(data, ()))
    make = BOOSTERS.get(library_name(model), _estimator)
    return make(model, data, task)


def _estimator(model: Any, data: Any, task: Task | None) -> Learned:
    if not hasattr(model, "predict"):
        raise ExportError(
            "EX012",
            f"{kind_of_model(model)} has no predict",
            expected="a fitted model of scikit-learn, XGBoost, LightGBM or PyTorch, or an ONNX file",
        )
    chosen = _agreed(task_of(model), task, model)
    ask = ask_estimator(model, chosen)
    names, name = tuple(map(str, getattr(model, "feature_names_in_", ()))), library_name(model)
    given = given_rows(data, names)
    return Learned(
        model=model,
        kind=kind_of_model(model),
        task=chosen,
        classes=None if chosen == "regression" or name in NUMBERED else classes_of(model),
        ask=ask,
        given=given,
        names=_names(names, given.table),
        predict=lambda rows: asked(model, "predict", rows),
    )


def _xgboost(model: Any, data: Any, task: Task | None) -> Learned:
    # Its own predict uses all trees; the best iteration is a mark that only scikit-learn's clothes heed.
    booster = model.copy()
    booster.set_attr(best_iteration=None)
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    found: Task = "classification" if objective in XGBOOST_CLASSIFIES else "regression"
    names = tuple(booster.feature_names or ())
    given = given_rows(data, names)
    return Learned(
        model=booster,
        kind="xgboost.Booster",
        task=_agreed(found, task, model),
        classes=None,
        ask=ask_xgboost(booster, objective),
        given=given,
        names=_names(names, given.table),
    )


def _lightgbm(model: Any, data: Any, task: Task | None) -> Learned:
    head = model.model_to_string(num_iteration=1).partition("\nTree=")[0]
    objective = next((line for line in head.splitlines() if line.startswith("objective=")), "objective=")
    name = objective.removeprefix("objective=").partition(" ")[0]
    found: Task = "classification" if name in LIGHTGBM_CLASSIFIES else "regression"
    names = tuple(name for name in model.feature_name() if not UNNAMED.fullmatch(name))
    given = given_rows(data, names)
    return Learned(
        model=model,
        kind="lightgbm.Booster",
        task=_agreed(found, task, model),
        classes=None,
        ask=ask_lightgbm(model, found),
        given=given,
        names=_names(names, given.table),
    )


BOOSTERS: Mapping[str, Callable[[Any, Any, Task | None], Learned]] = {
    "xgboost.Booster": _xgboost,
    "lightgbm.Booster": _lightgbm,
}


def _agreed(found: Task | None, asked: Task | None, model: Any) -> Task:
    if found is None and asked is None:
        what = f"{kind_of_model(model)} does not say whether it gives classes or numbers"
        raise ExportError("EX012", what, expected="task='classification' or task='regression'")
    if found is not None and asked is not None and found != asked:
        raise ExportError(
            "EX012", f"{kind_of_model(model)} is made for {found}", expected=f"no task {asked!r}"
        )
    chosen: Task = found or asked or "regression"
    return chosen


def _names(known: Sequence[str], table: Table) -> tuple[str, ...]:
    """The fitted columns' names; those of the table where the model knows none of them."""
    return tuple(known) if set(known) & set(table.names) else tuple(table.names)
