"""What can be tried: each candidate knows its preparation, its model and its search space."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from siklus.contract.columns import Contract
from siklus.extras import need
from siklus.features.prepare import category_slots, dense, filled

if TYPE_CHECKING:  # a process that only fits does not need it, and it takes a second to import
    from optuna.trial import BaseTrial

Parameters = Mapping[str, Any]
HGB_WIDEST_CATEGORY = 255  # scikit-learn's limit of bins, so of words that one column may have


@dataclass(frozen=True, kw_only=True)
class Question:
    """What every candidate answers: decoded rows of ``contract`` → its target, judged by ``metric``."""

    contract: Contract
    metric: str
    seed: int

    @property
    def classify(self) -> bool:
        return self.contract.task == "classification"


@dataclass(frozen=True)
class Range:
    """What a parameter may be, and what it is first. Whole numbers when both ends are."""

    first: float
    low: float
    high: float
    log: bool = False


Space = Mapping[str, Range]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """``complexity`` orders candidates: of two that do as well, the smaller is chosen.

    ``build`` makes an unfitted estimator that takes the float32 matrix.
    """

    name: str
    complexity: int
    space: Space
    build: Callable[[Question, Parameters], Any]

    @property
    def first(self) -> Parameters:
        return {key: span.first for key, span in self.space.items()}

    def draw(self, trial: "BaseTrial") -> Parameters:
        """Parameters as the trial suggests them, under names that say whose they are."""
        return {key: _suggest(trial, f"{self.name}.{key}", span) for key, span in self.space.items()}


def _suggest(trial: "BaseTrial", name: str, span: Range) -> float:
    if isinstance(span.low, int) and isinstance(span.high, int):
        return trial.suggest_int(name, span.low, span.high, log=span.log)
    return trial.suggest_float(name, span.low, span.high, log=span.log)


def _dummy(question: Question, _: Parameters) -> Any:
    if question.classify:
        return DummyClassifier(strategy="prior")
    median = question.metric in ("mae", "median_absolute_error", "mape")
    return DummyRegressor(strategy="median" if median else "mean")


def _linear(question: Question, parameters: Parameters) -> Any:
    penalty = float(parameters["penalty"])
    model: Any = (
        LogisticRegression(C=1 / penalty, max_iter=2000) if question.classify else Ridge(alpha=penalty)
    )
    return Pipeline([("prepare", dense(question.contract)), ("model", model)])


def _network(question: Question, parameters: Parameters) -> Any:
    settings = {
        "hidden_layer_sizes": (int(parameters["units"]),) * int(parameters["layers"]),
        "alpha": float(parameters["alpha"]),
        "learning_rate_init": float(parameters["learning_rate"]),
        "early_stopping": True,
        "max_iter": 200,
        "random_state": question.seed,
    }
    model = MLPClassifier(**settings) if question.classify else MLPRegressor(**settings)
    return Pipeline([("prepare", dense(question.contract)), ("model", model)])


def _random_forest(question: Question, parameters: Parameters) -> Any:
    return _forest(
        RandomForestClassifier if question.classify else RandomForestRegressor, question, parameters
    )


def _extra_trees(question: Question, parameters: Parameters) -> Any:
    return _forest(ExtraTreesClassifier if question.classify else ExtraTreesRegressor, question, parameters)


def _forest(kind: type, question: Question, parameters: Parameters) -> Any:
    model = kind(
        n_estimators=int(parameters["trees"]),
        min_samples_leaf=int(parameters["leaf_rows"]),
        max_features=float(parameters["column_share"]),
        random_state=question.seed,
    )
    return Pipeline([("prepare", filled(question.contract)), ("model", model)])


def _hist_gradient_boosting(question: Question, parameters: Parameters) -> Any:
    words = [slot for slot, size in category_slots(question.contract).items() if size <= HGB_WIDEST_CATEGORY]
    settings = {
        "learning_rate": float(parameters["learning_rate"]),
        "max_iter": int(parameters["trees"]),
        "max_leaf_nodes": int(parameters["leaves"]),
        "min_samples_leaf": int(parameters["leaf_rows"]),
        "l2_regularization": float(parameters["penalty"]),
        "categorical_features": words or None,
        "random_state": question.seed,
    }
    if question.classify:
        return HistGradientBoostingClassifier(**settings)
    loss = "absolute_error" if question.metric in ("mae", "median_absolute_error") else "squared_error"
    return HistGradientBoostingRegressor(loss=loss, **settings)


def _lightgbm(question: Question, parameters: Parameters) -> Any:
    lightgbm = need("lightgbm", extra="lightgbm")
    kind = lightgbm.LGBMClassifier if question.classify else lightgbm.LGBMRegressor
    return kind(
        learning_rate=float(parameters["learning_rate"]),
        n_estimators=int(parameters["trees"]),
        num_leaves=int(parameters["leaves"]),
        min_child_samples=int(parameters["leaf_rows"]),
        reg_lambda=float(parameters["penalty"]),
        objective=_lightgbm_objective(question),
        random_state=question.seed,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )


def _lightgbm_objective(question: Question) -> str | None:
    if question.classify:
        return None
    return "regression_l1" if question.metric in ("mae", "median_absolute_error") else "regression"


def _xgboost(question: Question, parameters: Parameters) -> Any:
    xgboost = need("xgboost", extra="xgboost")
    kind = xgboost.XGBClassifier if question.classify else xgboost.XGBRegressor
    settings: dict[str, Any] = {}
    if not question.classify and question.metric in ("mae", "median_absolute_error"):
        settings["objective"] = "reg:absoluteerror"
    return kind(
        learning_rate=float(parameters["learning_rate"]),
        n_estimators=int(parameters["trees"]),
        max_leaves=int(parameters["leaves"]),
        max_depth=0,
        grow_policy="lossguide",
        tree_method="hist",
        min_child_weight=float(parameters["leaf_rows"]),
        reg_lambda=float(parameters["penalty"]),
        random_state=question.seed,
        **settings,
    )


def _torch_network(question: Question, parameters: Parameters) -> Any:
    need("torch", extra="torch")  # only fitting needs it, which is late to find out that it is missing
    perceptron = need("siklus.train.perceptron", extra="torch")
    kind = perceptron.TorchClassifier if question.classify else perceptron.TorchRegressor
    model = kind(
        hidden=(int(parameters["units"]),) * int(parameters["layers"]),
        learning_rate=float(parameters["learning_rate"]),
        weight_decay=float(parameters["alpha"]),
        seed=question.seed,
    )
    return Pipeline([("prepare", dense(question.contract)), ("model", model)])


BOOSTING: Space = {
    "learning_rate": Range(0.1, 0.03, 0.3, log=True),
    "trees": Range(150, 50, 400, log=True),
    "leaves": Range(31, 7, 127, log=True),
    "leaf_rows": Range(20, 5, 100, log=True),
    "penalty": Range(1.0, 1e-3, 10.0, log=True),
}
FOREST: Space = {
    "trees": Range(100, 50, 200),
    "leaf_rows": Range(3, 1, 30, log=True),
    "column_share": Range(0.5, 0.2, 1.0),
}
NETWORK: Space = {
    "layers": Range(2, 1, 3),
    "units": Range(64, 16, 128, log=True),
    "alpha": Range(1e-4, 1e-6, 1e-1, log=True),
    "learning_rate": Range(1e-3, 3e-4, 1e-2, log=True),
}

# Of two candidates that do as well the less complex is chosen, so the order here is a promise.
_KNOWN = (
    Candidate(name="dummy", complexity=0, space={}, build=_dummy),
    Candidate(name="linear", complexity=1, space={"penalty": Range(1.0, 1e-3, 1e3, log=True)}, build=_linear),
    Candidate(name="hist-gradient-boosting", complexity=3, space=BOOSTING, build=_hist_gradient_boosting),
    Candidate(name="lightgbm", complexity=3, space=BOOSTING, build=_lightgbm),
    Candidate(name="xgboost", complexity=3, space=BOOSTING, build=_xgboost),
    Candidate(name="random-forest", complexity=4, space=FOREST, build=_random_forest),
    Candidate(name="extra-trees", complexity=4, space=FOREST, build=_extra_trees),
    Candidate(name="mlp", complexity=5, space=NETWORK, build=_network),
    Candidate(name="torch-mlp", complexity=5, space=NETWORK, build=_torch_network),
)
CANDIDATES: dict[str, Candidate] = {candidate.name: candidate for candidate in _KNOWN}
