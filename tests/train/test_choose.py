"""The choice between candidates, on cases whose answer is known beforehand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from siklus.train.choose import Choice, best_of_each, choose
from siklus.train.search import Trial

COMPLEXITY = {"dummy": 0, "linear": 1, "hist-gradient-boosting": 3, "random-forest": 4, "mlp": 5}
ROWS = 200
TRUTH = np.linspace(-5, 5, ROWS)
NOISE = np.random.default_rng(0).normal(size=ROWS)

Floats = NDArray[np.float64]


def tried(candidate: str, predictions: Floats, *, number: int = 0, score: float | None = None) -> Trial:
    found = float(np.abs(TRUTH - predictions).mean()) if score is None else score
    return Trial(
        number=number, candidate=candidate, parameters={}, score=found, predictions=predictions, seconds=1.0
    )


def chosen(*trials: Trial, level: float = 0.05) -> Choice:
    board = best_of_each(trials, metric="mae")
    return choose(board, TRUTH, metric="mae", complexity=COMPLEXITY, level=level)


def test_the_leaderboard_has_the_best_trial_of_each_candidate_the_best_first() -> None:
    trials = [
        tried("linear", TRUTH + 2, number=0),
        tried("linear", TRUTH + 1, number=1),
        tried("random-forest", TRUTH + 0.5, number=2),
        Trial(number=3, candidate="mlp", parameters={}, why="ValueError: broken"),
    ]
    board = best_of_each(trials, metric="mae")
    assert [(trial.candidate, trial.number) for trial in board] == [("random-forest", 2), ("linear", 1)]


def test_where_more_is_better_the_largest_is_first() -> None:
    trials = [tried("linear", TRUTH, score=0.8), tried("random-forest", TRUTH, score=0.9)]
    board = best_of_each(trials, metric="roc_auc")
    assert [trial.candidate for trial in board] == ["random-forest", "linear"]


def test_a_simpler_candidate_that_is_as_good_is_preferred() -> None:
    # Both are wrong by as much on average: what the rows show is a toss-up.
    better = tried("random-forest", TRUTH + 1 + 0.5 * NOISE)
    simpler = tried("linear", TRUTH + 1.01 + 0.5 * NOISE[::-1])
    p = ttest_rel(np.abs(simpler.predictions - TRUTH), np.abs(better.predictions - TRUTH)).pvalue
    assert better.score < simpler.score
    assert p > 0.05
    choice = chosen(better, simpler)
    assert choice.trial is simpler
    assert f"p = {p:.3f} over 200 rows" in choice.why
    assert "linear" in choice.why
    assert "simpler than random-forest" in choice.why


def test_a_simpler_candidate_that_is_worse_is_not() -> None:
    better, simpler = tried("random-forest", TRUTH + 1), tried("linear", TRUTH + 1.5 + 0.2 * NOISE)
    assert ttest_rel(np.abs(simpler.predictions - TRUTH), np.abs(better.predictions - TRUTH)).pvalue < 1e-9
    choice = chosen(better, simpler)
    assert choice.trial is better
    assert choice.why.startswith("random-forest has the best mae, 1; next linear with 1.")


def test_the_level_decides() -> None:
    better = tried("random-forest", TRUTH + 1 + 0.5 * NOISE)
    simpler = tried("linear", TRUTH + 1.1 + 0.5 * NOISE[::-1])
    p = ttest_rel(np.abs(simpler.predictions - TRUTH), np.abs(better.predictions - TRUTH)).pvalue
    assert chosen(better, simpler, level=p * 1.01).trial is better
    assert chosen(better, simpler, level=p * 0.99).trial is simpler


def test_of_several_that_are_not_worse_the_simplest_is_chosen() -> None:
    trials = [
        tried("mlp", TRUTH + 1 + 0.5 * NOISE),
        tried("random-forest", TRUTH + 1.01 + 0.5 * NOISE[::-1]),
        tried("hist-gradient-boosting", TRUTH + 1.02 - 0.5 * NOISE),
        tried("linear", TRUTH + 3),
    ]
    assert chosen(*trials).trial.candidate == "hist-gradient-boosting"


def test_a_more_complex_candidate_is_never_preferred_for_being_no_worse() -> None:
    assert chosen(tried("linear", TRUTH + 1), tried("mlp", TRUTH + 1.0001)).trial.candidate == "linear"


def test_that_it_predicts_nothing_is_no_virtue_of_the_dummy() -> None:
    dummy, linear = tried("dummy", TRUTH + 1.01 + 0.5 * NOISE), tried("linear", TRUTH + 1 + 0.5 * NOISE[::-1])
    assert chosen(dummy, linear).trial.candidate == "linear"


def test_the_dummy_wins_where_nothing_beats_it() -> None:
    assert chosen(tried("dummy", TRUTH + 1), tried("linear", TRUTH + 2)).trial.candidate == "dummy"


def test_one_candidate_alone_is_chosen() -> None:
    assert chosen(tried("linear", TRUTH + 1)).why == "linear has the best mae, 1"


@pytest.mark.parametrize(("flips", "simpler_wins"), [((30, 28), True), ((30, 5), False)])
def test_classes_are_compared_by_the_rows_that_one_alone_gets_wrong(
    flips: tuple[int, int], simpler_wins: bool
) -> None:
    # McNemar's exact test: 30 against 28 is a toss-up (p 0.9), 30 against 5 is not (p 2e-5).
    truth = np.zeros(ROWS, dtype=np.int64)
    worse, better = flips

    def answers(wrong: slice) -> Floats:
        sure = np.tile([0.9, 0.1], (ROWS, 1))
        sure[wrong] = [0.1, 0.9]
        return sure

    simpler = tried("linear", answers(slice(0, worse)), score=1 - worse / ROWS)
    best = tried("random-forest", answers(slice(100, 100 + better)), score=1 - better / ROWS)
    board = best_of_each([simpler, best], metric="accuracy")
    choice = choose(board, truth, metric="accuracy", complexity=COMPLEXITY, level=0.05)
    assert (choice.trial is simpler) == simpler_wins
