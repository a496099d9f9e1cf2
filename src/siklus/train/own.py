"""Candidates by name: those of Siklus, and a user's own estimator as `module:function`."""

import sys
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from siklus.contract.columns import Contract, Tensor, Text, kind_of
from siklus.errors import MissingExtra, TrainError
from siklus.extras import need
from siklus.features.prepare import dense
from siklus.train.candidates import CANDIDATES, Candidate, Parameters, Question

OWN_COMPLEXITY = 6  # nothing is known of it, so it has to win by more than chance


def find_candidate(name: str, *, root: Path) -> Candidate:
    """The candidate of this name; TrainError TN001 when there is none, TN002 when its code cannot be used."""
    if name in CANDIDATES:
        return CANDIDATES[name]
    if ":" not in name:
        known = ", ".join(CANDIDATES)
        raise TrainError("TN001", f"no candidate {name!r}", expected=f"one of {known}, or module:function")
    return Candidate(
        name=name,
        complexity=OWN_COMPLEXITY,
        space={},
        build=lambda question, parameters: _build_own(name, root, question, parameters),
    )


def refuse_unusable_columns(contract: Contract) -> None:
    """TN003 for columns that no candidate can use: they have inputs of their own, not slots in the matrix."""
    for column in contract.columns:
        if isinstance(column, Text | Tensor):
            raise TrainError(
                "TN003",
                f"column {column.name!r} is a {kind_of(column)}: no candidate can use it",
                expected="the column under `ignored`, or a model of your own by siklus.package",
            )
    if contract.width == 0:
        raise TrainError("TN003", "the contract has no column to learn from", expected="one column at least")


def own_source(name: str, *, root: Path) -> bytes:
    """The source of a user's own candidate, so that a change in it is a change of the training."""
    file = root / (name.partition(":")[0].replace(".", "/") + ".py")
    return file.read_bytes() if ":" in name and file.is_file() else b""


def _build_own(name: str, root: Path, question: Question, _parameters: Parameters) -> Any:
    module_name, _, function_name = name.partition(":")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        make = getattr(need(module_name, extra=module_name), function_name, None)
    except MissingExtra as exc:
        raise TrainError(
            "TN002", f"{name}: no module {module_name!r}", expected=f"{module_name}.py in {root}"
        ) from exc
    if not callable(make):
        raise TrainError(
            "TN002", f"{name}: no function {function_name!r}", expected="a function without arguments"
        )
    model = make()
    if not hasattr(model, "fit") or not hasattr(model, "predict_proba" if question.classify else "predict"):
        raise TrainError("TN002", f"{name}: gave {type(model).__name__}", expected="a scikit-learn estimator")
    # A pipeline prepares for itself and is given the decoded matrix; a bare estimator is prepared for.
    return (
        model
        if isinstance(model, Pipeline)
        else Pipeline([("prepare", dense(question.contract)), ("model", model)])
    )
