"""Scores are scikit-learn's where it has them, and None where the rows do not define them."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as judge

from siklus.errors import ProjectError
from siklus.stats.calibration import calibration
from siklus.stats.losses import Classes, Floats
from siklus.stats.scores import METRICS, metric_named, names_of, score

Case = tuple[Classes, Floats]


def classification(rows: int, classes: int, *, seed: int) -> Case:
    """Probabilities with ties, and truths drawn from them, every class at least once."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.7), size=rows).round(2)
    probabilities[:, 0] = 1 - probabilities[:, 1:].sum(axis=1)
    probabilities = np.abs(probabilities) / np.abs(probabilities).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(classes, p=row) for row in probabilities])
    y[:classes] = np.arange(classes)
    return y, probabilities


def regression(rows: int, *, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    y = rng.normal(50, 10, size=rows)
    return y, y + rng.standard_t(4, size=rows)


def with_labels(function: Callable[..., float], **options: object) -> Callable[[Classes, Floats], float]:
    return lambda y, probabilities: function(y, probabilities.argmax(axis=1), **options)


def positive(function: Callable[..., float], **options: object) -> Callable[[Classes, Floats], float]:
    return lambda y, probabilities: function(y, probabilities[:, 1], **options)


def one_hot_precision(y: Classes, probabilities: Floats) -> float:
    return judge.average_precision_score(np.eye(probabilities.shape[1])[y], probabilities, average="macro")


def one_against_rest(y: Classes, probabilities: Floats) -> float:
    return judge.roc_auc_score(y, probabilities, multi_class="ovr", average="macro")


BINARY: dict[str, Callable[[Classes, Floats], float]] = {
    "accuracy": with_labels(judge.accuracy_score),
    "balanced_accuracy": with_labels(judge.balanced_accuracy_score),
    "f1": with_labels(judge.f1_score),
    "f1_macro": with_labels(judge.f1_score, average="macro"),
    "precision": with_labels(judge.precision_score),
    "recall": with_labels(judge.recall_score),
    "roc_auc": positive(judge.roc_auc_score),
    "pr_auc": positive(judge.average_precision_score),
    "log_loss": judge.log_loss,
    "brier": positive(judge.brier_score_loss),
}
SEVERAL: dict[str, Callable[[Classes, Floats], float]] = {
    **BINARY,
    "f1": BINARY["f1_macro"],
    "precision": with_labels(judge.precision_score, average="macro", zero_division=0),
    "recall": with_labels(judge.recall_score, average="macro", zero_division=0),
    "roc_auc": one_against_rest,
    "pr_auc": one_hot_precision,
    "brier": judge.brier_score_loss,
}
REGRESSION: dict[str, Callable[[Floats, Floats], float]] = {
    "mae": judge.mean_absolute_error,
    "rmse": judge.root_mean_squared_error,
    "r2": judge.r2_score,
    "mape": judge.mean_absolute_percentage_error,
    "median_absolute_error": judge.median_absolute_error,
    "p90_absolute_error": lambda y, p: float(np.quantile(np.abs(y - p), 0.9)),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BINARY)
def test_of_two_classes_as_scikit_learn(name: str, seed: int) -> None:
    y, probabilities = classification(200, 2, seed=seed)
    assert score(name, y, probabilities) == pytest.approx(BINARY[name](y, probabilities), abs=1e-12)


@pytest.mark.parametrize("classes", [3, 10])
@pytest.mark.parametrize("name", SEVERAL)
def test_of_several_classes_as_scikit_learn(name: str, classes: int) -> None:
    y, probabilities = classification(150, classes, seed=classes)
    assert score(name, y, probabilities) == pytest.approx(SEVERAL[name](y, probabilities), abs=1e-12)


@pytest.mark.parametrize("name", REGRESSION)
def test_of_numbers_as_scikit_learn(name: str) -> None:
    y, predictions = regression(301, seed=1)
    assert score(name, y, predictions) == pytest.approx(REGRESSION[name](y, predictions), rel=1e-12)


def test_every_metric_but_the_calibration_error_has_a_judge() -> None:
    assert {*BINARY, *REGRESSION} == METRICS.keys() - {"calibration_error"}


def test_the_calibration_error_of_two_known_bins() -> None:
    # 100 rows say 0.2 and 30 of them come true; 100 say 0.9 and 80 do: (0.1 + 0.1) / 2.
    said = np.repeat([0.2, 0.9], 100)
    y = np.concatenate([np.arange(100) < 30, np.arange(100) < 80]).astype(np.int64)
    assert score("calibration_error", y, np.column_stack([1 - said, said])) == pytest.approx(0.1)


def test_the_calibration_error_of_several_classes_looks_at_the_predicted_class() -> None:
    # Every row gives its first class 0.6, and is right in half of the cases.
    probabilities = np.tile([0.6, 0.3, 0.1], (100, 1))
    y = (np.arange(100) % 2).astype(np.int64)
    assert score("calibration_error", y, probabilities) == pytest.approx(0.1)


def test_calibration_bins_hold_about_equally_many_rows_in_any_order() -> None:
    y, probabilities = classification(3000, 2, seed=3)
    found = calibration(y, probabilities)
    assert len(found.rows) == 15
    assert found.rows.sum() == 3000
    assert found.rows.min() > 150  # of 200; two decimals of probability tie some rows together
    assert (np.diff(found.predicted) > 0).all()
    shuffled = np.random.default_rng(0).permutation(3000)
    again = calibration(y[shuffled], probabilities[shuffled])
    np.testing.assert_array_equal(again.rows, found.rows)
    np.testing.assert_allclose(again.observed, found.observed)


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1_macro", "roc_auc", "pr_auc"])
@pytest.mark.parametrize("classes", [2, 3])
def test_one_class_alone_leaves_it_undefined(name: str, classes: int) -> None:
    probabilities = np.full((20, classes), 1 / classes)
    assert score(name, np.zeros(20, dtype=np.int64), probabilities) is None


def test_what_needs_class_1_is_undefined_without_it() -> None:
    none_positive, said = np.zeros(3, dtype=np.int64), np.array([[0.4, 0.6], [0.9, 0.1], [0.8, 0.2]])
    assert [score(name, none_positive, said) for name in ("f1", "recall")] == [None, None]
    none_predicted = np.array([[0.9, 0.1]] * 3)
    assert score("precision", np.array([0, 1, 1]), none_predicted) is None
    assert score("f1", np.array([0, 1, 1]), none_predicted) == 0.0


@pytest.mark.parametrize(
    ("name", "y"),
    [("r2", [3.0, 3.0, 3.0]), ("mape", [0.0, 1.0, 2.0]), ("mape", [0.001, 1.0, 2.0])],
)
def test_a_truth_that_does_not_define_it(name: str, y: list[float]) -> None:
    assert score(name, np.array(y), np.ones(3)) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_predictions_that_are_not_finite_have_no_score(bad: float) -> None:
    assert score("mae", np.ones(2), np.array([1.0, bad])) is None


def test_what_does_not_fit_into_a_float_has_no_score() -> None:
    y, predictions = np.array([1e300, -1e300]), np.zeros(2)
    assert score("mae", y, predictions) == 1e300
    assert [score(name, y, predictions) for name in ("rmse", "r2")] == [None, None]


def test_the_first_maximum_is_the_predicted_class() -> None:
    tied = np.array([[0.5, 0.5], [0.5, 0.5]])
    assert score("accuracy", np.array([0, 0]), tied) == 1.0
    assert score("accuracy", np.array([1, 1]), tied) == 0.0


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 30), classes=st.integers(2, 4))
def test_no_rows_make_a_score_fail_or_leave_its_range(seed: int, rows: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, size=rows)
    certain = np.eye(classes)[rng.integers(0, classes, size=rows)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in names_of("classification"):
            found = score(name, y, certain)
            assert found is None or 0 <= found <= 40
        for name in names_of("regression"):
            found = score(name, y.astype(float), rng.normal(size=rows).round(1))
            assert found is None or np.isfinite(found)


def test_no_rows_at_all_have_no_score() -> None:
    for name in names_of("classification"):
        assert score(name, np.empty(0, dtype=np.int64), np.empty((0, 2))) is None


def test_a_misspelt_metric_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ProjectError, match=r"PJ010 .*'acuracy' is no metric of a classification.*'accuracy'"):
        metric_named("acuracy", task="classification", where="[gates]")


def test_a_metric_of_the_other_task_is_refused() -> None:
    with pytest.raises(ProjectError, match=r"PJ010 .*'mae' is no metric of a classification"):
        metric_named("mae", task="classification", where="[gates]")
    assert metric_named("mae", task="regression", where="[gates]").greater_is_better is False
