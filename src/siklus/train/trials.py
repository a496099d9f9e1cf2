"""Fitting: one job is one candidate on one fold, answered by its predictions of the rows held out."""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from siklus.errors import TrainError
from siklus.train.candidates import Parameters, Question
from siklus.train.own import find_candidate

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Positions of the rows that are fitted on, and of those that judge."""

    fitted: Places
    held: Places


@dataclass(frozen=True, kw_only=True)
class Job:
    question: Question
    candidate: str
    parameters: Parameters
    fold: Fold


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Predictions of the fold's held-out rows, or why there are none."""

    seconds: float
    predictions: Floats | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the decoded rows and targets lie (.npy files, mapped, not copied), and the user's own code."""

    matrix: Path
    target: Path
    root: Path


def fit_job(bench: Bench, job: Job) -> Outcome:
    """Fit on the fold and predict what it holds out. A candidate that raises is an outcome, not an error."""
    started = time.perf_counter()
    matrix = np.load(bench.matrix, mmap_mode="r")
    target = np.load(bench.target, mmap_mode="r")
    fitted, held = job.fold.fitted, job.fold.held
    try:
        model = fit(job.question, job.candidate, job.parameters, matrix[fitted], target[fitted], bench.root)
        # Even the last bits must not depend on how many processes share the machine.
        with threadpool_limits(1, user_api="blas"):
            predictions = predict(model, matrix[held], job.question)
    except Exception as exc:  # noqa: BLE001 - any candidate may raise anything; the leaderboard says what
        return Outcome(seconds=time.perf_counter() - started, failure=f"{type(exc).__name__}: {exc}")
    failure = "" if np.isfinite(predictions).all() else "predictions are not finite"
    return Outcome(
        seconds=time.perf_counter() - started, predictions=None if failure else predictions, failure=failure
    )


def fit(
    question: Question, candidate: str, parameters: Parameters, rows: Matrix, target: Any, root: Path
) -> Any:
    """A fitted model of the candidate. ``rows``: float32 (n, width); ``target``: class indices or numbers."""
    model = find_candidate(candidate, root=root).build(question, parameters)
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        # Libraries warn of what the leaderboard shows better: no convergence is a worse score.
        warnings.simplefilter("ignore")
        return model.fit(rows, target)


def predict(model: Any, rows: Matrix, question: Question) -> Floats:
    """Probabilities (n, classes), a column for each class of the contract, or numbers (n,); in float64.

    TrainError TN007 for answers of another shape.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = model.predict_proba(rows) if question.classify else model.predict(rows)
    found = np.asarray(raw, dtype=np.float64)
    classes = question.contract.target.classes
    if classes is None:
        found, wanted = found.reshape(len(rows), -1), (len(rows), 1)
    else:
        found, wanted = _of_all_classes(found, model, len(classes)), (len(rows), len(classes))
    if found.shape != wanted:
        kind = type(model).__name__
        raise TrainError("TN007", f"{kind} answers in the shape {found.shape}", expected=str(wanted))
    return found if question.classify else found[:, 0]


def _of_all_classes(found: Floats, model: Any, count: int) -> Floats:
    """A class that no fitted row had is answered with probability 0."""
    known = getattr(model, "classes_", None)
    if known is None or found.ndim != 2 or found.shape[1] != len(known) or len(known) == count:
        return found
    spread = np.zeros((len(found), count))
    spread[:, np.asarray(known, dtype=np.int64)] = found
    return spread
