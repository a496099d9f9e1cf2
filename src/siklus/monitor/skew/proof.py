"""Skew: whether answered rows, as a training would prepare them, are the very float32 rows that were scored.

Each logged row is decoded twice. As a request: by `decode_records`, and where the quick way would have
taken it, by `QuickReader` too. As training data: written to a file, read, kept, checked and decoded by the
functions that `siklus train` calls. The rows must have the same bits, and give the answers that were logged.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
import numpy as np

from siklus.bundle.read import Bundle
from siklus.contract.check import check
from siklus.contract.columns import Contract
from siklus.contract.decode import Decoded, Rows, decode_records, decode_table
from siklus.contract.quick import QuickReader, Row
from siklus.errors import MonitorError
from siklus.monitor.skew.answers import AnswersAgain, Certificate, Model
from siklus.monitor.skew.bits import Marks, unequal
from siklus.monitor.skew.evidence import Chunk, Difference, Refusal, Way, differences, refusals, refused_rows
from siklus.monitor.skew.training_door import Door, through
from siklus.records.entries import json_text
from siklus.records.reading import PredictionRecord
from siklus.stats.agreement import Parity, Places

CHUNK_ROWS = 20_000  # at once through the door
SHOWN = 20  # of a version's differences and refusals


@dataclass(frozen=True)
class Served:
    """A version that answered. ``model``: the trained one that its bundle was made of, where it is kept."""

    bundle: Bundle
    model: Model | None = None


class VersionSkew(msgspec.Struct, frozen=True, kw_only=True):
    """What came out for one version.

    ``rows``: that were compared; ``identical``: of them, those that neither way refused and whose every
    bit was the same. ``quick``: those that the server's quick way read as well. ``columns``: that were
    compared; ``hidden``: columns that the log does not have as they were. ``cells``: by slot, how many
    differ; the first are in ``differences``. ``refused_by_serving`` and ``refused_by_training``: rows.
    ``answers``: the bundle's answers for training's rows beside the logged ones; None where columns are
    hidden. ``certificate``: what was proven when the bundle was made; ``trained``: the same, for these rows.
    """

    version: str
    rows: int
    identical: int
    quick: int
    columns: tuple[str, ...]
    hidden: tuple[str, ...]
    cells: dict[str, int]
    differences: tuple[Difference, ...]
    refused_by_serving: int
    refused_by_training: int
    refusals: tuple[Refusal, ...]
    answers: Parity | None
    certificate: Certificate | None
    trained: Parity | None

    @property
    def found(self) -> bool:
        """Whether there is any skew."""
        proofs = [proof for proof in (self.answers, self.trained) if proof is not None]
        return self.identical < self.rows or not all(proof.holds for proof in proofs)


def verify_skew(
    records: Iterable[PredictionRecord], served: Mapping[str, Served], *, door: Door
) -> tuple[VersionSkew, ...]:
    """Compare the records of the versions in ``served``, by number; records of others are passed over.

    What any of the versions calls sensitive is taken for hidden in all, as the log hides it. A version
    without a record is left out. DataError when no training could read the rows; MonitorError MO062, MO063.
    """
    sensitive = {
        column.name.strip().casefold()
        for one in served.values()
        for column in one.bundle.contract.columns
        if column.sensitive
    }
    checks = {version: _Check(one, door, sensitive) for version, one in served.items()}
    waiting: dict[str, list[PredictionRecord]] = {version: [] for version in served}
    for record in records:
        if record.version not in waiting:
            continue
        some = waiting[record.version]
        some.append(record)
        if len(some) >= CHUNK_ROWS:
            checks[record.version].take(some)
            waiting[record.version] = []
    for version, some in waiting.items():
        if some:
            checks[version].take(some)
    return tuple(check.result(version) for version, check in checks.items() if check.rows)


class _Check:
    """One version's comparison, a chunk of records at a time."""

    def __init__(self, served: Served, door: Door, sensitive: Collection[str]) -> None:
        bundle, self._door = served.bundle, door
        self._hidden = tuple(n for n in bundle.contract.names if n.strip().casefold() in sensitive)
        self._contract = _without(bundle.contract, self._hidden)
        self._quick = QuickReader(self._contract) if QuickReader.can_read(self._contract) else None
        self._again = AnswersAgain(bundle, served.model)
        self.rows = self._identical = self._read_quickly = 0
        self._cells: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._differences: list[Difference] = []
        self._refusals: list[Refusal] = []

    def take(self, records: Sequence[PredictionRecord]) -> None:
        instances = [record.features for record in records]
        asked = decode_records(instances, self._contract)
        table = through(instances, self._contract, self._door)
        learned = decode_table(table, self._contract)
        chunk = Chunk(contract=self._contract, records=records, served=asked.rows, table=table)
        unlike = self._compared(chunk, learned.rows)
        by_serving = refused_rows(
            asked, len(records), alone=lambda i: decode_records([instances[i]], self._contract)
        )
        by_training = refused_rows(
            learned, len(records), alone=lambda i: decode_table(table.take(np.array([i])), self._contract)
        )
        self._refused.update(serving=int(by_serving.sum()), training=int(by_training.sum()))
        problems = check(table, self._contract).problems
        self._refusals += islice(refusals(asked.problems, records, by="serving"), SHOWN)
        self._refusals += islice(refusals(problems, records, by="training"), SHOWN)
        self.rows += len(records)
        self._identical += int((~(unlike | by_serving | by_training)).sum())
        if not self._hidden:
            self._again.take(learned.rows, records)

    def result(self, version: str) -> VersionSkew:
        return VersionSkew(
            version=version,
            rows=self.rows,
            identical=self._identical,
            quick=self._read_quickly,
            columns=self._contract.names,
            hidden=self._hidden,
            cells=dict(self._cells),
            differences=tuple(self._differences[:SHOWN]),
            refused_by_serving=self._refused["serving"],
            refused_by_training=self._refused["training"],
            refusals=tuple(self._refusals[:SHOWN]),
            answers=None if self._hidden else self._again.logged(),
            certificate=self._again.certificate,
            trained=None if self._hidden else self._again.trained(),
        )

    def _compared(self, chunk: Chunk, learned: Rows) -> Marks:
        """Which rows differ, in either of the two comparisons."""
        unlike = self._noted(chunk, learned, np.arange(len(chunk.records)), way="training")
        places, quick = self._quickly(chunk.records)
        self._read_quickly += len(places)
        if quick is not None:
            unlike |= self._noted(chunk, quick, places, way="quick")
        return unlike

    def _noted(self, chunk: Chunk, other: Rows, places: Places, *, way: Way) -> Marks:
        """Compare the rows at ``places`` with ``other``, which are of no other rows."""
        part = chunk.at(places)
        found = unequal(part.served, other, self._contract)
        unlike = np.zeros(len(chunk.records), dtype=bool)
        for slot, marks in found.items():
            self._cells[slot] += int(marks.sum())
            unlike[places[marks]] = True
        self._differences += islice(differences(part, other, found, way=way), SHOWN)
        return unlike

    def _quickly(self, records: Sequence[PredictionRecord]) -> tuple[Places, Rows | None]:
        """The places of the rows that the quick way takes, and what it makes of them; None where of none."""
        read: list[Row | None] = [None] * len(records)
        if self._quick is not None:
            bodies = (b'{"features":' + json_text(record.features) + b"}" for record in records)
            read = [self._quick.row(body) for body in bodies]
            if self._read_together(read) is None:  # one of them is refused: it must not hide the others
                read = [row if self._read_together([row]) else None for row in read]
        places = np.flatnonzero(np.array([row is not None for row in read], dtype=bool))
        together = self._read_together(read)
        return places, None if together is None else together.rows

    def _read_together(self, read: Sequence[Row | None]) -> Decoded | None:
        rows = [row for row in read if row is not None]
        return self._quick.rows(rows) if self._quick is not None and rows else None


def _without(contract: Contract, hidden: Sequence[str]) -> Contract:
    """The contract of the other columns: a row may have the hidden ones too, as their hashes."""
    if not hidden:
        return contract
    columns = tuple(column for column in contract.columns if column.name not in hidden)
    if not columns:
        raise MonitorError(
            "MO062",
            "every column is sensitive, so the log has none of them as it was",
            expected="a column that may be logged",
        )
    return msgspec.structs.replace(contract, columns=columns, ignored=(*contract.ignored, *hidden))
