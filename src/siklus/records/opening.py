"""Opening the records of one worker: after the fork, since threads and locks do not come through one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from siklus.contract.columns import Contract
from siklus.files import disk_errors
from siklus.project.sections import Records
from siklus.records.ids import IdIssuer, random_key, secret_key, subkey
from siklus.records.layout import Layout
from siklus.records.outcomes import Outcomes
from siklus.records.predictions import PredictionLog
from siklus.records.segments import adopt


@dataclass(frozen=True, kw_only=True)
class OpenRecords:
    """What a worker records with. ``log`` and ``outcomes`` are None where nothing is kept."""

    ids: IdIssuer
    log: PredictionLog | None = None
    outcomes: Outcomes | None = None

    def describe(self, version: str, contract: Contract) -> None:
        """Must be said of a version before its first prediction."""
        if self.log is not None:
            self.log.describe(version, contract)


@contextmanager
def open_records(
    state: Path | None, settings: Records, worker: int, *, key: bytes | None = None
) -> Iterator[OpenRecords]:
    """The records below ``state``, closed at the end; without a state directory only ids are issued.

    ``key``: what all workers of a server without a state directory must share (`random_key`).
    FileError FS001 when the directories or the key cannot be made, RecordsError RC001 for a damaged key.
    """
    if state is None or not settings.enabled:
        yield OpenRecords(ids=IdIssuer(key or random_key() if state is None else secret_key(state)))
        return
    secret, layout = secret_key(state), Layout(state / "records")
    with disk_errors(layout.segments):
        layout.segments.mkdir(parents=True, exist_ok=True)
        adopt(layout.segments, now=time.time())
    log = PredictionLog(
        layout.segments, worker=str(worker), settings=settings, key=subkey(secret, "sensitive")
    )
    outcomes = Outcomes(layout.outcomes, settings=settings)
    try:
        yield OpenRecords(ids=IdIssuer(secret), log=log, outcomes=outcomes)
    finally:
        log.close()
        outcomes.close()
