"""What every graph promises to those who run it, and what is refused instead of written."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from siklus.contract.columns import Task
from siklus.errors import ExportError
from siklus.train.export import to_onnx
from tests.train.decoded import WIDTH, WORDS, class_target, decoded_rows, number_target, own_answers

CLASSES = 3
ROWS = decoded_rows(200, seed=1)
NUMBERS_FITTED = [
    HistGradientBoostingRegressor(max_iter=3, categorical_features=WORDS),
    make_pipeline(SimpleImputer(), StandardScaler(), Ridge()),
    make_pipeline(SimpleImputer(), AdaBoostRegressor(n_estimators=3, random_state=0)),
]
CLASSES_FITTED = [
    HistGradientBoostingClassifier(max_iter=3),
    ExtraTreesClassifier(3, random_state=0),
    make_pipeline(SimpleImputer(), LogisticRegression(max_iter=2000)),
    make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=3)),
]
EVERY_KIND: list[tuple[Any, Task]] = [
    *((model, "regression") for model in NUMBERS_FITTED),
    *((model, "classification") for model in CLASSES_FITTED),
]


def fitted(model: Any, task: Task) -> Any:
    target = number_target(ROWS) if task == "regression" else class_target(ROWS, classes=CLASSES)
    return model.fit(ROWS, target)


def signature(values: Any) -> list[tuple[str, int, list[str | int]]]:
    """Name, element type and shape of each."""
    found = []
    for value in values:
        kind = value.type.tensor_type
        found.append((value.name, kind.elem_type, [dim.dim_param or dim.dim_value for dim in kind.shape.dim]))
    return found


@pytest.mark.parametrize(("model", "task"), EVERY_KIND)
def test_every_graph_has_the_one_shape(model: Any, task: Task) -> None:
    graph = onnx.load_from_string(to_onnx(fitted(model, task), width=WIDTH, task=task))
    onnx.checker.check_model(graph, full_check=True)
    answer = ("value", 1) if task == "regression" else ("probabilities", CLASSES)
    number = onnx.TensorProto.FLOAT
    assert signature(graph.graph.input) == [("rows", number, ["N", WIDTH])]
    assert signature(graph.graph.output) == [(answer[0], number, ["N", answer[1]])]
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx.ml"}
    assert not any(constant.external_data for constant in graph.graph.initializer)


@pytest.mark.parametrize(("model", "task"), EVERY_KIND)
def test_one_row_is_answered_as_it_is_among_others(model: Any, task: Task) -> None:
    session = onnxruntime.InferenceSession(to_onnx(fitted(model, task), width=WIDTH, task=task))
    together = session.run(None, {"rows": ROWS})[0]
    alone = np.concatenate([session.run(None, {"rows": ROWS[i : i + 1]})[0] for i in range(20)])
    assert np.abs(together[:20] - alone).max() < 1e-6
    wanted = own_answers(fitted(model, task), ROWS, task).reshape(len(ROWS), -1)
    assert np.abs(together - wanted).max() < 1e-5


def test_the_same_model_gives_the_same_bytes() -> None:
    model = fitted(HistGradientBoostingClassifier(max_iter=3, random_state=0), "classification")
    first, second = (to_onnx(model, width=WIDTH, task="classification") for _ in range(2))
    assert first == second


class Mystery(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn ships no types
    """A user's own estimator, which nobody can look into."""

    def fit(self, rows: Any, _: Any) -> "Mystery":
        self.n_features_in_ = rows.shape[1]
        return self


class Shifted(StandardScaler):  # type: ignore[misc] # as above
    """Looks like its parent, and does something else."""

    def transform(self, rows: Any, copy: Any = None) -> Any:
        return super().transform(rows, copy) + 1


class Certain(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # as above
    """Knows classes but no probabilities."""

    def fit(self, _: Any, target: Any) -> "Certain":
        self.classes_ = np.unique(target)
        return self


@pytest.mark.parametrize(
    ("model", "task", "named"),
    [
        (Mystery(), "regression", "Mystery"),
        (make_pipeline(SimpleImputer(), Shifted(), Ridge()), "regression", "Shifted"),
        (
            make_pipeline(FunctionTransformer(np.nan_to_num), DummyRegressor()),
            "regression",
            "FunctionTransformer",
        ),
        (make_pipeline(SimpleImputer(), RidgeClassifier()), "classification", "RidgeClassifier"),
        (Certain(), "classification", "Certain"),
        (DummyClassifier(strategy="stratified"), "classification", "DummyClassifier"),
        (
            make_pipeline(OneHotEncoder(sparse_output=False), HistGradientBoostingRegressor(max_iter=2)),
            "regression",
            "OneHotEncoder",
        ),
        (
            TransformedTargetRegressor(
                HistGradientBoostingRegressor(max_iter=2), func=np.sqrt, inverse_func=np.square
            ),
            "regression",
            "TransformedTargetRegressor with FunctionTransformer square",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_step_that_cannot_be_written_is_named(model: Any, task: Task, named: str) -> None:
    with pytest.raises(ExportError, match=f"EX001 {named}"):
        to_onnx(fitted(model, task), width=WIDTH, task=task)


def test_words_in_an_encoder_are_refused() -> None:
    words = np.array([["a"], ["b"]] * 20, dtype=object)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(words, np.arange(40))
    with pytest.raises(ExportError, match="EX001 OneHotEncoder of words"):
        to_onnx(model, width=1, task="regression")


@pytest.mark.parametrize("classes", [[1, 2], [0, 2], ["no", "yes"]])
def test_other_classes_than_their_indices_are_refused(classes: list[Any]) -> None:
    target = np.array(classes)[class_target(ROWS, classes=2)]
    model = HistGradientBoostingClassifier(max_iter=2).fit(ROWS, target)
    with pytest.raises(ExportError, match="EX002 classes"):
        to_onnx(model, width=WIDTH, task="classification")


def test_a_model_of_another_width_is_refused() -> None:
    model = fitted(HistGradientBoostingRegressor(max_iter=2), "regression")
    with pytest.raises(ExportError, match="EX004 fitted on 6 columns"):
        to_onnx(model, width=7, task="regression")
