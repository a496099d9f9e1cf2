"""The same model in other clothes: bare boosters, ONNX files; the same rows in any frame."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

import siklus
from siklus.contract.columns import Label
from siklus.contract.decode import decode_records
from siklus.data.frames import table_of
from tests.train.existing import churned, customers, prepared

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 4))
THREE = RANDOM.integers(0, 3, 200)
AMOUNT = X @ [1.0, 2.0, 0.0, -1.0] + 5

Answers = NDArray[np.float64]


def both(second: Any) -> Answers:
    return np.stack([1 - second, second], axis=1)


def answers(bundle: Any, rows: Any) -> Answers:
    records = [list(row) for row in np.asarray(rows).tolist()]
    return np.asarray(bundle.predict(decode_records(records, bundle.contract).accepted()).raw)


def trained_by_xgboost(objective: str, target: Any, **settings: Any) -> Any:
    return xgb.train({"objective": objective, "nthread": 1, **settings}, xgb.DMatrix(X, label=target), 8)


def stopped_early() -> Any:
    """Eight rounds were grown beyond the best; XGBoost's own predict uses them all the same."""
    kept = xgb.DMatrix(-X, label=X[:, 0] > 0)
    settings = {"objective": "binary:logistic", "nthread": 1}
    return xgb.train(
        settings,
        xgb.DMatrix(X, label=X[:, 0] > 0),
        20,
        evals=[(kept, "kept")],
        early_stopping_rounds=8,
        verbose_eval=False,
    )


def trained_by_lightgbm(objective: str, target: Any, **settings: Any) -> Any:
    settings = {"objective": objective, "verbose": -1, "num_threads": 1, **settings}
    return lgb.train(settings, lgb.Dataset(X, label=target), 8)


# Name → booster, outcomes, its own answers, the classes in their order.
BOOSTERS: dict[str, Callable[[], tuple[Any, Any, Answers, tuple[Label, ...] | None]]] = {
    "XGBoost, two classes": lambda: (
        model := stopped_early(),
        X[:, 0] > 0,
        both(model.predict(xgb.DMatrix(X))),
        (False, True),
    ),
    "XGBoost, words": lambda: (
        trained_by_xgboost("multi:softmax", THREE, num_class=3),
        np.array(["c", "a", "b"])[THREE],
        trained_by_xgboost("multi:softprob", THREE, num_class=3).predict(xgb.DMatrix(X)),
        ("a", "b", "c"),
    ),
    "XGBoost, amounts": lambda: (
        model := trained_by_xgboost("reg:squarederror", AMOUNT),
        AMOUNT,
        model.predict(xgb.DMatrix(X)),
        None,
    ),
    "LightGBM, two classes": lambda: (
        model := trained_by_lightgbm("binary", X[:, 0] > 0),
        (X[:, 0] > 0).astype(int),
        both(model.predict(X)),
        (0, 1),
    ),
    "LightGBM, three classes": lambda: (
        model := trained_by_lightgbm("multiclass", THREE, num_class=3),
        THREE,
        model.predict(X),
        (0, 1, 2),
    ),
    "LightGBM, amounts": lambda: (
        model := trained_by_lightgbm("regression", AMOUNT),
        AMOUNT,
        model.predict(X),
        None,
    ),
}


@pytest.mark.parametrize("kind", BOOSTERS)
def test_a_bare_booster_answers_as_its_own_library_does(kind: str, tmp_path: Path) -> None:
    model, outcomes, wanted, classes = BOOSTERS[kind]()
    bundle = siklus.package(model, X, outcomes, name="booster", directory=tmp_path / "b")
    assert (bundle.manifest.model, bundle.contract.target.classes) == ("onnx", classes)
    assert np.abs(answers(bundle, X) - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


FRAMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "Arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "columns": lambda frame: {name: frame[name].tolist() for name in frame},
    "Table": table_of,
}


@pytest.mark.parametrize("library", FRAMES)
def test_rows_come_in_any_frame(library: str, tmp_path: Path) -> None:
    frame = customers(300, seed=6).drop(columns=["member"]).dropna()
    model = prepared(LogisticRegression(max_iter=2000)).fit(frame, churned(frame))
    outcomes = churned(frame).tolist()
    given = FRAMES[library](frame)
    bundle = siklus.package(
        model, given, pl.Series("churn", outcomes), name="frames", directory=tmp_path / "b"
    )
    assert np.abs(answers(bundle, frame.to_numpy()) - model.predict_proba(frame)).max() <= 1e-5


def test_an_array_takes_the_names_that_the_model_was_fitted_with(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    model = LogisticRegression().fit(pd.DataFrame(X, columns=names), X[:, 0] > 0)
    bundle = siklus.package(model, X, X[:, 0] > 0, name="names", directory=tmp_path / "b")
    assert bundle.contract.names == ("a", "b", "c", "d")
