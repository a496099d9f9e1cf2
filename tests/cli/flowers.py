"""A small project with data, and models of its rows as files: what commands are tried on."""

from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from siklus.cli.main import main

TARGET = "species"
SPECIES = ["setosa", "versicolor", "virginica"]


def flowers() -> pd.DataFrame:
    frame = load_iris(as_frame=True).frame
    names = [name.removesuffix(" (cm)") for name in frame.columns[:4]]
    return frame.set_axis([*names, TARGET], axis=1).assign(species=lambda rows: rows[TARGET].map(dict(enumerate(SPECIES))))


def rows() -> pd.DataFrame:
    return flowers().drop(columns=TARGET)


def fitted() -> Any:
    """A pipeline that anybody might have."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows(), flowers()[TARGET])


def project(directory: Path) -> Path:
    """`siklus init` over the flowers, which lie beside it as flowers.csv."""
    data = directory / "flowers.csv"
    flowers().to_csv(data, index=False)
    assert main(["init", str(directory / "garden"), "--data", str(data), "--target", TARGET, "--name", "garden"]) == 0
    return directory / "garden"


def joblib_of(model: Any, file: Path) -> Path:
    joblib.dump(model, file)
    return file
