"""Candidates by name: those of Siklus, and a user's own estimator as `module:function`."""

import sys
from collections.abc import Callable
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
    """The candidate of this name; TrainError TN001 when there is none. Nothing of the user's is run yet.

    ``root``: the folder from which a user's own modules are imported. Building such a candidate raises
    TrainError TN002 when its module, its function or what that returns cannot be used.
    """
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
    """The source of a user's own candidate, so that a change in it is a change of the training.

    Of the module that it names alone: what that imports is not followed.
    """
    module = root.joinpath(*name.partition(":")[0].split("."))
    files = [module.with_name(f"{module.name}.py"), module / "__init__.py"] if ":" in name else []
    return next((file.read_bytes() for file in files if file.is_file()), b"")


def import_own_from(root: Path) -> None:
    """Let a user's modules be found, also by what unpickles their classes."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))


def _build_own(name: str, root: Path, question: Question, _parameters: Parameters) -> Any:
    model = _made(name, root)
    answers = "predict_proba" if question.classify else "predict"
    for method in ("fit", answers):
        if not hasattr(model, method):
            kind = type(model).__name__
            raise TrainError(
                "TN002", f"{name}: gave {kind}, without {method}", expected="an estimator with it"
            )
    # A pipeline prepares for itself and is given the decoded matrix; a bare estimator is prepared for.
    if isinstance(model, Pipeline):
        return model
    return Pipeline([("prepare", dense(question.contract)), ("model", model)])


def _made(name: str, root: Path) -> Any:
    module_name, _, function_name = name.partition(":")
    import_own_from(root)
    try:
        make: Callable[[], Any] | None = getattr(need(module_name), function_name, None)
        if make is not None:
            return make()
    except MissingExtra as exc:
        raise TrainError(
            "TN002", f"{name}: no module {module_name!r}", expected=f"{module_name}.py in {root}"
        ) from exc
    except Exception as exc:  # importing and calling a user's code may raise anything
        raise TrainError(
            "TN002",
            f"{name}: {type(exc).__name__}: {exc}",
            expected=f"a function {function_name!r} that takes no arguments and gives an estimator",
        ) from exc
    raise TrainError(
        "TN002",
        f"{name}: no function {function_name!r}",
        expected=f"`def {function_name}():` in {module_name}",
    )
