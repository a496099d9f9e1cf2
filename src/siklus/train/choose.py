"""The choice: the best trial, unless a simpler candidate is not significantly worse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from siklus.stats.paired import paired_difference, row_losses
from siklus.stats.scores import METRICS
from siklus.train.search import Trial
from siklus.train.trials import Floats


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The trial that is refitted, and the sentence that says why it and not another."""

    trial: Trial
    why: str


def best_of_each(trials: Sequence[Trial], *, metric: str) -> list[Trial]:
    """The leaderboard: each candidate's best judged trial, the best first."""
    sign = -1.0 if METRICS[metric].greater_is_better else 1.0
    best: dict[str, Trial] = {}
    for trial in trials:
        if trial.score is not None and _better(trial, best.get(trial.candidate), sign):
            best[trial.candidate] = trial
    return sorted(best.values(), key=lambda trial: (sign * (trial.score or 0.0), trial.number))


def choose(
    leaderboard: Sequence[Trial],
    targets: NDArray[Any],
    *,
    metric: str,
    complexity: Mapping[str, int],
    level: float,
) -> Choice:
    """The simplest candidate whose held-out rows do not show it to be worse than the best.

    Paired on the same rows: at ``level``, the mean difference of the losses of each row. The dummy is
    never preferred for its simplicity: that it predicts nothing is no virtue.
    """
    best = leaderboard[0]
    losses = row_losses(metric, targets, _predictions(best))
    simpler = [
        trial
        for trial in leaderboard[1:]
        if complexity[trial.candidate] < complexity[best.candidate] and trial.candidate != "dummy"
    ]
    for trial in sorted(simpler, key=lambda trial: complexity[trial.candidate]):
        difference = paired_difference(
            row_losses(metric, targets, _predictions(trial)), losses, level=1 - level
        )
        if difference.p > level or difference.mean <= 0:
            why = (
                f"{trial.candidate} ({metric} {trial.score:.4g}) is simpler than {best.candidate} "
                f"({best.score:.4g}), and not significantly worse: "
                f"p = {difference.p:.3f} over {len(targets):,} rows"
            )
            return Choice(trial=trial, why=why)
    runner_up = (
        f"; next {leaderboard[1].candidate} with {leaderboard[1].score:.4g}" if len(leaderboard) > 1 else ""
    )
    return Choice(trial=best, why=f"{best.candidate} has the best {metric}, {best.score:.4g}{runner_up}")


def _better(trial: Trial, other: Trial | None, sign: float) -> bool:
    return other is None or other.score is None or sign * (trial.score or 0.0) < sign * other.score


def _predictions(trial: Trial) -> Floats:
    assert trial.predictions is not None  # noqa: S101 - only judged trials are on the leaderboard
    return trial.predictions
