"""Rows for the log, whose every field follows from a number, so that a wrong one shows."""

from pathlib import Path

import msgspec

from siklus.contract.columns import Category, Contract, Number, Target
from siklus.project.sections import Records
from siklus.records.entries import Answered, Record
from siklus.records.frames import Damage
from siklus.records.predictions import PredictionLog
from siklus.records.reading import PredictionRecord, read_segment
from siklus.records.segments import all_segments

CONTRACT = Contract(
    columns=(Number(name="distance"), Category(name="origin", vocabulary=("JFK", "LGA"))),
    target=Target(name="late", classes=(False, True)),
    ignored=("note",),
)
SECRET = Contract(
    columns=(Number(name="age"), Number(name="income", sensitive=True, nullable=True), Number(name="rooms")),
    target=Target(name="price"),
    ignored=("copy",),
)
KEY = bytes(range(32))
NOON_US = 1_769_860_800_000_000  # 2026-01-31 12:00 UTC


def features_of(i: int) -> dict[str, object]:
    return {"distance": i / 2, "origin": "LGA" if i % 2 else "JFK"}


def record_of(i: int, *, features: object = None, version: str = "7") -> Record:
    """Row number ``i``, as the body of a request unless other features are given."""
    body = msgspec.json.encode({"features": features_of(i)}) if features is None else features
    named = f"prediction-{i}", NOON_US + i, version, "champion", i % 5 == 0
    return (*named, body, i % 2 == 0, i / 1000, float(i))  # type: ignore[return-value]  # any features


def expected_of(i: int, *, log: str, sequence: int) -> PredictionRecord:
    return PredictionRecord(
        prediction_id=f"prediction-{i}",
        time_us=NOON_US + i,
        version="7",
        arm="champion",
        shadow=i % 5 == 0,
        features=features_of(i),
        prediction=i % 2 == 0,
        probability=i / 1000,
        latency_ms=float(i),
        log=log,
        sequence=sequence,
    )


def number_of(record: PredictionRecord) -> int:
    return int(record.prediction_id.removeprefix("prediction-"))


def is_right(record: PredictionRecord) -> bool:
    """Every field is what the number of the row says."""
    i = number_of(record)
    return record == expected_of(i, log=record.log, sequence=record.sequence)


def open_log(
    directory: Path, settings: Records | None = None, *, contract: Contract = CONTRACT
) -> PredictionLog:
    directory.mkdir(parents=True, exist_ok=True)
    log = PredictionLog(directory, worker="0", settings=settings or Records(), key=KEY)
    log.describe("7", contract)
    return log


def written_to(directory: Path) -> list[PredictionRecord]:
    """All records of all segments, in the order of their logs."""
    found = [entry for path in all_segments(directory) for entry in read_segment(path)]
    return [entry for entry in found if isinstance(entry, PredictionRecord)]


def damage_in(directory: Path) -> list[Damage]:
    found = [entry for path in all_segments(directory) for entry in read_segment(path)]
    return [entry for entry in found if isinstance(entry, Damage)]


def features_written(directory: Path) -> list[dict[str, object]]:
    return [record.features for record in written_to(directory)]


def batch(rows: object, count: int) -> Answered:
    return Answered(
        ids=[f"prediction-{i}" for i in range(count)],
        time_us=NOON_US,
        version="7",
        arm="champion",
        rows=rows,  # type: ignore[arg-type]  # a list or a table
        predictions=[i % 2 == 0 for i in range(count)],
        probabilities=None,
        latency_ms=1.5,
        size=100 * count,
    )
