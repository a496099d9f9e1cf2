"""Native models: what the libraries fit comes back the same, and anything else is not built."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, TweedieRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from siklus.bundle.papers import Golden
from siklus.bundle.read import Bundle, open_bundle
from siklus.contract.columns import Boolean, Category, Contract, Integer, Number, Target
from siklus.contract.decode import decode_records, decode_table
from siklus.errors import BundleError
from siklus.table import Table, objects
from tests.bundle.sealed import sealed

ROWS = 80
_CHANCE = np.random.default_rng(3)
X = _CHANCE.normal(size=(ROWS, 4)).astype(np.float32)
X[:, 3] = _CHANCE.integers(0, 3, ROWS)
NUMBERS = X[:, 0] * 2 + X[:, 3] + 5 + _CHANCE.normal(size=ROWS) / 10
CLASSES = (X[:, 0] + X[:, 1] > 0).astype(int)

COLUMNS = tuple(Number(name=f"x{i}") for i in range(4))
REGRESSION = Contract(columns=COLUMNS, target=Target(name="y"))
CLASSIFICATION = Contract(columns=COLUMNS, target=Target(name="y", classes=(0, 1)))
NO_GOLDEN = Golden(instances=[], outputs=[])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def opened(path: Path, contract: Contract, model: bytes, model_format: str = "skops", **more: Any) -> Bundle:
    return open_bundle(
        sealed(path, contract, model=model, model_format=model_format, golden=NO_GOLDEN, **more)
    )


def answers(bundle: Bundle) -> Any:
    return bundle.predict(decode_records(X.tolist(), bundle.contract).accepted()).raw


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        SGDClassifier(loss="log_loss", random_state=0),
        make_pipeline(SimpleImputer(), StandardScaler(), SelectKBest(k=2), LogisticRegression()),
        RandomForestClassifier(3, random_state=0),
        DecisionTreeClassifier(random_state=0),
        HistGradientBoostingClassifier(max_iter=3),
        HistGradientBoostingClassifier(max_iter=3, categorical_features=[3]),
        GradientBoostingClassifier(n_estimators=3),
        AdaBoostClassifier(n_estimators=3, random_state=0),
        MLPClassifier(hidden_layer_sizes=(4,), max_iter=5, random_state=0),
        MLPClassifier(hidden_layer_sizes=(4,), max_iter=5, solver="sgd", random_state=0),
        KNeighborsClassifier(),
        KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
        GaussianNB(),
        CalibratedClassifierCV(LinearSVC(), cv=2),
        CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
        VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="soft"),
        StackingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], cv=2),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    ],
    ids=str,
)
def test_a_fitted_classifier_comes_back_with_the_same_probabilities(model: Any, tmp_path: Path) -> None:
    model.fit(X, CLASSES)
    bundle = opened(tmp_path / "b", CLASSIFICATION, skops.io.dumps(model))
    np.testing.assert_array_equal(answers(bundle), model.predict_proba(X))


@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        TweedieRegressor(),
        RandomForestRegressor(3, random_state=0),
        ExtraTreesRegressor(3, random_state=0),
        HistGradientBoostingRegressor(max_iter=3, loss="absolute_error"),
        HistGradientBoostingRegressor(max_iter=3, loss="quantile", quantile=0.9),
        GradientBoostingRegressor(n_estimators=3),
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0),
        SVR(),
        KNeighborsRegressor(algorithm="kd_tree"),
        BaggingRegressor(n_estimators=2, random_state=0),
        TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
        VotingRegressor([("a", Ridge()), ("b", SVR())]),
        StackingRegressor([("a", Ridge()), ("b", SVR())], cv=2),
    ],
    ids=str,
)
def test_a_fitted_regressor_comes_back_with_the_same_values(model: Any, tmp_path: Path) -> None:
    model.fit(X, NUMBERS)
    bundle = opened(tmp_path / "b", REGRESSION, skops.io.dumps(model))
    np.testing.assert_array_equal(answers(bundle), model.predict(X))


MIXED = Contract(
    columns=(
        Number(name="size", nullable=True),
        Integer(name="count"),
        Category(name="colour", vocabulary=("red", "green"), nullable=True),
        Boolean(name="new"),
    ),
    target=Target(name="y", classes=("no", "yes")),
)
FRAME = pd.DataFrame(
    {
        "size": [1.0, np.nan, 3.0, 4.0] * 5,
        "count": [1, 2, 3, 4] * 5,
        "colour": objects(["red", "green", None, "red"] * 5),
        "new": [True, False, False, True] * 5,
    }
)


def test_a_pipeline_with_its_own_preparation_gets_a_frame_of_raw_columns(tmp_path: Path) -> None:
    preparation = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["size", "count"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
            ("flags", OrdinalEncoder(), ["new"]),
        ]
    )
    model = make_pipeline(preparation, LogisticRegression()).fit(FRAME, ["no", "yes", "yes", "no"] * 5)
    bundle = opened(tmp_path / "b", MIXED, skops.io.dumps(model), takes="frame")
    table = Table({name: FRAME[name].to_numpy() for name in FRAME})
    predictions = bundle.predict(decode_table(table, MIXED).accepted())
    np.testing.assert_allclose(predictions.raw, model.predict_proba(FRAME), rtol=1e-12)
    assert bundle.labels(predictions) == model.predict(FRAME).tolist()


def test_xgboost_comes_back_with_the_same_answers(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    regressor = xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(X, NUMBERS)
    bundle = opened(
        tmp_path / "r", REGRESSION, bytes(regressor.get_booster().save_raw("ubj")), model_format="xgboost"
    )
    np.testing.assert_allclose(answers(bundle), regressor.predict(X), rtol=1e-6)
    classifier = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, CLASSES)
    bundle = opened(
        tmp_path / "c",
        CLASSIFICATION,
        bytes(classifier.get_booster().save_raw("ubj")),
        model_format="xgboost",
    )
    np.testing.assert_allclose(answers(bundle), classifier.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_lightgbm_comes_back_with_the_same_probabilities(tmp_path: Path, classes: int) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    target = CLASSES if classes == 2 else X[:, 3].astype(int)
    model = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1, min_child_samples=5)
    model.fit(pd.DataFrame(X), target)
    contract = Contract(columns=COLUMNS, target=Target(name="y", classes=tuple(range(classes))))
    text = model.booster_.model_to_string().encode()
    bundle = opened(tmp_path / "b", contract, text, model_format="lightgbm")
    np.testing.assert_allclose(answers(bundle), model.predict_proba(pd.DataFrame(X)))


class Own(TransformerMixin, BaseEstimator):
    """An estimator of the user's own module."""

    def fit(self, X: Any, y: Any = None) -> "Own":
        self.ready_ = True
        return self

    def transform(self, X: Any) -> Any:
        return X


FOREIGN: dict[str, Any] = {
    "own class": Own(),
    "os.system": FunctionTransformer(os.system),
    "print": FunctionTransformer(print),
    "eval": FunctionTransformer(eval),
    "numpy.load": FunctionTransformer(np.load),
    "pandas.read_pickle": FunctionTransformer(pd.read_pickle),
    "skops.io.load": FunctionTransformer(skops.io.load),
}


@pytest.mark.parametrize("step", FOREIGN)
def test_a_foreign_class_or_function_is_refused(step: str, tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(), LogisticRegression()).fit(X, CLASSES)
    model.steps.insert(0, ("foreign", FOREIGN[step]))
    with pytest.raises(BundleError) as caught:
        opened(tmp_path / "b", CLASSIFICATION, skops.io.dumps(model))
    assert caught.value.code == "BN010"


def renamed(model: Any, old: dict[str, str], new: dict[str, str]) -> bytes:
    """A skops file whose schema names something else in one place: what only a forger writes."""

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            changed = {**node, **new} if all(node.get(key) == value for key, value in old.items()) else node
            return {key: walk(value) for key, value in changed.items()}
        return [walk(value) for value in node] if isinstance(node, list) else node

    source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, json.dumps(walk(json.loads(data))) if name == "schema.json" else data)
    return forged.getvalue()


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "exec"), ("subprocess", "Popen"), ("sklearn.utils._testing", "raises")],
)
def test_a_forged_type_name_is_refused(module: str, name: str, tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, CLASSES)
    data = renamed(model, {"__class__": "LogisticRegression"}, {"__module__": module, "__class__": name})
    with pytest.raises(BundleError) as caught:
        opened(tmp_path / "b", CLASSIFICATION, data)
    assert caught.value.code == "BN010"


@pytest.mark.parametrize("model_format", ["skops", "xgboost", "lightgbm"])
@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18), b"{}", b"garbage\nmore"])
def test_bytes_of_no_model_are_refused(model_format: str, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        opened(tmp_path / "b", REGRESSION, data, model_format=model_format)
    assert caught.value.code == "BN007"
