"""What cannot be packaged says what is missing, and leaves nothing behind."""

import threading
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import siklus
from siklus.errors import SiklusError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3))
Y = X[:, 0] > 0
FITTED = LogisticRegression().fit(X, Y)


class Unsafe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A class of the user's own, which holds what no format does."""

    def fit(self, rows: Any, outcomes: Any) -> Self:
        self.classes_ = np.unique(outcomes)
        self.lock_ = threading.Lock()
        return self

    def predict(self, rows: Any) -> Any:
        return self.classes_[np.zeros(len(rows), dtype=int)]

    def predict_proba(self, rows: Any) -> Any:
        return np.tile([[0.75, 0.25]], (len(rows), 1))


def of_texts_and_moments() -> Any:
    return make_pipeline(make_column_transformer((TfidfVectorizer(), "said")), LogisticRegression())


TEXTS = pd.DataFrame(
    {
        "said": [f"number {i} said something of its own" for i in range(60)],
        "when": pd.date_range("2024-01-01", periods=60, freq="h"),
    }
)

REFUSED: dict[str, tuple[str, Any, Any, Any]] = {
    "no model": ("EX012", object(), X, Y),
    "no probabilities": ("EX012", LinearSVC().fit(X, Y), X, Y),
    "neither classes nor numbers": ("EX012", KMeans(2, n_init=1).fit(X), X, Y),
    "several targets": ("EX012", RandomForestClassifier(3).fit(X, np.c_[Y, ~Y]), X, Y),
    "a table of outcomes": ("EX012", FITTED, X, pd.DataFrame({"a": Y, "b": Y})),
    "several outcomes a row": ("EX012", FITTED, X, np.c_[Y, Y]),
    "not fitted": ("EX013", Ridge(), X, X[:, 0]),
    "other columns": ("EX013", FITTED, X[:, :2], Y),
    "a class of one's own": ("EX010", Unsafe().fit(X, Y), X, Y),
    "a function of one's own": (
        "EX010",
        make_pipeline(FunctionTransformer(lambda rows: rows * 2), LogisticRegression()).fit(X, Y),
        X,
        Y,
    ),
    "moments that a frame needs": ("EX010", of_texts_and_moments().fit(TEXTS, Y), TEXTS, Y),
    "no rows": ("DA032", FITTED, X[:0], Y[:0]),
    "rows without outcomes": ("DA001", FITTED, X, Y[:10]),
    "no table": ("DA017", FITTED, X.tolist(), Y),
    "outcomes of another kind": ("RW008", FITTED, X, np.where(Y, "yes", "no")),
    "infinities": ("RW005", FITTED, np.where(X[0, 0] == X, np.inf, X), Y),
    "the target among the columns": (
        "DA031",
        FITTED,
        pd.DataFrame(X, columns=["a", "b", "y"]),
        pd.Series(Y, name="y"),
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_it_is_refused_and_nothing_is_written(why: str, tmp_path: Path) -> None:
    code, model, rows, outcomes = REFUSED[why]
    with pytest.raises(SiklusError) as refused:
        siklus.package(model, rows, outcomes, name="refused", directory=tmp_path / "b")
    assert (refused.value.code, list(tmp_path.iterdir())) == (code, [])


def test_a_task_that_the_model_is_not_made_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiklusError, match="EX012"):
        siklus.package(FITTED, X, Y, name="t", task="regression", directory=tmp_path / "b")


def test_rows_to_judge_by_come_with_their_outcomes(tmp_path: Path) -> None:
    with pytest.raises(SiklusError, match="EX012"):
        siklus.package(FITTED, X, Y, name="t", X_test=X, directory=tmp_path / "b")


def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SiklusError, match="EX020"):
        siklus.package(FITTED, X, Y, name="t", directory=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_bundle_is_replaced_by_the_next_one(tmp_path: Path) -> None:
    first = siklus.package(FITTED, X, Y, name="first", directory=tmp_path / "b")
    second = siklus.package(FITTED, X, Y, name="second", directory=tmp_path / "b")
    assert (first.path, second.manifest.name) == (second.path, "second")
