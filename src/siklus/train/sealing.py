"""From contents to a sealed bundle that is known to answer: golden rows, seal, one opening."""

import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.bundle.golden import golden_answers
from siklus.bundle.read import open_bundle
from siklus.bundle.write import Contents, manifest_of, place, seal
from siklus.contract.columns import Contract
from siklus.contract.profiles import profile_rows
from siklus.files import disk_errors
from siklus.stats.profile import ColumnProfile, Profile, profile_numbers, profile_words
from siklus.table import Table

GOLDEN_ROWS = 16

Numbers = NDArray[np.floating[Any]]


def with_golden(contents: Contents, table: Table, *, now: datetime) -> Contents:
    """The contents with the first rows of a table as golden ones, answered as a server will."""
    golden = golden_answers(
        contents.model,
        instances_of(table.take(np.arange(min(GOLDEN_ROWS, len(table)))), contents.contract),
        manifest=manifest_of(contents, now=now),
        contract=contents.contract,
    )
    return replace(contents, golden=golden)


def seal_among(contents: Contents, bundles: Path, *, now: datetime) -> Path:
    """Seal the bundle under its digest; opened once, so that what is registered is known to answer."""
    with disk_errors(bundles):
        bundles.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bundles, prefix=".sealing.") as folder:
        draft = Path(folder) / "draft"
        seal(contents, draft, now=now)
        open_bundle(draft)
        return place(draft, bundles)


def instances_of(table: Table, contract: Contract) -> list[dict[str, Any]]:
    """Rows as a JSON client would send them."""
    raw = [{name: row[name] for name in contract.names if name in row} for row in table.records()]
    plain: list[dict[str, Any]] = msgspec.to_builtins(raw)
    return plain


def reference_profile(contract: Contract, matrix: Numbers, predictions: Numbers) -> Profile:
    """What drift is held against: the columns as the model saw them, and its answers (for whatever rows)."""
    classes = contract.target.classes
    if classes is None:
        prediction: ColumnProfile = profile_numbers(predictions)
    else:
        prediction = profile_words(np.argmax(predictions, axis=1).astype(np.float64), classes)
    return Profile(rows=len(matrix), columns=profile_rows(contract, matrix), prediction=prediction)
