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
from siklus.train.trials import Floats, Fold, Job, Outcome
from siklus.train.workers import Workers

WAVE = 4  # trials proposed together: enough to keep small machines busy, few enough to learn from
BASELINES = ("dummy", "linear")  # tried always: everything else is measured against them
PRUNED = "pruned:"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One tried setting. ``score`` is of all held-out rows; None when pruned or failed, and ``why`` says so.

    ``first``: the setting that its candidate starts from. It is never pruned: candidates are compared by it.
    """

    number: int
    candidate: str
    parameters: Parameters
    first: bool = False
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
    tunable = [candidate for candidate in candidates if candidate.space]
    study = _study(question, tunable, settings)
    total = max(settings.trials, len(candidates)) if tunable else len(candidates)
    until = time.monotonic() + settings.seconds
    trials = [
        Trial(number=number, candidate=candidate.name, parameters={})
        for number, candidate in enumerate(candidate for candidate in candidates if not candidate.space)
    ]
    trials = _judged(trials, question, held, workers)
    for trial in trials:
        listen(trial, total)
    # The clock stops new waves only after each candidate has had its first chance.
    while len(trials) < total and (len(trials) < len(candidates) or time.monotonic() < until):
        asked = _asked(study, tunable, size=min(WAVE, total - len(trials)), start=len(trials))
        for trial in _wave(study, asked, question, held, workers):
            trials.append(trial)
            listen(trial, total)
    if all(trial.score is None for trial in trials):
        raise TrainError(
            "TN004", f"every trial failed: {trials[0].why}", expected="rows that a model can learn from"
        )
    return trials


def _study(question: Question, tunable: Sequence[Candidate], settings: Train) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize" if METRICS[question.metric].greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=settings.seed, n_startup_trials=8),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    for candidate in tunable:
        first = {f"{candidate.name}.{key}": value for key, value in candidate.first.items()}
        study.enqueue_trial({"candidate": candidate.name, **first})
    return study


def _asked(
    study: optuna.Study, tunable: Sequence[Candidate], *, size: int, start: int
) -> list[tuple[optuna.Trial, Trial]]:
    """What Optuna wants to know next, as our trials; the first settings come before its own ideas."""
    by_name = {candidate.name: candidate for candidate in tunable}
    asked = []
    for number in range(start, start + size):
        ask = study.ask()
        candidate = by_name[ask.suggest_categorical("candidate", list(by_name))]
        drawn = candidate.draw(ask)
        first = ask.number < len(tunable)
        asked.append((ask, Trial(number=number, candidate=candidate.name, parameters=drawn, first=first)))
    return asked


def _wave(
    study: optuna.Study,
    asked: Sequence[tuple[optuna.Trial, Trial]],
    question: Question,
    held: Held,
    workers: Workers,
) -> list[Trial]:
    trials = _judged(_screened(asked, question, held, workers), question, held, workers)
    for (ask, _), trial in zip(asked, trials, strict=True):
        if trial.score is not None:
            study.tell(ask, trial.score)
        else:
            pruned = trial.why.startswith(PRUNED)
            study.tell(ask, state=optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.FAIL)
    return trials


def _screened(
    asked: Sequence[tuple[optuna.Trial, Trial]], question: Question, held: Held, workers: Workers
) -> list[Trial]:
    """Fit each on the quarter; those that do worse than most others did are not fitted on the whole."""
    outcomes = workers.fit([_job(question, trial, held.screen) for _, trial in asked])
    screened = []
    for (ask, trial), outcome in zip(asked, outcomes, strict=True):
        early = _score(question, held.target[held.screen.held], outcome.predictions)
        why = outcome.failure or ("" if early is not None else f"{question.metric} is not defined here")
        if early is not None:
            ask.report(early, step=0)
            if not trial.first and ask.should_prune():
                why = f"{PRUNED} {question.metric} {early:.4g} on a quarter of the rows"
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
