"""Traffic beside training, judged as the monitor judges it, and what a look says of both."""

import numpy as np
from msgspec.structs import replace

from siklus.automation.retraining.signs import Signs
from siklus.monitor.drift.judge import drift, drift_watch
from siklus.monitor.drift.report import PREDICTION
from siklus.monitor.signals import Signal
from siklus.project.sections import Monitor
from siklus.stats.profile import Profile, profile_numbers, profile_words

ROWS = 20_000
STEPS = 4
WORDS = ("JFK", "LGA", "EWR")
# Of the loss, as `worth_of` has it.
WORTH = {"distance": 0.8, "temp": 0.2, "origin": 0.05, "gate": 0.0}
STRICT = 1e-8


def rows(count: int, *, seed: int, **changes: float) -> dict[str, np.ndarray]:
    """Columns as in training but for the changes, which are named: `temp=0.5` moves its mean by that many
    standard deviations, `missing_temp=0.2` takes a fifth of its cells away, `unseen=0.1` brings new words."""
    rng = np.random.default_rng(seed)
    found = {name: rng.normal(changes.get(name, 0.0), 1.0, count) for name in ("distance", "temp", "gate")}
    for name, cells in found.items():
        cells[rng.random(count) < changes.get(f"missing_{name}", 0.002)] = np.nan
    words = rng.integers(0, 3, count).astype(float)
    found["origin"] = np.where(rng.random(count) < changes.get("unseen", 0.0), -1.0, words)
    found[PREDICTION] = rng.normal(changes.get("answers", 0.0), 1.0, count)
    return found


def reference() -> Profile:
    found = rows(ROWS, seed=1)
    numbers = {name: profile_numbers(found[name]) for name in ("distance", "temp", "gate")}
    return Profile(
        rows=ROWS,
        columns={**numbers, "origin": profile_words(found["origin"], WORDS)},
        prediction=profile_numbers(found[PREDICTION]),
    )


def counted(of: Profile, found: dict[str, np.ndarray]) -> Profile:
    columns = {name: replace(column, counts=column.count(found[name])) for name, column in of.columns.items()}
    prediction = replace(of.prediction, counts=of.prediction.count(found[PREDICTION]))
    return Profile(rows=len(found[PREDICTION]), columns=columns, prediction=prediction)


def signs(*, labelled: int = 5_000, quality_alarm: bool = False, **changes: float) -> Signs:
    """A look at traffic that is as in training, but for the changes (`rows`)."""
    settings, old = Monitor(), reference()
    steps = [counted(old, rows(2_000, seed=10 + number, **changes)) for number in range(STEPS)]
    report = drift(old, counted(old, rows(4_000, seed=2, **changes)), settings=settings)
    evidence = drift_watch(old, steps, settings=settings)
    values = {
        "predictions_since_training": 10_000.0,
        "labelled_since_training": float(labelled),
        "drift_alarm": float(evidence.alarm),
        "quality_alarm": float(quality_alarm),
    }
    return Signs(
        version="3",
        signals=tuple(Signal(name=name, value=value) for name, value in values.items()),
        drift=report,
        evidence=evidence,
        worth=WORTH,
        strict=STRICT,
    )
