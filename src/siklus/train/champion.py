"""The new model against the one in production: on the same rows, which neither was fitted on if possible."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract, Label
from siklus.contract.decode import decode_table, decode_target
from siklus.data.digest import Hashes, cell_hashes, row_hashes
from siklus.data.snapshot import open_snapshot
from siklus.data.split import Parts, split
from siklus.errors import DataError, RowsRefused
from siklus.project.sections import Data, Split
from siklus.stats.losses import Floats
from siklus.stats.paired import Difference, compare
from siklus.table import Table

LEVEL = 0.95
FEWEST_UNSEEN = 30  # rows; with fewer the comparison says nothing, whichever way it goes


class SplitNote(msgspec.Struct, frozen=True, kw_only=True):
    """How a training's rows were shared out; with its snapshot that gives the very same parts again."""

    settings: Split
    time: str | None
    key: str | None

    @classmethod
    def of(cls, data: Data) -> "SplitNote":
        return cls(settings=data.split, time=data.time, key=data.key)


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Rows that two models are compared on: their target and the new model's answers, row by row."""

    table: Table
    target: NDArray[Any]
    answers: Floats
    classes: tuple[Label, ...] | None

    def take(self, rows: NDArray[np.bool_]) -> "Judges":
        return Judges(
            table=self.table.take(rows),
            target=self.target[rows],
            answers=self.answers[rows],
            classes=self.classes,
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """``difference`` is None where the champion cannot answer the rows; ``about`` is a sentence on them."""

    difference: Difference | None
    about: str


def against_champion(
    judges: Judges, champion: Bundle, *, metric: str, key: str | None, snapshots: Path
) -> Comparison:
    """The new model's loss minus the champion's, row by row. Above 0 the new one is worse.

    ``judges`` is the new model's test part, on which it was not fitted. Of these rows only those are
    judged on that the champion was not fitted on either: its snapshot and its split are looked up, and
    rows are recognised by the row key, or else by their content. In a split by hash or by time that is
    as good as all rows, since no row changes its part. Where fewer than 30 are left, or the champion's
    snapshot is not kept here (or it was packaged, not trained), all rows judge; the champion may then know
    some of them, which favours it: the gate is too strict then, never too mild.
    """
    if champion.manifest.task != ("regression" if judges.classes is None else "classification"):
        return Comparison(difference=None, about=f"the champion answers a {champion.manifest.task}")
    unseen = unseen_by(champion, judges.table, key=key, snapshots=snapshots)
    about = "the champion may have been fitted on some of them"
    if unseen is not None and unseen.sum() >= FEWEST_UNSEEN:
        judges, about = judges.take(unseen), "neither model was fitted on any of them"
    try:
        theirs = answers_of(champion, judges.table, classes=judges.classes)
    except RowsRefused as exc:
        return Comparison(difference=None, about=f"the champion's contract refuses these rows: {exc}")
    found = compare(metric, judges.target, judges.answers, theirs, level=LEVEL)
    return Comparison(difference=found, about=about)


def answers_of(model: Bundle, table: Table, *, classes: tuple[Label, ...] | None) -> Floats:
    """What a model says of the rows, its classes in this order; one that it never met has 0. RowsRefused."""
    rows = decode_table(known_to(model.contract, table), model.contract).accepted()
    raw = np.asarray(model.predict(rows).raw, dtype=np.float64)
    known = model.contract.target.classes
    if classes is None or known is None:
        return raw
    found = np.zeros((len(raw), len(classes)))
    for i, label in enumerate(classes):
        if label in known:
            found[:, i] = raw[:, known.index(label)]
    return found


def known_to(contract: Contract, table: Table) -> Table:
    """Columns that an older contract does not know are not its business."""
    known = {*contract.names, contract.target.name, *contract.ignored}
    return table.select([name for name in table if name in known])


def unseen_by(model: Bundle, table: Table, *, key: str | None, snapshots: Path) -> NDArray[np.bool_] | None:
    """True for rows that the model was not fitted on; None where that cannot be known."""
    then = snapshot_of(model, snapshots)
    if then is None:
        return None
    fitted = then.table.take(np.concatenate([then.parts.train, then.parts.valid]))
    shared = [name for name in table if name in fitted]
    return ~np.isin(_names_of_rows(table, key, shared), _names_of_rows(fitted, key, shared))


@dataclass(frozen=True)
class Kept:
    """The rows of a training, and how they were shared out."""

    table: Table
    parts: Parts


def snapshot_of(model: Bundle, snapshots: Path) -> Kept | None:
    """What the model was trained on; None where it is not kept here, or the model was packaged."""
    digest = model.provenance().data_digest
    noted = model.document("evaluation.json").get("split")
    if digest is None or noted is None:
        return None
    try:
        then = open_snapshot(digest, snapshots)
    except DataError:
        return None
    note, contract = msgspec.convert(noted, type=SplitNote), model.contract
    classes = None if contract.target.classes is None else decode_target(then, contract)
    return Kept(then, split(then, settings=note.settings, time=note.time, key=note.key, classes=classes))


def _names_of_rows(table: Table, key: str | None, shared: list[str]) -> Hashes:
    return cell_hashes(table[key]) if key in shared and key is not None else row_hashes(table.select(shared))
