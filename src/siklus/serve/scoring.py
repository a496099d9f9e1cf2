"""Scoring: instances in, answered rows out. Every protocol translates to this and nothing else."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from siklus.bundle.read import Bundle
from siklus.bundle.session import Predictions
from siklus.contract.columns import label_text
from siklus.contract.decode import Decoded, Rows, decode_records, decode_table
from siklus.errors import BundleError, RequestError, ServeError
from siklus.records.ids import IdIssuer
from siklus.table import Table

Given: TypeAlias = Sequence[object] | Table  # JSON instances, or named columns

_LOG = logging.getLogger("siklus.serve")


@dataclass(frozen=True, kw_only=True)
class Scored:
    """n answered rows.

    ``arm``: that of the traffic policy. ``labels``: the class as the data has it, or the number, one a
    row. ``ids``: one a row. ``unseen`` and ``out_of_range``: per column, how many cells held a word outside
    its vocabulary, or a number outside its range.
    """

    bundle: Bundle
    arm: str
    rows: Rows
    predictions: Predictions
    labels: list[Any]
    ids: list[str]
    unseen: Mapping[str, int]
    out_of_range: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def probabilities(self) -> list[float] | None:
        """That of each row's predicted class; None for a regression."""
        found = self.predictions.probabilities
        return None if found is None else found.tolist()

    def class_probabilities(self) -> list[dict[str, float]] | None:
        """Those of all classes, by the class as text; None for a regression."""
        classes = self.bundle.contract.target.classes
        if classes is None:
            return None
        names = [label_text(label) for label in classes]
        return [dict(zip(names, row, strict=True)) for row in self.predictions.raw.tolist()]


def score(bundle: Bundle, given: Given, *, arm: str, ids: IdIssuer) -> Scored:
    """Decode and score, all rows or none. ``given``: JSON instances, or named columns.

    RowsRefused when a row breaks the contract; BundleError BN012 when the model fails; ServeError SV004 when
    its answer is no number.
    """
    try:
        contract = bundle.contract
        decoded = (
            decode_table(given, contract) if isinstance(given, Table) else decode_records(given, contract)
        )
        rows = decoded.accepted()
    except RecursionError as exc:
        raise RequestError("RQ001", "lists nested too deeply", expected="rows of plain values") from exc
    return answered(bundle, decoded, bundle.predict(rows), arm=arm, ids=ids)


def tell_failure(bundle: Bundle, failure: BundleError, *, endpoint: str) -> None:
    """The model itself has failed at a request: the log says why, as no client may learn it."""
    told = {"version": bundle.version, "endpoint": endpoint, "code": failure.code, "reason": failure.message}
    _LOG.error("model_failed", extra=told)


def answered(
    bundle: Bundle, decoded: Decoded, predictions: Predictions, *, arm: str, ids: IdIssuer
) -> Scored:
    """What to answer to accepted rows. ServeError SV004 when the model's own answer is no number."""
    if not np.isfinite(predictions.raw).all():
        raise ServeError(
            "SV004", "the model answered with a value that is no finite number", expected="another version"
        )
    return Scored(
        bundle=bundle,
        arm=arm,
        rows=decoded.rows,
        predictions=predictions,
        labels=bundle.labels(predictions),
        ids=ids.issue(len(decoded.rows), now_ms=time.time_ns() // 1_000_000),
        unseen=decoded.unseen,
        out_of_range=decoded.out_of_range,
    )
