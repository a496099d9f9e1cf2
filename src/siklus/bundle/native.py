"""Native models: only formats that rebuild a model from data and an allow-list, never from code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siklus.contract.columns import Task
from siklus.errors import BundleError
from siklus.extras import need

# What a sealed skops file may name beyond skops' own trusted list: these modules define estimators, and
# building one runs no code of the file. An own estimator's module is not here, so it cannot be sealed natively.
ALLOWED_TYPE_PREFIXES = ("sklearn.", "numpy.", "scipy.sparse.", "builtins.", "collections.OrderedDict")


def read_skops(path: Path, _task: Task) -> Any:
    io = need("skops.io", extra="native")
    foreign = [name for name in io.get_untrusted_types(file=path) if not name.startswith(ALLOWED_TYPE_PREFIXES)]
    if foreign:
        raise BundleError("BN010", f"{path}: types {foreign}", expected="scikit-learn's own types only")
    return io.load(path, trusted=io.get_untrusted_types(file=path))


def read_xgboost(path: Path, task: Task) -> Any:
    xgboost = need("xgboost", extra="xgboost")
    model = xgboost.XGBRegressor() if task == "regression" else xgboost.XGBClassifier()
    model.load_model(path)
    return model


def read_lightgbm(path: Path, task: Task) -> Any:
    booster = need("lightgbm", extra="lightgbm").Booster(model_file=path)
    return LightgbmModel(booster, task)


class LightgbmModel:
    """scikit-learn's two verbs over a LightGBM booster, whose text file keeps no wrapper."""

    def __init__(self, booster: Any, task: Task) -> None:
        self._booster = booster
        self._task = task

    def predict(self, rows: Any) -> Any:
        return self._booster.predict(rows)

    def predict_proba(self, rows: Any) -> Any:
        answers = self._booster.predict(rows)
        if answers.ndim == 2:
            return answers
        return np.stack([1 - answers, answers], axis=1)


NATIVE_READERS: Mapping[str, Callable[[Path, Task], Any]] = {
    "skops": read_skops,
    "xgboost": read_xgboost,
    "lightgbm": read_lightgbm,
}
