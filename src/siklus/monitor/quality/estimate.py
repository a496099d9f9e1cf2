"""Quality without labels: what a classifier's own probabilities lead to expect (confidence-based estimation).

Each answer is right with its calibrated probability, so the mean of those is the accuracy to expect, and the
same counts give the other rates. That holds as long as P(y|x) is what it was on the rows that calibrate:
other rows (covariate shift) are followed, another meaning of the same rows (concept change) is not seen at
all. So this is shown, and never decides anything.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit, logit

from siklus.monitor.quality.report import Expected
from siklus.records.joined import JoinedRows
from siklus.stats.calibration import Calibration
from siklus.stats.losses import Floats

SURE = 1e-6  # from a probability to 0 or 1, so that its log odds are finite
ASSUMPTION = (
    "An estimate without labels: it assumes P(y|x) unchanged since the evaluation, so it does not see when "
    "the same rows begin to mean something else."
)
SEEN = " The probabilities were calibrated on rows that the model may have been fitted on, which flatters it."


def calibration_in(evidence: Mapping[str, Any]) -> Calibration | None:
    """The calibration bins of an evaluation.json; None where it has none."""
    found = (evidence.get("evaluation") or {}).get("calibration")
    if not found or not found["rows"]:
        return None
    predicted, observed, rows = (
        np.asarray(found[name], dtype=np.float64) for name in ("predicted", "observed", "rows")
    )
    return Calibration(predicted, observed, rows)


def expected_quality(rows: JoinedRows, evidence: Mapping[str, Any]) -> Expected | None:
    """What to expect of one version's answers, labelled or not; ``evidence``: its evaluation.json.

    None for a regression, for which probabilities say nothing, without calibration bins, or without rows.
    """
    binned = calibration_in(evidence)
    known = ~np.isnan(rows.predicted) & ~np.isnan(rows.probability)
    if rows.classes is None or binned is None or not known.any():
        return None
    predicted, probability = rows.predicted[known], rows.probability[known]
    said = ASSUMPTION + (SEEN if "fitted on" in evidence.get("judged_on", "") else "")
    count = int(known.sum())
    if len(rows.classes) != 2:
        accuracy = float(calibrated(binned, probability).mean())
        return Expected(rows=count, metrics={"accuracy": accuracy}, confusion=None, said=said)
    first = np.where(predicted == 1, probability, 1.0 - probability)
    chance = calibrated(binned, first)
    confusion = _confusion(predicted == 1, chance)
    return Expected(
        rows=count,
        metrics=_rates(confusion) | _of_probabilities(first, chance),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        said=said,
    )


def calibrated(binned: Calibration, probability: Floats) -> Floats:
    """The probabilities, moved on the logit by what the bins missed, as far as that is more than chance.

    Between bins the move is interpolated, beyond them it stays; so a probability keeps its own resolution
    where few rows were held out. Its size is shrunk by James & Stein's factor, 1 − bins ÷ X².
    """
    spread = np.clip(binned.predicted * (1 - binned.predicted), SURE, None)
    seen = float((binned.rows * (binned.observed - binned.predicted) ** 2 / spread).sum())
    believed = max(0.0, 1.0 - len(binned.rows) / seen) if seen > 0 else 0.0
    # A row is added to each bin that came as predicted, so that none has an infinite odds ratio.
    observed = (binned.observed * binned.rows + binned.predicted) / (binned.rows + 1)
    at = logit(_inside(binned.predicted))
    odds = logit(_inside(probability))
    moved: Floats = expit(odds + believed * np.interp(odds, at, logit(_inside(observed)) - at))
    return moved


def _inside(probability: Floats) -> Floats:
    return np.clip(probability, SURE, 1 - SURE)


def _confusion(positive: np.ndarray, chance: Floats) -> Floats:
    """Expected rows by true class (down) and predicted class (across)."""
    missed, hit = float(chance[~positive].sum()), float(chance[positive].sum())
    return np.array([[(~positive).sum() - missed, positive.sum() - hit], [missed, hit]])


def _rates(confusion: Floats) -> dict[str, float]:
    (right_no, false), (missed, hit) = confusion.tolist()
    rates = {
        "accuracy": (hit + right_no, hit + right_no + false + missed),
        "precision": (hit, hit + false),
        "recall": (hit, hit + missed),
        "f1": (2 * hit, 2 * hit + false + missed),
    }
    return {name: above / below for name, (above, below) in rates.items() if below > 0}


def _of_probabilities(said: Floats, chance: Floats) -> dict[str, float]:
    """``said``: the probability of class 1, as it was answered; ``chance``: the calibrated one."""
    surprise = -(chance * np.log(_inside(said)) + (1 - chance) * np.log1p(-_inside(said)))
    brier = chance * (1 - said) ** 2 + (1 - chance) * said**2
    found = {"log_loss": float(surprise.mean()), "brier": float(brier.mean())}
    area = _area(said, chance)
    return found if area is None else found | {"roc_auc": area}


def _area(said: Floats, chance: Floats) -> float | None:
    """The ROC area to expect: over all pairs of rows, the first a positive and the second none."""
    _, place = np.unique(said, return_inverse=True)
    hits = np.bincount(place, chance)
    misses = np.bincount(place, 1 - chance)
    below = np.cumsum(misses) - misses
    alone = float((chance * (1 - chance)).sum())  # a row is no pair with itself
    pairs = float(hits.sum() * misses.sum()) - alone
    if pairs <= 0:
        return None
    return (float((hits * (below + misses / 2)).sum()) - alone / 2) / pairs
