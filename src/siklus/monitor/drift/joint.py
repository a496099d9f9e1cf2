"""Joint drift: can a classifier tell the window's rows from the reference's? It sees all columns together.

Two columns may each look as in training while their relation has changed; a test a column is blind to that.
If rows are exchangeable, no classifier tells them apart better than by tossing a coin (Lopez-Paz & Oquab,
Revisiting classifier two-sample tests, arXiv 1610.06545).

The rows are dealt into blocks; each block but the first is judged by a model that was fitted on those before
it. Ordinary cross-validation would judge more rows, but its folds depend on one another, and a test that
takes them for independent alarms on 9 % of equal samples at a nominal 5 %. Judged one after the other, the
blocks' rank sums are independent when nothing has changed, whatever the models have learnt.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from siklus.bundle.read import Bundle
from siklus.data.snapshot import open_snapshot
from siklus.errors import MonitorError
from siklus.extras import need
from siklus.monitor.drift.rows import WindowRows, decode_leniently, rows_of_records
from siklus.monitor.drift.words import say_too_few
from siklus.project.paths import Paths
from siklus.project.sections import Monitor
from siklus.records.layout import Layout
from siklus.records.read import records_between
from siklus.records.reading import PredictionRecord
from siklus.stats.losses import Floats
from siklus.stats.ranking import Area, ranks, roc_area
from siklus.table import FloatRows

BLOCKS = 5  # four of them are judged
MOST_ROWS = 10_000  # of either side: a few seconds, and enough to see an AUC of 0.52
LEVEL = 0.95  # of the interval
COLUMNS_SAID = 3  # named in the sentence; the others stand in the list
# Small trees, few of them: a domain classifier that overfits only judges worse.
TREES: dict[str, Any] = {"max_iter": 60, "max_leaf_nodes": 8, "min_samples_leaf": 20, "early_stopping": False}

Flags: TypeAlias = NDArray[np.bool_]
JointVerdict: TypeAlias = Literal["alike", "slight", "apart", "too few"]


class UsedColumn(Struct, frozen=True, kw_only=True):
    """``importance``: how much AUC is lost when the column's cells are shuffled among the judged rows.

    Of two columns that say the same, neither may be missed.
    """

    name: str
    importance: float


class JointDrift(Struct, frozen=True, kw_only=True):
    """``auc``: 0.5 when nobody can tell the rows apart, 1 when each can be told; with its interval.

    ``p``: that nothing changed; ``p_beyond``: that it changed by no more than the tolerance, which lets an
    AUC of ``auc_tolerated`` pass. None and no alarm when either side has too few rows. ``rows`` and
    ``reference_rows``: as many as were used.
    """

    verdict: JointVerdict
    alarm: bool
    rows: int
    reference_rows: int
    false_alarm_rate: float
    auc_tolerated: float
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_beyond: float | None = None
    columns: tuple[UsedColumn, ...] = ()
    said: str = ""


def joint_drift(
    reference: FloatRows, window: FloatRows, *, columns: Sequence[str], settings: Monitor, seed: int = 0
) -> JointDrift:
    """Tell decoded rows apart, shapes (rows, len(columns)); of more than 10,000 a sample by ``seed``.

    The same rows and seed give the same answer.
    """
    rng = np.random.default_rng(seed)
    old, new = _sampled(reference, rng), _sampled(window, rng)
    tolerated = float(ndtr(math.sqrt(settings.tolerance / 2)))
    found = JointDrift(
        verdict="too few",
        alarm=False,
        rows=len(new),
        reference_rows=len(old),
        false_alarm_rate=settings.false_alarm_rate,
        auc_tolerated=tolerated,
        said=_too_few(len(old), len(new), settings.min_rows),
    )
    if min(len(old), len(new)) < settings.min_rows:
        return found
    told = _told_apart(np.concatenate([old, new]), np.arange(len(old) + len(new)) >= len(old), rng)
    auc = float(np.mean([area.value for area in told.areas]))
    error = math.sqrt(sum(float((area.parts**2).sum()) for area in told.areas)) / len(told.areas)
    p = float(ndtr(-sum(told.scores) / math.sqrt(len(told.scores))))
    p_beyond = float(ndtr((tolerated - auc) / error)) if error else float(auc <= tolerated)
    wide = float(ndtri((1 + LEVEL) / 2)) * error
    verdict: JointVerdict = "alike"
    if p <= settings.false_alarm_rate:
        verdict = "apart" if p_beyond <= settings.false_alarm_rate else "slight"
    used = tuple(
        UsedColumn(name=columns[i], importance=float(told.importances[i]))
        for i in np.argsort(-told.importances, kind="stable")
    )
    return replace(
        found,
        verdict=verdict,
        alarm=verdict == "apart",
        auc=auc,
        low=max(0.0, auc - wide),
        high=min(1.0, auc + wide),
        p=p,
        p_beyond=p_beyond,
        columns=used,
        said=_said(verdict, auc, used),
    )


def joint_drift_of(bundle: Bundle, window: WindowRows, *, paths: Paths, settings: Monitor) -> JointDrift:
    """A window against the rows that the version was trained on, which its snapshot keeps.

    MonitorError MO002 where it was trained on rows that nobody kept, DataError DA022 or DA023 where the
    snapshot is gone or damaged.
    """
    kept = bundle.provenance().data_digest
    if kept is None:
        raise MonitorError(
            "MO002",
            f"version {bundle.version}: the rows that it was trained on are not known",
            expected="a version of `siklus train`, or --against a FILE of such rows",
        )
    trained = decode_leniently(open_snapshot(kept, paths.snapshots), bundle.contract)
    return joint_drift_of_rows(
        WindowRows(bundle.contract, trained.rows.matrix, None), window, settings=settings
    )


def joint_drift_between(
    bundle: Bundle, since: datetime, until: datetime, *, paths: Paths, settings: Monitor
) -> JointDrift:
    """What the log has of the version between two moments, likewise; of many rows a sample. RC006 too."""
    records = records_between(Layout(paths.records), since, until)
    own = (record for record in records if record.version == bundle.version)
    window = rows_of_records(_some(own, np.random.default_rng(0)), contract=bundle.contract)
    return joint_drift_of(bundle, window, paths=paths, settings=settings)


def joint_drift_of_rows(reference: WindowRows, window: WindowRows, *, settings: Monitor) -> JointDrift:
    """By the columns that both have."""
    columns = [slot for slot in window.contract.slots if slot in reference.contract.slots]
    if not columns:
        raise MonitorError(
            "MO003",
            "joint drift: there is no column to compare",
            expected="columns of numbers, words, booleans or moments",
        )
    old, new = (
        rows.matrix[:, [rows.contract.slots.index(slot) for slot in columns]] for rows in (reference, window)
    )
    return joint_drift(old, new, columns=columns, settings=settings)


@dataclass(frozen=True)
class _Told:
    """Of each judged block its AUC and that AUC's standard score; of each column what shuffling it costs."""

    areas: tuple[Area, ...]
    scores: tuple[float, ...]
    importances: Floats


def _told_apart(matrix: FloatRows, is_new: Flags, rng: np.random.Generator) -> _Told:
    blocks = _blocks(is_new, rng)
    model: Any = None
    areas, scores = [], []
    for count in range(1, BLOCKS):
        before, block = np.concatenate(blocks[:count]), blocks[count]
        model = need("sklearn.ensemble").HistGradientBoostingClassifier(**TREES, random_state=0)
        model.fit(matrix[before], is_new[before])
        found = model.predict_proba(matrix[block])[:, 1]
        areas.append(roc_area(is_new[block], found))
        scores.append(standard_score(is_new[block], found))
    judged, answers = matrix[blocks[-1]], is_new[blocks[-1]]
    importances = [
        areas[-1].value - roc_area(answers, model.predict_proba(_shuffled(judged, i, rng))[:, 1]).value
        for i in range(matrix.shape[1])
    ]
    return _Told(tuple(areas), tuple(scores), np.array(importances))


def standard_score(positive: Flags, scores: Floats) -> float:
    """Mann and Whitney's, of the rank sum of the positive rows, corrected for ties; 0 if all are tied."""
    hits, misses = int(positive.sum()), int((~positive).sum())
    rows = hits + misses
    _, ties = np.unique(scores, return_counts=True)
    spread = rows + 1 - float((ties.astype(np.float64) ** 3 - ties).sum()) / (rows * (rows - 1))
    if spread <= 0:
        return 0.0
    wins = float(ranks(scores)[positive].sum()) - hits * (hits + 1) / 2
    return (wins - hits * misses / 2) / math.sqrt(hits * misses * spread / 12)


def _blocks(is_new: Flags, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Rows by chance, each block with its part of either side."""
    sides = [rng.permutation(np.flatnonzero(is_new == side)) for side in (False, True)]
    return [np.concatenate([side[block::BLOCKS] for side in sides]) for block in range(BLOCKS)]


def _sampled(matrix: FloatRows, rng: np.random.Generator) -> FloatRows:
    return matrix if len(matrix) <= MOST_ROWS else matrix[rng.choice(len(matrix), MOST_ROWS, replace=False)]


def _some(records: Iterable[PredictionRecord], rng: np.random.Generator) -> list[PredictionRecord]:
    """A sample of as many as are used, without holding more of them (Vitter's algorithm R)."""
    kept: list[PredictionRecord] = []
    for count, record in enumerate(records, start=1):
        if count <= MOST_ROWS:
            kept.append(record)
        elif (place := int(rng.integers(count))) < MOST_ROWS:
            kept[place] = record
    return kept


def _shuffled(matrix: FloatRows, column: int, rng: np.random.Generator) -> FloatRows:
    copy = matrix.copy()
    copy[:, column] = rng.permutation(copy[:, column])
    return copy


def _too_few(old: int, new: int, fewest: int) -> str:
    """It takes as many on either side."""
    if new < fewest:
        return say_too_few(new, fewest)
    return f"the reference has too few rows for a classifier: {old:,} of {fewest:,}"


def _said(verdict: JointVerdict, auc: float, used: Sequence[UsedColumn]) -> str:
    if verdict == "alike":
        return "a classifier cannot tell these rows from the reference's"
    by = ", ".join(column.name for column in used[:COLUMNS_SAID] if column.importance > 0)
    how = "a little better than by chance" if verdict == "slight" else "from the reference's"
    return f"a classifier can tell these rows {how} (AUC {auc:.2f})" + (f", most by {by}" if by else "")
