"""The search: reproducible, fair to each candidate, and not to be stopped by one that fails."""

from pathlib import Path

import numpy as np
import pytest

from siklus.errors import TrainError
from siklus.train.candidates import CANDIDATES
from siklus.train.search import BASELINES, PRUNED
from tests.train.benches import Searched, told

COUNTING = """
from pathlib import Path
from sklearn.linear_model import LinearRegression

class Counting(LinearRegression):
    def fit(self, X, y):
        with Path({log!r}).open("a") as file:
            file.write("fitted\\n")
        {then}
        return super().fit(X, y)

def make():
    return Counting()
"""


@pytest.fixture
def searched(tmp_path: Path) -> Searched:
    return Searched(tmp_path)


def test_the_same_seed_gives_the_same_trials_with_any_number_of_processes(tmp_path: Path) -> None:
    found = []
    for jobs in (1, 2):
        (tmp_path / str(jobs)).mkdir()
        searched = Searched(tmp_path / str(jobs), rows=1200)
        found.append(searched.run("random-forest", jobs=jobs, trials=6, seed=3))
    assert told(found[0]) == told(found[1])
    assert {trial.candidate for trial in found[0]} == {*BASELINES, "random-forest"}


def test_another_seed_proposes_other_settings(tmp_path: Path) -> None:
    found = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        found.append(Searched(tmp_path / str(seed)).run(trials=8, seed=seed))
    first, second = ([trial.parameters for trial in trials[2:]] for trials in found)
    assert first != second


def test_each_candidate_starts_from_its_own_first_setting(searched: Searched) -> None:
    trials = searched.run("random-forest", "hist-gradient-boosting", trials=1)
    assert [trial.candidate for trial in trials] == [*BASELINES, "random-forest", "hist-gradient-boosting"]
    assert all(trial.parameters == CANDIDATES[trial.candidate].first for trial in trials)


def test_trials_are_counted_with_the_baselines_and_told_as_they_come(searched: Searched) -> None:
    trials = searched.run(trials=7)
    assert len(trials) == 7
    assert searched.heard == [(trial.number, trial.candidate, 7) for trial in trials]
    assert [trial.number for trial in trials] == list(range(7))


def test_the_clock_stops_new_waves_but_takes_no_candidates_first_chance(searched: Searched) -> None:
    names = ("random-forest", "extra-trees", "hist-gradient-boosting", "mlp")
    trials = searched.run(*names, trials=50, seconds=1e-9)
    assert {trial.candidate for trial in trials} == {*BASELINES, *names}
    assert len(trials) < 12


def test_a_hopeless_setting_is_pruned_on_a_part_of_the_rows(tmp_path: Path) -> None:
    trials = Searched(tmp_path, rows=2000).run(trials=24)
    pruned = [trial for trial in trials if trial.why.startswith(PRUNED)]
    assert pruned
    assert all(trial.score is None and trial.predictions is None and not trial.first for trial in pruned)


def test_a_candidate_that_fails_is_an_entry_and_no_error(searched: Searched) -> None:
    module = """
class Broken:
    def fit(self, X, y): raise ValueError("too few moons")
    def predict(self, X): ...
def make(): return Broken()
"""
    name = searched.own("broken_at_fit", module)
    trials = searched.run(name, trials=3)
    [failed] = [trial for trial in trials if trial.candidate == name]
    assert (failed.score, failed.why) == (None, "ValueError: too few moons")
    assert all(trial.score is not None for trial in trials if trial.candidate != name)


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("answers_wide", "np.zeros((len(X), 2))", "answers in the shape (60, 2)"),
        ("answers_short", "np.zeros(5)", "cannot reshape"),
        ("answers_nan", "np.full(len(X), np.nan)", "predictions are not finite"),
        ("answers_text", "['a'] * len(X)", "could not convert string"),
    ],
)
def test_an_answer_that_is_none_is_an_entry_too(searched: Searched, name: str, answer: str, why: str) -> None:
    module = f"""
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
class Odd(RegressorMixin, BaseEstimator):
    def fit(self, X, y): self.fitted_ = True; return self
    def predict(self, X): return {answer}
def make(): return Odd()
"""
    [failed] = [
        trial for trial in searched.run(searched.own(name, module)) if trial.candidate == f"{name}:make"
    ]
    assert failed.score is None
    assert why in failed.why


def test_when_every_trial_fails_the_first_reason_is_told(tmp_path: Path) -> None:
    # All rows that judge are of one class: an area under a curve is not defined there.
    searched = Searched(tmp_path, task="classification", metric="roc_auc", judged_target=1)
    with pytest.raises(TrainError, match="every trial failed: roc_auc is not defined") as caught:
        searched.run(trials=3)
    assert caught.value.code == "TN004"


def test_a_class_that_no_fitted_row_has_is_answered_with_probability_0(tmp_path: Path) -> None:
    searched = Searched(tmp_path, task="classification", metric="accuracy")
    module = """
from sklearn.naive_bayes import GaussianNB
class OfOne(GaussianNB):
    def fit(self, X, y): return super().fit(X[y == 1], y[y == 1])
def make(): return OfOne()
"""
    [trial] = [t for t in searched.run(searched.own("of_one_class", module)) if ":" in t.candidate]
    assert np.array_equal(trial.predictions, np.tile([0.0, 1.0], (60, 1)))


def test_what_was_fitted_before_an_interruption_is_not_fitted_again(searched: Searched) -> None:
    log = searched.folder / "log"
    stop = searched.folder / "stop"
    stop.touch()
    once = COUNTING.format(log=str(log), then="pass")
    then = f"if Path({str(stop)!r}).exists(): raise KeyboardInterrupt"
    names = [
        searched.own("counting_once", once),
        searched.own("counting_and_stopping", COUNTING.format(log=str(log), then=then)),
    ]
    with pytest.raises(KeyboardInterrupt):
        searched.run(*names)
    assert log.read_text().count("fitted") == 2
    stop.unlink()
    trials = searched.run(*names)
    assert log.read_text().count("fitted") == 3
    assert all(trial.score is not None for trial in trials if ":" in trial.candidate)


def test_a_candidate_whose_source_has_changed_is_fitted_again(searched: Searched) -> None:
    log = searched.folder / "log"
    name = searched.own("counting_change", COUNTING.format(log=str(log), then="pass"))
    for _ in range(2):
        searched.run(name)
    assert log.read_text().count("fitted") == 1
    searched.own("counting_change", COUNTING.format(log=str(log), then="pass") + "# mended\n")
    searched.run(name)
    assert log.read_text().count("fitted") == 2


@pytest.mark.slow
def test_a_process_that_dies_is_told_and_takes_nothing_along(searched: Searched) -> None:
    module = """
import os, signal
class Greedy:
    def fit(self, X, y): os.kill(os.getpid(), signal.SIGKILL)
    def predict(self, X): ...
def make(): return Greedy()
"""
    with pytest.raises(TrainError, match="a training process died") as caught:
        searched.run(searched.own("greedy", module), jobs=2)
    assert caught.value.code == "TN005"
