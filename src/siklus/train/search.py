"""The search: Optuna proposes, processes fit, held-out rows judge; same seed, same result.

Trials are proposed and told in waves of a fixed size, so that the result depends neither on how many
processes there are nor on which of them is quicker. Only the limit in seconds can cut a search short
at another place; it is looked at between waves.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from siklus.errors import TrainError
from siklus.project.sections import Train
from siklus.stats.scores import METRICS, score
from siklus.train.candidates import Candidate, Parameters, Question
from siklus.train.trials import Floats, Fold, Job, Outcome, Workers

WAVE = 4  # trials proposed together: enough to keep small machines busy, few enough to learn from
BASELINES = ("dummy", "linear")  # tried always and never pruned: everything else is measured against them


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One tried setting. ``score`` is of all held-out rows, and None when pruned or failed (``why`` says so)."""

    number: int
    candidate: str
    parameters: Parameters
    seconds: float = 0.0
    score: float | None = None
    why: str = ""
    predictions: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Held:
    """What trials are fitted on and judged by.

    ``screen``: a quarter of the first fold's rows, on which a hopeless setting is pruned cheaply.
    ``targets``: of the folds' held-out rows, one after the other.
    """

    screen: Fold
    folds: Sequence[Fold]
    target: NDArray[Any]

    @property
    def targets(self) -> NDArray[Any]:
        return np.concatenate([self.target[fold.held] for fold in self.folds])


Listener = Callable[[Trial, int], None]


def search(
    question: Question,
    held: Held,
    candidates: Sequence[Candidate],
    *,
    settings: Train,
    workers: Workers,
    listen: Listener,
) -> list[Trial]:
    """Try every candidate's first setting, then what Optuna proposes; all trials in order.

    TrainError TN004 when every trial failed, with the first reason.
    """
    study = _study(question, candidates, settings)
    total = max(settings.trials, len(candidates))
    until = time.monotonic() + settings.seconds
    trials: list[Trial] = []
    # The clock stops new waves only after each candidate has had its first chance.
    while len(trials) < total and (len(trials) < len(candidates) or time.monotonic() < until):
        for trial in _wave(study, question, held, candidates, workers, size=min(WAVE, total - len(trials))):
            trials.append(trial)
            listen(trial, total)
    if all(trial.score is None for trial in trials):
        raise TrainError("TN004", f"every trial failed: {trials[0].why}", expected="rows that a model can learn from")
    return trials


def _study(question: Question, candidates: Sequence[Candidate], settings: Train) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize" if METRICS[question.metric].greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=settings.seed, n_startup_trials=8),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    for candidate in candidates:
        first = {f"{candidate.name}.{key}": value for key, value in candidate.first.items()}
        study.enqueue_trial({"candidate": candidate.name, **first})
    return study


def _wave(
    study: optuna.Study, question: Question, held: Held, candidates: Sequence[Candidate], workers: Workers, *, size: int
) -> list[Trial]:
    by_name = {candidate.name: candidate for candidate in candidates}
    asked = [study.ask() for _ in range(size)]
    trials = []
    for ask in asked:
        candidate = by_name[ask.suggest_categorical("candidate", list(by_name))]
        trials.append(Trial(number=ask.number, candidate=candidate.name, parameters=candidate.draw(ask)))
    trials = _screened(asked, trials, question, held, workers)
    trials = _judged(trials, question, held, workers)
    for ask, trial in zip(asked, trials, strict=True):
        if trial.score is not None:
            study.tell(ask, trial.score)
        else:
            pruned = trial.why.startswith("pruned")
            study.tell(ask, state=optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.FAIL)
    return trials


def _screened(
    asked: Sequence[optuna.Trial], trials: Sequence[Trial], question: Question, held: Held, workers: Workers
) -> list[Trial]:
    outcomes = workers.fit([_job(question, trial, held.screen) for trial in trials])
    screened = []
    for ask, trial, outcome in zip(asked, trials, outcomes, strict=True):
        early = _score(question, held.target[held.screen.held], outcome.predictions)
        why = outcome.failure or ("" if early is not None else f"{question.metric} is not defined here")
        if early is not None:
            ask.report(early, step=0)
            if trial.candidate not in BASELINES and ask.should_prune():
                why = f"pruned: {question.metric} {early:.4g} on a quarter of the rows"
        screened.append(replace(trial, seconds=outcome.seconds, why=why))
    return screened


def _judged(trials: Sequence[Trial], question: Question, held: Held, workers: Workers) -> list[Trial]:
    jobs = [_job(question, trial, fold) for trial in trials if not trial.why for fold in held.folds]
    outcomes = iter(workers.fit(jobs))
    judged = []
    for trial in trials:
        if trial.why:
            judged.append(trial)
            continue
        parts = [next(outcomes) for _ in held.folds]
        judged.append(_joined(trial, parts, question, held))
    return judged


def _joined(trial: Trial, parts: Sequence[Outcome], question: Question, held: Held) -> Trial:
    seconds = trial.seconds + sum(part.seconds for part in parts)
    found = [part.predictions for part in parts if part.predictions is not None]
    if len(found) < len(parts):
        return replace(trial, seconds=seconds, why=next(part.failure for part in parts if part.failure))
    predictions = np.concatenate(found)
    value = _score(question, held.targets, predictions)
    why = "" if value is not None else f"{question.metric} is not defined on the held-out rows"
    return replace(trial, seconds=seconds, score=value, why=why, predictions=predictions)


def _job(question: Question, trial: Trial, fold: Fold) -> Job:
    return Job(question=question, candidate=trial.candidate, parameters=trial.parameters, fold=fold)


def _score(question: Question, targets: NDArray[Any], predictions: Floats | None) -> float | None:
    return None if predictions is None else score(question.metric, targets, predictions)
