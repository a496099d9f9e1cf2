"""Assembling: from a retraining's beginning to the file of rows that it trains on; a restart finds both."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from siklus.automation.retraining.guards import Mask, guard
from siklus.automation.retraining.jumped import Told, jumped
from siklus.automation.retraining.logged import Logged, read_logged
from siklus.automation.retraining.retrained import Finding, RowsTaken, of_itself
from siklus.automation.retraining.rows import Wanted, assemble, columns_beside, write_rows
from siklus.automation.retraining.trusted import trusted_rows
from siklus.bundle.papers import Origin
from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract, read_contract
from siklus.contract.decode import decode_target
from siklus.data.sources import open_source
from siklus.errors import RowsRefused
from siklus.files import write_atomic
from siklus.project.file import OpenProject
from siklus.project.sections import Data
from siklus.records.layout import Layout
from siklus.train.champion import answers_of, snapshot_of

BEGUN_FILE, ROWS_NOTE, ROWS_FILE = "begun.json", "rows.json", "rows.parquet"
ASKED_ROWS = 20_000  # at most, of which the champion says whether outcomes jumped


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What a job keeps, however often its process is started: its moment, and why it began."""

    at: datetime
    trigger: str


class RowsNote(msgspec.Struct, frozen=True, kw_only=True):
    """``taken`` is None where a finding blocks the training; ``key``: as in `Assembled.data`."""

    taken: RowsTaken | None
    findings: tuple[Finding, ...]
    source: str
    key: str | None = None

    @property
    def blocking(self) -> Finding | None:
        return next((found for found in self.findings if found.blocks), None)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One retraining, in its ``folder``."""

    number: int
    folder: Path
    opened: OpenProject
    begun: Begun

    def origin(self, taken: RowsTaken, source: str) -> Origin:
        return Origin(
            job=self.number,
            window=taken.window,
            source=source,
            source_rows=taken.source,
            logged_rows=taken.logged,
            cut=taken.cut.isoformat(),
        )

    def training_data(self, note: RowsNote) -> Data:
        """[data] with the rows of this job in the place of its source."""
        data, rows = self.opened.settings.data, self.folder / ROWS_FILE
        root = self.opened.paths.root
        path = str(rows.relative_to(root) if rows.is_relative_to(root) else rows)
        most = max(data.max_rows, note.taken.total if note.taken else 0)
        return msgspec.structs.replace(data, path=path, query=None, url=None, key=note.key, max_rows=most)


def begin(opened: OpenProject, folder: Path, *, number: int, trigger: str, now: datetime) -> Job:
    """The job as it has begun: now, or in a process that was killed."""
    file = folder / BEGUN_FILE
    if not file.exists():
        write_atomic(file, msgspec.json.encode(Begun(at=now, trigger=trigger)))
    begun = msgspec.json.decode(file.read_bytes(), type=Begun)
    return Job(number=number, folder=folder, opened=opened, begun=begun)


def assembled(job: Job, champion: Bundle | None) -> RowsNote:
    """Put the rows together, or find them as they were put together before.

    DataError for the source; AutomationError AU050 to AU053; RecordsError where the log cannot be read.
    """
    file = job.folder / ROWS_NOTE
    if not file.exists():
        write_atomic(file, msgspec.json.encode(_assembled(job, champion)))
    return msgspec.json.decode(file.read_bytes(), type=RowsNote)


def forget_rows(job: Job) -> None:
    """They are kept as a snapshot by now."""
    (job.folder / ROWS_FILE).unlink(missing_ok=True)


def _assembled(job: Job, champion: Bundle | None) -> RowsNote:
    opened, cut = job.opened, job.begun.at
    data, retrain = opened.settings.data, opened.settings.retrain
    contract = read_contract(opened.paths.contract)
    source = open_source(data, directory=opened.paths.root) if retrain.source else None
    declared = None if source is None else source.read().table
    described = "" if source is None else source.describe()
    logged = read_logged(
        Layout(opened.paths.records),
        contract,
        cut=cut,
        most=data.max_rows,
        beside=columns_beside(data, contract, declared),
    )
    kept, findings = guard(
        logged.labels(classify=contract.task == "classification"), client_share=retrain.client_share
    )
    sure = logged.take(kept)
    jump = None if champion is None else _jump(sure, champion, contract, opened)
    findings = findings if jump is None else (*findings, jump)
    note = RowsNote(taken=None, findings=findings, source=described)
    if note.blocking is not None and of_itself(job.begun.trigger):
        return note
    wanted = Wanted(
        contract=contract, data=data, window=retrain.window, cut=cut, trusted=trusted_rows(opened)
    )
    found = assemble(declared, _counted(sure, kept), wanted)
    write_rows(found.table, job.folder / ROWS_FILE)
    return msgspec.structs.replace(note, taken=found.taken, key=found.data.key)


def _counted(sure: Logged, kept: Mask) -> Logged:
    """With those that the guards took out among what was left out."""
    doubted = int((~kept).sum())
    left_out = {**sure.left_out, "labels that a guard doubts": doubted} if doubted else sure.left_out
    return replace(sure, left_out=left_out)


def _jump(logged: Logged, champion: Bundle, contract: Contract, opened: OpenProject) -> Finding | None:
    """Of the newest outcomes, beside what the champion says and said; None where it can say nothing."""
    before = snapshot_of(champion, opened.paths.snapshots)
    if before is None or not len(logged):
        return None
    classes = contract.target.classes
    test = before.table.take(before.parts.test[-ASKED_ROWS:])
    newest = logged.take(np.arange(max(0, len(logged) - ASKED_ROWS), len(logged)))
    try:
        reference = Told(decode_target(test, contract), answers_of(champion, test, classes=classes))
        now = Told(newest.truth, answers_of(champion, newest.table, classes=classes))
    except RowsRefused:
        return None  # an older contract: whether outcomes jumped cannot be told by it
    return jumped(now, reference, classify=classes is not None)
