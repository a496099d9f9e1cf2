"""Answers again: what a bundle says now of training's rows, beside what it answered then."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from siklus.bundle.read import Bundle
from siklus.contract.decode import Rows, class_indices
from siklus.records.reading import PredictionRecord
from siklus.stats.agreement import TOLERANCE, Floats, Parity, Places, agreement, agreement_on_chosen
from siklus.stats.profile import ColumnProfile, NumericProfile
from siklus.table import FloatRows, objects

Model: TypeAlias = Callable[
    [FloatRows], Floats
]  # rows (N, width) → probabilities (N, classes), or values (N,)

MODEL_ROWS = 20_000  # that the trained model answers too: it may be a thousand times slower than its graph


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a bundle's parity certificate is asked here: how far its graph was from the trained model."""

    rows: int
    max_difference: float
    tolerance: float


def certificate_of(bundle: Bundle) -> Certificate | None:
    """None where a bundle has none: its model is the trained one, or nobody could prove anything."""
    exported = bundle.document("evaluation.json").get("export") or {}
    found = exported.get("parity")
    return None if found is None else msgspec.convert(found, type=Certificate)


class AnswersAgain:
    """Collects a version's answers, some rows at a time."""

    def __init__(self, bundle: Bundle, model: Model | None) -> None:
        self._bundle, self._model = bundle, model
        self.certificate = certificate_of(bundle)
        self._tolerance = self.certificate.tolerance if self.certificate else TOLERANCE
        self._spread = _spread_of(bundle.profile().prediction)
        self._answers: list[Floats] = []
        self._chosen: list[Places] = []
        self._logged: list[Floats] = []
        self._trained: list[Floats] = []

    def take(self, rows: Rows, records: Sequence[PredictionRecord]) -> None:
        """``rows``: as a training would have them, in the order of the records that they were made of."""
        asked = sum(map(len, self._trained))
        self._answers.append(np.asarray(self._bundle.predict(rows).raw, dtype=np.float64))
        if self._model is not None and asked < MODEL_ROWS:
            self._trained.append(self._model(rows.matrix[: MODEL_ROWS - asked]))
        classes = self._bundle.contract.target.classes
        if classes is None:
            self._logged.append(np.array([_number(record.prediction) for record in records]))
            return
        self._chosen.append(class_indices(objects(record.prediction for record in records), classes))
        self._logged.append(np.array([_number(record.probability) for record in records]))

    def logged(self) -> Parity:
        """The answers beside the logged ones: class and probability, or number. Of one row at least."""
        answers, logged = np.concatenate(self._answers), np.concatenate(self._logged)
        if self._chosen:
            chosen = np.concatenate(self._chosen)
            return agreement_on_chosen(answers, chosen, logged, tolerance=self._tolerance)
        return agreement(
            answers, logged, task="regression", tolerance=self._tolerance, known_spread=self._spread
        )

    def trained(self) -> Parity | None:
        """The answers beside the trained model's, of the first rows; None without a model."""
        if not self._trained:
            return None
        reference = np.concatenate(self._trained)
        answers, task = np.concatenate(self._answers)[: len(reference)], self._bundle.contract.task
        return agreement(answers, reference, task=task, tolerance=self._tolerance, known_spread=self._spread)


def _spread_of(predictions: ColumnProfile) -> float | None:
    """About the standard deviation of what was predicted in training: that of its quantiles."""
    cuts = predictions.cuts if isinstance(predictions, NumericProfile) else ()
    return float(np.std(cuts)) if len(cuts) > 1 else None


def _number(value: object) -> float:
    """NaN for what is none: it is infinitely far from every answer."""
    return float(value) if isinstance(value, int | float) else np.nan
