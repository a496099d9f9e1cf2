"""An evaluation says how good a model is, whole and by slice, in figures that others can confirm."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as judge
from sklearn.linear_model import LinearRegression

from siklus.stats.intervals import estimate
from siklus.stats.scores import names_of
from siklus.train.evaluate import Evaluation, evaluate, importance

Rows = tuple[NDArray[np.int64], NDArray[np.float64]]


def binary(rows: int = 400, *, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    p = rng.random(rows)
    return (rng.random(rows) < p).astype(np.int64), np.column_stack([1 - p, p])


def judged(rows: Rows, **slices: NDArray[np.generic]) -> Evaluation:
    return evaluate(*rows, task="classification", classes=("no", "yes"), slices=slices, seed=0)


def test_every_metric_of_the_task_is_there_with_its_interval() -> None:
    y, probabilities = binary()
    found = judged((y, probabilities))
    assert list(found.metrics) == names_of("classification")
    assert found.metrics["roc_auc"] == estimate("roc_auc", y, probabilities, seed=0)
    assert (found.rows, found.level, found.classes) == (400, 0.95, ("no", "yes"))


def test_the_confusion_matrix_is_scikit_learns() -> None:
    y, probabilities = binary()
    expected = judge.confusion_matrix(y, probabilities.argmax(axis=1))
    assert np.array_equal(judged((y, probabilities)).confusion, expected)


def test_the_roc_curve_is_thinned_and_keeps_its_area() -> None:
    y, probabilities = binary(5000)
    [curve] = judged((y, probabilities)).roc
    assert curve.label == "yes"
    assert 100 < len(curve.true_positive_rate) <= 200
    assert (curve.false_positive_rate[0], curve.true_positive_rate[0]) == (0, 0)
    assert (curve.false_positive_rate[-1], curve.true_positive_rate[-1]) == (1, 1)
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert area == pytest.approx(judge.roc_auc_score(y, probabilities[:, 1]), abs=0.002)


def test_a_short_roc_curve_has_scikit_learns_corners() -> None:
    y, probabilities = binary(60)
    [curve] = judged((y, probabilities.round(1))).roc
    x, hits, _ = judge.roc_curve(y, probabilities.round(1)[:, 1], drop_intermediate=False)
    assert curve.false_positive_rate == pytest.approx(x)
    assert curve.true_positive_rate == pytest.approx(hits)


def test_several_classes_have_a_curve_each_but_for_one_that_never_occurs() -> None:
    rng = np.random.default_rng(1)
    y, probabilities = rng.integers(0, 3, size=90), rng.dirichlet(np.ones(4), size=90)
    found = evaluate(y, probabilities, task="classification", classes=(7, 8, 9, 10), slices={}, seed=0)
    assert [curve.label for curve in found.roc] == [7, 8, 9]
    assert found.confusion is not None
    assert found.confusion[3] == (0, 0, 0, 0)


def test_calibration_bins_count_every_row() -> None:
    found = judged(binary(3000, seed=1)).calibration
    assert found is not None
    assert sum(found.rows) == 3000
    assert found.observed == pytest.approx(found.predicted, abs=0.12)  # honest probabilities, 200 rows a bin


def test_residual_quantiles_are_true_minus_predicted() -> None:
    y = np.linspace(0, 100, 1001)
    found = evaluate(y, np.zeros(1001), task="regression", classes=None, slices={}, seed=0)
    assert found.residuals is not None
    assert (found.residuals["0.05"], found.residuals["0.5"]) == (pytest.approx(5), pytest.approx(50))
    assert (found.confusion, found.roc, found.calibration) == (None, (), None)


def test_a_slice_is_judged_as_if_it_stood_alone() -> None:
    y, probabilities = binary()
    origin = np.array(["JFK", "LGA", "EWR", "LGA"] * 100, dtype=object)
    found = judged((y, probabilities), origin=origin).slices["origin"]
    assert [(part.label, part.rows) for part in found] == [("LGA", 200), ("EWR", 100), ("JFK", 100)]
    alone = judged((y[origin == "JFK"], probabilities[origin == "JFK"]))
    assert found[2].metrics == alone.metrics


def test_a_slice_of_too_few_rows_says_so() -> None:
    carrier = np.array(["AA"] * 371 + ["OO"] * 29, dtype=object)
    large, small = judged(binary(), carrier=carrier).slices["carrier"]
    assert (large.label, large.too_few_rows) == ("AA", False)
    assert (small.label, small.rows, small.too_few_rows, small.metrics) == ("OO", 29, True, {})


def test_a_slice_with_one_class_only_has_what_is_defined_there() -> None:
    y, probabilities = binary()
    [*_, certain] = judged((y, probabilities), late=y == 1).slices["late"]
    assert certain.metrics["roc_auc"].value is None
    assert certain.metrics["log_loss"].value is not None


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (np.array([True, False] * 200), {True, False}),
        (np.array([1.0, np.nan] * 200), {1, None}),
        (np.array([3, 4] * 200), {3, 4}),
        (np.array(["a", None] * 200, dtype=object), {"a", None}),
        (np.array([0.5, 2.0] * 200), {"0.5", 2}),
        (np.array(["2013-01-01", "NaT"] * 200, dtype="datetime64[us]"), {"2013-01-01 00:00:00", None}),
    ],
)
def test_labels_are_plain_values_and_missing_is_none(cells: NDArray[np.generic], labels: set[object]) -> None:
    found = judged(binary(), column=cells)
    assert {part.label for part in found.slices["column"]} == labels
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


def test_an_evaluation_goes_through_json_unchanged() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=200)
    found = evaluate(y, y + 1, task="regression", classes=None, slices={"s": y > 0}, seed=0)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found
    classified = judged(binary(), s=np.arange(400) % 3)
    assert msgspec.json.decode(msgspec.json.encode(classified), type=Evaluation) == classified


def test_float32_predictions_are_judged_in_float64() -> None:
    y, probabilities = binary()
    narrow = probabilities.astype(np.float32)
    assert judged((y, narrow)) == judged((y, narrow.astype(np.float64)))


def test_the_same_seed_gives_the_same_evaluation() -> None:
    assert judged(binary()) == judged(binary())


def test_predictions_that_are_not_finite_leave_every_metric_undefined() -> None:
    y = np.arange(50.0)
    said = np.where(y == 7, np.inf, y)
    found = evaluate(y, said, task="regression", classes=None, slices={}, seed=0)
    assert {estimate.value for estimate in found.metrics.values()} == {None}
    assert found.residuals is None
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_handful_of_rows_is_judged_without_failing(rows: int) -> None:
    assert judged(binary(rows)).rows == rows
    y = np.arange(float(rows))
    assert evaluate(y, y, task="regression", classes=None, slices={}, seed=0).metrics["mae"].value == 0


def linear(rows: int = 3000) -> tuple[NDArray[np.float32], NDArray[np.float64], LinearRegression]:
    """y = 3·a + 1·b, beside which c says nothing; a has two slots, which only together are a."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(rows, 4)).astype(np.float32)
    y = 3 * (matrix[:, 0] + matrix[:, 1]) / np.sqrt(2) + matrix[:, 2] + 0.0
    return matrix, y.astype(np.float64), LinearRegression().fit(matrix, y)


GROUPS = {"a": [0, 1], "b": [2], "c": [3], "text": []}


def test_importance_is_what_shuffling_costs() -> None:
    matrix, y, model = linear()
    found = importance(model.predict, matrix, y, GROUPS, metric="rmse", seed=0)
    # Shuffling x in y = w·x adds an error of variance 2·w², x having variance 1.
    assert found["a"].mean == pytest.approx(3 * np.sqrt(2), rel=0.05)
    assert found["b"].mean == pytest.approx(np.sqrt(2), rel=0.05)
    assert found["c"].mean == pytest.approx(0, abs=1e-5)
    assert 0 < found["a"].std < 0.2
    assert "text" not in found


def test_a_metric_where_more_is_better_loses_by_falling() -> None:
    matrix, y, model = linear()
    found = importance(model.predict, matrix, y, GROUPS, metric="r2", seed=0)
    # R² falls by 2·w² over the variance of y, which is 9 + 1.
    assert found["a"].mean == pytest.approx(1.8, rel=0.05)


def test_importance_leaves_the_rows_as_they_were_and_repeats_itself() -> None:
    matrix, y, model = linear()
    before = matrix.copy()
    first = importance(model.predict, matrix, y, GROUPS, metric="mae", seed=5)
    assert np.array_equal(matrix, before)
    assert importance(model.predict, matrix, y, GROUPS, metric="mae", seed=5) == first
    assert importance(model.predict, matrix, y, GROUPS, metric="mae", seed=6) != first


def test_importance_asks_for_a_bounded_number_of_predictions() -> None:
    matrix, y, model = linear(rows=20_000)
    asked: list[int] = []

    def counting(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        asked.append(len(rows))
        return model.predict(rows)

    importance(counting, matrix, y, GROUPS, metric="mae", seed=0)
    assert asked == [2_000, 10_000, 10_000, 10_000]


def test_importance_is_empty_where_the_metric_is_undefined() -> None:
    matrix = np.zeros((50, 1), dtype=np.float32)
    found = importance(
        lambda rows: np.full((len(rows), 2), 0.5),
        matrix,
        np.zeros(50, dtype=np.int64),
        {"a": [0]},
        metric="roc_auc",
        seed=0,
    )
    assert found == {}
