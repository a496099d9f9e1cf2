"""Flowers, a model of them that anybody might have, and a pickle that nobody should read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TARGET = "y"
SPECIES = ["setosa", "versicolor", "virginica"]


def flowers() -> pd.DataFrame:
    """Four measures and the species, 150 rows."""
    frame = load_iris(as_frame=True).frame
    measures = frame.iloc[:, :4].rename(columns=lambda name: name.removesuffix(" (cm)"))
    return measures.assign(y=np.array(SPECIES)[frame["target"]])


def measures() -> pd.DataFrame:
    return flowers().drop(columns=TARGET)


def fitted() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(measures(), flowers()[TARGET])


def probabilities(model: Any) -> np.ndarray:
    return np.asarray(model.predict_proba(measures()))


class Burglar:
    """What a hostile pickle is: a program of its own, run when it is read. This one leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)
