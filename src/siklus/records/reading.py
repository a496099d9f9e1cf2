"""Reading a segment: every sound record of it once, by column name, and the places that hold none."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from siklus.records.entries import Description, Predicted, Stored, entry_of, named
from siklus.records.frames import Damage, Frame, scan
from siklus.records.segments import OPEN, SegmentName, content_of


class PredictionRecord(Struct, frozen=True, kw_only=True):
    """One answered row. ``features``: by column name, the values as they were received.

    ``log`` and ``sequence`` name the record for ever: the worker with its start, and its place there.
    ``time_us``: Unix time in microseconds.
    """

    prediction_id: str
    time_us: int
    version: str
    arm: str
    shadow: bool
    features: dict[str, object]
    prediction: Predicted
    probability: float | None
    latency_ms: float
    log: str
    sequence: int


def read_segment(path: Path) -> Iterator[PredictionRecord | Damage]:
    """A sealed segment, or one that is still written: there a torn end is no damage, it is being written.

    FileNotFoundError when it is in a Parquet file by now; RecordsError RC002 for another format.
    """
    content = content_of(path)
    for found in read_records(content, log=SegmentName.of(path).log, where=str(path)):
        if isinstance(found, Damage) and found.torn and path.suffix == OPEN:
            return
        yield found


def is_damage(found: PredictionRecord | Damage) -> bool:
    """Whether something was lost that had been written; a killed writer's unfinished frame was not."""
    return isinstance(found, Damage) and not found.torn


def read_records(content: bytes, *, log: str, where: str) -> Iterator[PredictionRecord | Damage]:
    """The records of a segment's bytes."""
    columns: dict[str, tuple[str, ...]] = {}
    expected = 0
    for found in scan(content, where=where):
        if isinstance(found, Damage):
            yield found
            continue
        entry = entry_of(found.payload)
        if isinstance(entry, Description):
            columns[entry.version] = entry.columns
        elif entry is None:
            yield Damage(found.start, found.end - found.start)
        elif found.sequence >= expected:  # else a copy of what was read, as a disk may leave it
            expected = found.sequence + len(entry.records)
            for i, stored in enumerate(entry.records):
                yield _record(stored, columns, log, found, i)


def _record(
    stored: Stored, columns: dict[str, tuple[str, ...]], log: str, frame: Frame, place: int
) -> PredictionRecord | Damage:
    try:
        features = named(stored, columns.get(stored.version, ()))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        # By place, and the frame that tells the columns' names is lost; or nested too deeply.
        return Damage(frame.start, frame.end - frame.start)
    return PredictionRecord(
        prediction_id=stored.prediction_id,
        time_us=stored.time_us,
        version=stored.version,
        arm=stored.arm,
        shadow=stored.shadow,
        features=features,
        prediction=stored.prediction,
        probability=stored.probability,
        latency_ms=stored.latency_ms,
        log=log,
        sequence=frame.sequence + place,
    )
