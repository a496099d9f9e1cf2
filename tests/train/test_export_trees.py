"""Trees in ONNX answer as scikit-learn's own, missing values, unseen categories and ties included."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from siklus.errors import ExportError
from siklus.train.export import to_onnx
from siklus.train.graphs.graph import Graph
from siklus.train.graphs.trees import MOST_NODES, Tree, add_trees
from tests.train.decoded import WORDS, class_target, decoded_rows, float32_steps, number_target, proof

FORESTS = [
    RandomForestClassifier(15, random_state=0),
    RandomForestClassifier(15, min_samples_leaf=4, max_features=None, random_state=0),
    ExtraTreesClassifier(15, min_samples_leaf=2, random_state=0),
    DecisionTreeClassifier(max_depth=6, random_state=0),
]
FOREST_REGRESSORS = [
    RandomForestRegressor(15, random_state=0),
    ExtraTreesRegressor(15, min_samples_leaf=2, random_state=0),
    DecisionTreeRegressor(min_samples_leaf=3, random_state=0),
    ExtraTreeRegressor(random_state=0),
]
LOSSES = ["squared_error", "absolute_error", "gamma", "poisson", "quantile"]


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("model", FORESTS, ids=lambda model: type(model).__name__)
def test_a_forest_sends_missing_values_the_way_it_learned(model: Any, classes: int, missing: float) -> None:
    rows = decoded_rows(400, seed=1, missing=missing)
    fitted = model.fit(rows, class_target(rows, classes=classes))
    fresh = decoded_rows(400, seed=2, missing=missing, unseen=True)
    assert proof(fitted, fresh, "classification").holds
    assert float32_steps(fitted, fresh, "classification") <= 1


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("model", FOREST_REGRESSORS, ids=lambda model: type(model).__name__)
def test_a_forest_of_numbers_does_too(model: Any, missing: float) -> None:
    rows = decoded_rows(400, seed=1, missing=missing)
    fitted = model.fit(rows, number_target(rows))
    fresh = decoded_rows(400, seed=2, missing=missing, unseen=True)
    assert float32_steps(fitted, fresh, "regression") <= 1


def test_a_missing_value_that_training_never_met_takes_the_same_branch() -> None:
    rows = decoded_rows(400, seed=1, missing=0.0)
    model = HistGradientBoostingRegressor(max_iter=20, categorical_features=WORDS).fit(
        rows, number_target(rows)
    )
    assert float32_steps(model, decoded_rows(400, seed=2, missing=0.5), "regression") <= 1


def test_trees_that_vote_half_and_half_tie_as_in_scikit_learn() -> None:
    rows = decoded_rows(300, seed=3, missing=0.0)
    target = np.random.default_rng(0).integers(0, 2, len(rows))  # noise: half of the votes are close
    model = RandomForestClassifier(4, max_depth=None, random_state=0).fit(rows, target)
    fresh = decoded_rows(2000, seed=4, missing=0.0)
    ties = (model.predict_proba(fresh)[:, 0] == 0.5).sum()
    assert ties > 100
    assert proof(model, fresh, "classification").differing_classes == 0


@pytest.mark.parametrize("named", [True, False], ids=["categorical", "all numeric"])
@pytest.mark.parametrize("classes", [2, 4])
def test_histogram_boosting_of_classes(classes: int, named: bool) -> None:
    rows = decoded_rows(800, seed=1)
    model = HistGradientBoostingClassifier(max_iter=25, categorical_features=WORDS if named else None)
    model.fit(rows, class_target(rows, classes=classes))
    fresh = decoded_rows(800, seed=2, unseen=True)
    assert proof(model, fresh, "classification").holds
    assert float32_steps(model, fresh, "classification") <= 1


@pytest.mark.parametrize("loss", LOSSES)
def test_histogram_boosting_of_numbers(loss: str) -> None:
    rows = decoded_rows(800, seed=1)
    model = HistGradientBoostingRegressor(loss=loss, quantile=0.7, max_iter=25, categorical_features=WORDS)
    model.fit(rows, number_target(rows))
    assert float32_steps(model, decoded_rows(800, seed=2, unseen=True), "regression") <= 1


@st.composite
def category_tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to learn from, their target, and rows to answer: one category column beside one number."""
    size = draw(st.sampled_from([1, 2, 5, 30, 31, 32, 33, 64, 200, 255]))
    step = draw(st.sampled_from([1, 2, 7]))  # the words that training saw need not stand side by side
    lowest = draw(st.sampled_from([0, -1]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    words = (random.integers(0, size, 500) * step + lowest).astype(np.float32)
    rows = np.stack([words, random.normal(size=500).astype(np.float32)], axis=1)
    target = random.normal(size=size)[random.permutation(size)[(words - lowest).astype(int) // step]]
    rows[random.random(rows.shape) < draw(st.sampled_from([0.0, 0.2]))] = np.nan
    asked = np.arange(-3, size * step + 10, dtype=np.float32)
    fresh = np.stack([np.append(asked, np.nan), random.normal(size=len(asked) + 1)], axis=1)
    return rows, target + 0.1 * random.normal(size=500), fresh.astype(np.float32)


@settings(max_examples=25)
@given(table=category_tables(), leaf_rows=st.integers(1, 20))
def test_any_set_of_categories_splits_alike(table: Any, leaf_rows: int) -> None:
    rows, target, fresh = table
    model = HistGradientBoostingRegressor(max_iter=8, categorical_features=[0], min_samples_leaf=leaf_rows)
    model.fit(rows, target)
    assert float32_steps(model, np.concatenate([rows, fresh]), "regression") <= 1


def test_categories_that_are_far_apart() -> None:
    random = np.random.default_rng(0)
    words = np.array([0, 3, 1e6, -20], dtype=np.float32)
    rows = words[random.integers(0, 4, (400, 1))]
    target = np.searchsorted(np.sort(words), rows[:, 0]) % 2 + 0.01 * random.normal(size=400)
    model = HistGradientBoostingRegressor(max_iter=10, categorical_features=[0]).fit(rows, target)
    fresh = np.append(words, [np.nan, -1, 4, 5e5, 2e6]).astype(np.float32).reshape(-1, 1)
    assert float32_steps(model, fresh, "regression") <= 1


@pytest.mark.parametrize("odd", [0.5, 2.0**33])
def test_categories_that_no_set_can_hold_are_refused(odd: float) -> None:
    rows = np.tile(np.array([0, 1, odd], dtype=np.float32), 50).reshape(-1, 1)
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=[0]).fit(rows, rows[:, 0])
    with pytest.raises(ExportError, match="EX001 HistGradientBoosting with the category"):
        to_onnx(model, width=1, task="regression")


def test_a_value_exactly_on_a_threshold_and_its_neighbours() -> None:
    five = np.float32(5)  # scikit-learn's trees split nothing that is closer than 1e-7
    steps = np.array([np.nextafter(five, np.float32(0)), five, np.nextafter(five, np.float32(9))])
    rows = np.tile(steps, 40).astype(np.float32).reshape(-1, 1)
    target = np.tile([0.0, 1.0, 5.0], 40)
    for model in (DecisionTreeRegressor(), HistGradientBoostingRegressor(min_samples_leaf=1)):
        model.fit(rows, target)
        assert len(np.unique(model.predict(steps.reshape(-1, 1)))) == 3
        assert float32_steps(model, rows, "regression") <= 1


def test_a_tree_without_a_split_answers_its_only_leaf() -> None:
    rows = decoded_rows(50, seed=1)
    stump = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=50).fit(rows, number_target(rows))
    assert float32_steps(stump, rows, "regression") <= 1
    leaf = RandomForestClassifier(3, min_samples_leaf=50).fit(rows, class_target(rows, classes=3))
    assert proof(leaf, rows, "classification").holds


def test_large_targets_lose_nothing_in_the_sum() -> None:
    rows = decoded_rows(500, seed=1)
    target = 1e6 + number_target(rows)  # float32 resolves a million to 0.06 only
    model = HistGradientBoostingRegressor(max_iter=60).fit(rows, target)
    assert float32_steps(model, rows, "regression") <= 0.51


def random_tree(random: np.random.Generator, *, leaves: int) -> Tree:
    """A full tree over six columns: node k has the children 2k + 1 and 2k + 2."""
    nodes = np.arange(2 * leaves - 1)
    split = nodes < leaves - 1
    return Tree(
        feature=random.integers(0, 6, len(nodes)),
        threshold=random.normal(size=len(nodes)),
        left=np.where(split, 2 * nodes + 1, -1),
        right=np.where(split, 2 * nodes + 2, -1),
        missing_left=random.random(len(nodes)) < 0.5,
        value=random.normal(size=len(nodes)),
        members={3: np.array([1.0, 5.0, 40.0])},
    )


def test_five_hundred_trees_are_written_at_once() -> None:
    random = np.random.default_rng(0)
    trees = [random_tree(random, leaves=31) for _ in range(500)]
    started = time.perf_counter()
    graph = Graph(shape=[6])
    written = graph.finished(add_trees(graph, graph.rows, trees, outputs=1), task="regression")
    assert time.perf_counter() - started < 2  # seconds; about a tenth of one on a slow core
    assert len(written) < 2_000_000


def test_trees_beyond_what_a_server_could_load_are_refused() -> None:
    zeros = np.broadcast_to(np.float64(0), MOST_NODES + 1)  # one number in memory, however many it says
    whole = np.broadcast_to(np.int64(0), MOST_NODES + 1)
    tree = Tree(
        feature=whole,
        threshold=zeros,
        left=whole,
        right=whole,
        missing_left=np.broadcast_to(np.False_, MOST_NODES + 1),
        value=zeros,
    )
    graph = Graph(shape=[1])
    with pytest.raises(ExportError, match="EX003 30000001 tree nodes"):
        add_trees(graph, graph.rows, [tree], outputs=1)
