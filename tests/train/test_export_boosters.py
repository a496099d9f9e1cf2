"""LightGBM and XGBoost in ONNX answer as their own predict does."""

from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost

from siklus.contract.columns import Task
from siklus.errors import ExportError
from siklus.train.export import to_onnx
from tests.train.decoded import WIDTH, WORDS, class_target, decoded_rows, float32_steps, number_target, proof

# XGBoost 3.4 calls its forest, gblinear and dart deprecated; whoever has such a model may still bring it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*XGBRF:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*booster=.* is deprecated:UserWarning"),
]

KINDS = ["c" if slot in WORDS else "q" for slot in range(WIDTH)]

LIGHTGBM_OBJECTIVES = [
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "poisson",
    "gamma",
    "tweedie",
]
XGBOOST_OBJECTIVES = [
    *(f"reg:{name}" for name in ("squarederror", "absoluteerror", "pseudohubererror", "gamma", "tweedie")),
    "count:poisson",
]


def lightgbm_of(task: Task, **settings: Any) -> Any:
    kind = lightgbm.LGBMClassifier if task == "classification" else lightgbm.LGBMRegressor
    return kind(n_estimators=20, min_child_samples=5, min_data_per_group=5, verbose=-1, **settings)


def xgboost_of(task: Task, **settings: Any) -> Any:
    kind = xgboost.XGBClassifier if task == "classification" else xgboost.XGBRegressor
    return kind(n_estimators=20, **settings)


@pytest.mark.parametrize("objective", LIGHTGBM_OBJECTIVES)
def test_lightgbm_of_numbers(objective: str) -> None:
    rows = decoded_rows(600, seed=1)
    model = lightgbm_of("regression", objective=objective)
    model.fit(rows, number_target(rows), categorical_feature=WORDS)
    fresh = np.concatenate([rows, decoded_rows(600, seed=2, unseen=True)])
    assert float32_steps(model, fresh, "regression") <= 1


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("named", [True, False], ids=["categorical", "all numeric"])
def test_lightgbm_of_classes(classes: int, named: bool) -> None:
    rows = decoded_rows(600, seed=1)
    model = lightgbm_of("classification")
    model.fit(rows, class_target(rows, classes=classes), categorical_feature=WORDS if named else "auto")
    fresh = decoded_rows(600, seed=2, unseen=named)
    assert proof(model, fresh, "classification").holds
    assert float32_steps(model, fresh, "classification") <= 1


def test_lightgbm_reads_a_missing_value_as_0_where_training_had_none() -> None:
    rows = decoded_rows(600, seed=1, missing=0.0)
    model = lightgbm_of("regression").fit(rows, number_target(rows))
    assert float32_steps(model, decoded_rows(600, seed=2, missing=0.4), "regression") <= 1


@pytest.mark.parametrize("kind", ["rf", "dart"])
def test_lightgbm_averages_or_weighs_its_trees(kind: str) -> None:
    rows = decoded_rows(600, seed=1)
    model = lightgbm_of("regression", boosting_type=kind, subsample=0.7, subsample_freq=1)
    assert float32_steps(model.fit(rows, number_target(rows)), rows, "regression") <= 1


def test_lightgbm_stops_at_its_best_iteration() -> None:
    rows, judge = decoded_rows(600, seed=1), decoded_rows(300, seed=2)
    model = lightgbm.LGBMRegressor(n_estimators=300, learning_rate=0.5, verbose=-1)
    stop = lightgbm.early_stopping(3, verbose=False)
    held = number_target(judge, seed=9)
    model.fit(rows, number_target(rows), eval_X=judge, eval_y=held, callbacks=[stop])
    assert model.best_iteration_ < 300
    assert float32_steps(model, judge, "regression") <= 1


@pytest.mark.parametrize("objective", XGBOOST_OBJECTIVES)
def test_xgboost_of_numbers(objective: str) -> None:
    rows = decoded_rows(600, seed=1)
    model = xgboost_of("regression", objective=objective, feature_types=KINDS, enable_categorical=True)
    model.fit(rows, number_target(rows))
    fresh = np.concatenate([rows, decoded_rows(600, seed=2, unseen=True)])
    assert float32_steps(model, fresh, "regression") <= 1


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("to_one_hot", [1, 100], ids=["sets", "single words"])
def test_xgboost_of_classes(classes: int, to_one_hot: int) -> None:
    rows = decoded_rows(600, seed=1)
    model = xgboost_of(
        "classification", feature_types=KINDS, enable_categorical=True, max_cat_to_onehot=to_one_hot
    )
    model.fit(rows, class_target(rows, classes=classes))
    fresh = decoded_rows(600, seed=2, unseen=True)
    assert proof(model, fresh, "classification").holds
    assert float32_steps(model, fresh, "classification") <= 2  # its sigmoid is float32


def test_xgboost_goes_left_below_the_threshold_only() -> None:
    rows = np.tile(np.arange(6, dtype=np.float32), 20).reshape(-1, 1)  # whole numbers: each is a threshold
    target = rows[:, 0] ** 2
    model = xgboost_of("regression", tree_method="exact").fit(rows, target)
    book = model.get_booster().trees_to_dataframe()
    on_threshold = book["Split"].dropna().to_numpy(dtype=np.float32).reshape(-1, 1)
    assert float32_steps(model, np.concatenate([rows, on_threshold]), "regression") <= 1


def test_xgboost_stops_at_its_best_iteration() -> None:
    rows, judge = decoded_rows(600, seed=1), decoded_rows(300, seed=2)
    model = xgboost.XGBRegressor(n_estimators=200, learning_rate=0.8, early_stopping_rounds=3)
    model.fit(rows, number_target(rows), eval_set=[(judge, number_target(judge, seed=9))], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    assert float32_steps(model, judge, "regression") <= 1


def test_xgboosts_float32_sums_are_added_in_its_order() -> None:
    rows = decoded_rows(600, seed=1)
    model = xgboost.XGBRegressor(n_estimators=200).fit(rows, 2013 + number_target(rows) / 10)
    assert proof(model, rows, "regression").max_difference == 0


def test_xgboosts_random_forest() -> None:
    rows = decoded_rows(600, seed=1)
    model = xgboost.XGBRFClassifier(n_estimators=12).fit(rows, class_target(rows, classes=3))
    assert proof(model, rows, "classification").holds


def own_objective(true: Any, raw: Any) -> tuple[Any, Any]:
    return raw - true, np.ones_like(raw)


@pytest.mark.parametrize(
    "model",
    [
        lightgbm_of("regression", objective=own_objective),
        lightgbm_of("regression", objective="cross_entropy"),
        lightgbm_of("regression", reg_sqrt=True),
        lightgbm_of("regression", linear_tree=True),
        lightgbm_of("regression", zero_as_missing=True),
        xgboost_of("regression", objective="reg:logistic"),
        xgboost_of("regression", booster="gblinear"),
        xgboost_of("regression", booster="dart", rate_drop=0.3),
    ],
    ids=["own objective", "cross entropy", "sqrt", "linear trees", "zeros", "logistic", "gblinear", "dart"],
)
def test_what_would_not_answer_alike_is_refused(model: Any) -> None:
    rows = decoded_rows(200, seed=1)
    target = np.clip(number_target(rows) / 20, 0, 1)
    with pytest.raises(ExportError, match=r"EX001 (LightGBM|XGBoost) with"):
        to_onnx(model.fit(rows, target), width=WIDTH, task="regression")
