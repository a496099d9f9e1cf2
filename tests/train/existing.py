"""Models as people have them before they know of Siklus: each with its rows, and rows it has not seen."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.svm import SVC

ROWS = 400
NUMBERS = ["age", "income", "score"]


@dataclass(frozen=True)
class Existing:
    """A fitted model, what it was fitted on, and further rows, some with words that it never met."""

    model: Any
    X: Any
    y: Any
    unseen: Any

    @property
    def answers(self) -> np.ndarray:
        """Its own for the unseen rows: probabilities or values."""
        return self._asked("predict_proba" if hasattr(self.model, "predict_proba") else "predict")

    @property
    def predictions(self) -> list[Any]:
        """Its own classes or values for the unseen rows."""
        return self._asked("predict").tolist()

    def _asked(self, verb: str) -> np.ndarray:
        with warnings.catch_warnings(action="ignore"):  # an encoder warns about words that it never met
            return np.asarray(getattr(self.model, verb)(self.unseen))


def customers(count: int, *, seed: int, strange: bool = False) -> pd.DataFrame:
    """Whole and broken numbers, words, truths, and a tenth of two columns missing. ``strange``: new words."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, count),
            "income": np.round(random.lognormal(10, 1, count), 2),
            "city": random.choice(["Bern", "Zürich", "Genf", "Basel"], count),
            "plan": random.choice(["a", "b", "c"], count),
            "member": random.random(count) < 0.5,
            "score": random.normal(size=count),
        }
    )
    frame.loc[random.random(count) < 0.1, "income"] = np.nan
    frame.loc[random.random(count) < 0.1, "city"] = np.nan
    if strange:
        frame.loc[:9, "city"] = "Chur"
        frame.loc[5:14, "plan"] = "z"
    return frame


def churned(frame: pd.DataFrame) -> pd.Series:
    left = (frame["age"] > 50) ^ (frame["city"] == "Bern") ^ (frame["score"] > 1)
    return left.map({True: "yes", False: "no"}).rename("churn")


def spent(frame: pd.DataFrame) -> pd.Series:
    return (frame["age"] * 2 + frame["score"] * 10 + (frame["plan"] == "a") * 7).rename("spent")


def of_customers(model: Any, *, target: Callable[[pd.DataFrame], pd.Series] = churned) -> Existing:
    frame = customers(ROWS, seed=1)
    return Existing(
        model.fit(frame, target(frame)), frame, target(frame), customers(200, seed=2, strange=True)
    )


def of_categories(model: Any, *, target: Callable[[pd.DataFrame], Any] = churned) -> Existing:
    """Words as pandas categories, which boosters take without an encoder."""
    frame = customers(ROWS, seed=1).astype({"city": "category", "plan": "category"})
    unseen = customers(200, seed=2).astype(frame.dtypes[["city", "plan"]].to_dict())
    return Existing(model.fit(frame, target(frame)), frame, target(frame), unseen)


def of_numbers(model: Any, *, labels: Any = (0, 1, 2), named: bool = False) -> Existing:
    X, y = make_classification(2 * ROWS, 8, n_informative=5, n_classes=len(labels), random_state=0)
    rows: Any = pd.DataFrame(X, columns=[f"column {i}" for i in range(8)]) if named else X
    target = np.array(labels)[y]
    return Existing(model.fit(rows[:ROWS], target[:ROWS]), rows[:ROWS], target[:ROWS], rows[ROWS:])


def of_amounts(model: Any) -> Existing:
    X, y = make_regression(2 * ROWS, 6, noise=5, random_state=0)
    return Existing(model.fit(X[:ROWS], y[:ROWS]), X[:ROWS], y[:ROWS], X[ROWS:])


def prepared(model: Any, *, dense: bool = False, **encoder: Any) -> Any:
    """The usual pipeline: filled and scaled numbers, filled and spread words, the rest as it is."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    spread = OneHotEncoder(handle_unknown="ignore", sparse_output=not dense, **encoder)
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), spread)
    columns = ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("words", words, ["city", "plan"])], remainder="passthrough"
    )
    return make_pipeline(columns, model)


def ranked(model: Any) -> Any:
    """Words as ranks, in a frame again, so that trees are told by name which columns are no numbers."""
    ranks = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer(
        [("words", ranks, ["plan", "city"])], remainder="passthrough", verbose_feature_names_out=False
    )
    return make_pipeline(columns.set_output(transform="pandas"), model)


def selected() -> Any:
    """Columns chosen by type, one more step between, words that were missing a category of their own."""
    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=np.number)),
        (
            OneHotEncoder(handle_unknown="ignore", drop="if_binary"),
            make_column_selector(dtype_exclude=np.number),
        ),
    )
    return make_pipeline(columns, SimpleImputer(), LogisticRegression())


def said_by_target() -> Any:
    columns = make_column_transformer((TargetEncoder(), ["city", "plan"]), remainder=SimpleImputer())
    return make_pipeline(columns, LogisticRegression(max_iter=5000))


def voting() -> Any:
    parts = [
        ("line", LogisticRegression(max_iter=500)),
        ("forest", RandomForestClassifier(10, random_state=0)),
    ]
    return VotingClassifier(parts, voting="soft", weights=[1, 3])


def searched() -> Any:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    return GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=3)


HISTOGRAM = {"max_iter": 20, "random_state": 0}
BOOSTED = {"n_estimators": 20, "n_jobs": 1}
LIGHT = {**BOOSTED, "verbose": -1}

# Each comes out as ONNX.
AS_GRAPH: dict[str, Callable[[], Existing]] = {
    "forest": lambda: of_numbers(RandomForestClassifier(30, random_state=0)),
    "forest of truths": lambda: of_numbers(RandomForestClassifier(10, random_state=0), labels=(False, True)),
    "forest of amounts": lambda: of_amounts(RandomForestRegressor(20, random_state=0)),
    "linear": lambda: of_amounts(LinearRegression()),
    "logistic of words": lambda: of_numbers(
        make_pipeline(StandardScaler(), LogisticRegression()), labels=("c", "a", "b"), named=True
    ),
    "search": lambda: of_numbers(searched()),
    "gradient boosting": lambda: of_numbers(GradientBoostingClassifier(n_estimators=10)),
    "histogram trees": lambda: of_numbers(HistGradientBoostingClassifier(**HISTOGRAM)),
    "histogram trees of amounts": lambda: of_amounts(HistGradientBoostingRegressor(**HISTOGRAM)),
    "voting": lambda: of_numbers(voting(), labels=("c", "a", "b")),
    "neighbours": lambda: of_numbers(KNeighborsClassifier()),
    "support vectors": lambda: of_numbers(CalibratedClassifierCV(SVC(), ensemble=False)),
    "XGBoost": lambda: of_numbers(xgb.XGBClassifier(**BOOSTED), named=True),
    "XGBoost of amounts": lambda: of_amounts(xgb.XGBRegressor(**BOOSTED)),
    "LightGBM": lambda: of_numbers(lgb.LGBMClassifier(**LIGHT), labels=("x", "y", "z")),
    "LightGBM of amounts": lambda: of_amounts(lgb.LGBMRegressor(**LIGHT)),
    "words, logistic": lambda: of_customers(prepared(LogisticRegression(max_iter=2000), min_frequency=90)),
    "words, ridge": lambda: of_customers(prepared(Ridge()), target=spent),
    "words, forest": lambda: of_customers(prepared(RandomForestClassifier(20, random_state=0))),
    "words, histogram trees": lambda: of_customers(
        prepared(HistGradientBoostingClassifier(**HISTOGRAM), dense=True)
    ),
    "words, LightGBM": lambda: of_customers(prepared(lgb.LGBMClassifier(**LIGHT), dense=True)),
    "words, XGBoost": lambda: of_customers(prepared(xgb.XGBRegressor(**BOOSTED)), target=spent),
    "ranks": lambda: of_customers(
        ranked(HistGradientBoostingClassifier(**HISTOGRAM, categorical_features=["plan", "city"]))
    ),
    "columns by type": lambda: of_customers(selected()),
    "categories, histogram trees": lambda: of_categories(HistGradientBoostingClassifier(**HISTOGRAM)),
    "categories, LightGBM": lambda: of_categories(lgb.LGBMClassifier(**LIGHT)),
    "categories, XGBoost": lambda: of_categories(
        xgb.XGBClassifier(**BOOSTED, enable_categorical=True),
        target=lambda frame: churned(frame).eq("yes").astype(int),
    ),
}
# None of these has a graph, and each is sealed as scikit-learn has it.
AS_IT_IS: dict[str, Callable[[], Existing]] = {
    "words said by the target": lambda: of_customers(said_by_target()),
}
EXISTING = AS_GRAPH | AS_IT_IS
