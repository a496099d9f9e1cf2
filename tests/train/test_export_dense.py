"""Preparations, linear models and networks in ONNX answer as scikit-learn's own."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.ensemble import HistGradientBoostingRegressor as Histogram
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

from tests.train.decoded import (
    FLAG,
    NUMBERS,
    VOCABULARIES,
    WORDS,
    class_target,
    decoded_rows,
    number_target,
    proof,
)

# float32 products, in scikit-learn or in the graph; an answer that hardly varies is rounded by as much.
ROUNDING = 6e-6

one_hot = OneHotEncoder(
    categories=[np.arange(size, dtype=np.float32) for size in VOCABULARIES],
    handle_unknown="ignore",
    sparse_output=False,
    dtype=np.float32,
)
dense = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        ("words", make_pipeline(SimpleImputer(strategy="constant", fill_value=-2.0), one_hot), WORDS),
        ("flag", SimpleImputer(strategy="most_frequent"), FLAG),
    ],
    sparse_threshold=0,
)
small_network = {"hidden_layer_sizes": (16, 8), "max_iter": 40, "random_state": 0, "tol": 1.0}

REGRESSORS = [
    LinearRegression(),
    Ridge(),
    ElasticNet(alpha=0.01),
    HuberRegressor(max_iter=1000),
    PoissonRegressor(),
    GammaRegressor(),
    DummyRegressor(),
    DummyRegressor(strategy="quantile", quantile=0.9),
    MLPRegressor(**small_network),
    MLPRegressor(**small_network, activation="tanh"),
    GradientBoostingRegressor(n_estimators=10),
]
CLASSIFIERS = [
    LogisticRegression(max_iter=1000),
    DummyClassifier(strategy="prior"),
    DummyClassifier(strategy="most_frequent"),
    DummyClassifier(strategy="uniform"),
    DummyClassifier(strategy="constant", constant=1),
    SGDClassifier(loss="log_loss", random_state=0),
    MLPClassifier(**small_network),
    MLPClassifier(**small_network, activation="logistic"),
    GradientBoostingClassifier(n_estimators=10),
]


def name_of(model: Any) -> str:
    return str(type(model).__name__)


@pytest.mark.parametrize("model", REGRESSORS, ids=name_of)
def test_numbers_after_a_preparation(model: Any) -> None:
    rows = decoded_rows(600, seed=1)
    whole = Pipeline([("prepare", clone(dense)), ("model", clone(model))]).fit(rows, number_target(rows))
    held = proof(whole, decoded_rows(600, seed=2, unseen=True), "regression")
    assert held.relative < ROUNDING


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=name_of)
def test_classes_after_a_preparation(model: Any, classes: int) -> None:
    rows = decoded_rows(600, seed=1)
    whole = Pipeline([("prepare", clone(dense)), ("model", clone(model))])
    whole.fit(rows, class_target(rows, classes=classes))
    held = proof(whole, decoded_rows(600, seed=2, unseen=True), "classification")
    assert held.holds
    assert held.relative < ROUNDING


PREPARATIONS = {
    "indicator": SimpleImputer(add_indicator=True),
    "mean": SimpleImputer(strategy="mean"),
    "marks beside": FeatureUnion([("fill", SimpleImputer()), ("gaps", MissingIndicator(features="all"))]),
    "drop and rest": ColumnTransformer(
        [("gone", "drop", [0]), ("kept", "passthrough", [1, 5])], remainder=SimpleImputer()
    ),
    "standard": make_pipeline(SimpleImputer(), StandardScaler()),
    "no mean": make_pipeline(SimpleImputer(), StandardScaler(with_mean=False)),
    "robust": make_pipeline(SimpleImputer(), RobustScaler()),
    "largest": make_pipeline(SimpleImputer(), MaxAbsScaler()),
    "between": make_pipeline(SimpleImputer(), MinMaxScaler((-1, 2))),
    "clipped": make_pipeline(SimpleImputer(), MinMaxScaler(clip=True)),
    "one hot of gaps": ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS)]
    ),
    "unchanged": make_pipeline(FunctionTransformer(), "passthrough", SimpleImputer()),
}


@pytest.mark.parametrize("preparation", PREPARATIONS.values(), ids=PREPARATIONS.keys())
def test_a_tree_behind_a_preparation_meets_the_very_same_numbers(preparation: Any) -> None:
    # A full tree has a threshold between any two values, so a last bit that differs shows.
    rows = decoded_rows(500, seed=1)
    whole = make_pipeline(clone(preparation), DecisionTreeRegressor(random_state=0))
    whole.fit(rows, number_target(rows))
    assert proof(whole, rows, "regression").relative < ROUNDING


def test_a_step_of_skl2onnx_stands_between_two_of_ours() -> None:
    rows = decoded_rows(500, seed=1)
    whole = make_pipeline(clone(dense), PCA(4), Ridge()).fit(rows, number_target(rows))
    assert proof(whole, rows, "regression").holds


def test_histogram_boosting_behind_a_preparation() -> None:
    rows = decoded_rows(500, seed=1)
    whole = make_pipeline(clone(dense), Histogram(max_iter=10)).fit(rows, number_target(rows))
    assert proof(whole, decoded_rows(500, seed=2, unseen=True), "regression").relative < ROUNDING


@pytest.mark.parametrize(
    "target",
    [
        {"func": np.log1p, "inverse_func": np.expm1},
        {"func": np.log, "inverse_func": np.exp},
        {"transformer": StandardScaler()},
    ],
    ids=["log1p", "log", "scaled"],
)
def test_an_answer_comes_back_to_the_scale_of_the_target(target: dict[str, Any]) -> None:
    rows = decoded_rows(500, seed=1)
    inner = TransformedTargetRegressor(Histogram(max_iter=10), **target)
    assert proof(inner.fit(rows, number_target(rows)), rows, "regression").relative < ROUNDING


def test_a_search_is_written_as_its_best_model() -> None:
    rows = decoded_rows(300, seed=1)
    found = GridSearchCV(Histogram(max_iter=5), {"max_leaf_nodes": [3, 9]}, cv=2)
    assert proof(found.fit(rows, number_target(rows)), rows, "regression").relative < ROUNDING


def test_a_column_without_a_single_value_is_left_out_or_kept_as_scikit_learn_does() -> None:
    rows = decoded_rows(200, seed=1)
    rows[:, 2] = np.nan
    kept = make_pipeline(SimpleImputer(keep_empty_features=True), Ridge()).fit(rows, number_target(rows))
    assert proof(kept, rows, "regression").relative < ROUNDING
