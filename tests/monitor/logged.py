"""Records of rows that a bundle has answered, made without a server."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from siklus.bundle.read import Bundle, open_bundle
from siklus.contract.columns import Contract
from siklus.contract.decode import decode_records
from siklus.monitor.skew.proof import Served, VersionSkew, verify_skew
from siklus.monitor.skew.training_door import Door, Form
from siklus.records.reading import PredictionRecord
from tests.bundle.sealed import INSTANCES, MINUTES, sealed


def bundle_of(folder: Path, contract: Contract = MINUTES, **changes: object) -> Bundle:
    return open_bundle(sealed(folder / "bundle", contract, **changes), version="1")


def answered_by(
    bundle: Bundle, instances: Sequence[Mapping[str, object]], *, version: str = "1"
) -> list[PredictionRecord]:
    """What a server's log would have of these rows; they come back from JSON as they came."""
    received = msgspec.json.decode(msgspec.json.encode(instances))
    answers = bundle.predict(decode_records(received, bundle.contract).accepted())
    chances = answers.probabilities
    return [
        PredictionRecord(
            prediction_id=f"prediction-{i}",
            time_us=i,
            version=version,
            arm="champion",
            shadow=False,
            features=features,
            prediction=label,
            probability=None if chances is None else float(chances[i]),
            latency_ms=1.0,
            log="0-0",
            sequence=i,
        )
        for i, (features, label) in enumerate(zip(received, bundle.labels(answers), strict=True))
    ]


def altered(record: PredictionRecord, **changes: object) -> PredictionRecord:
    return msgspec.structs.replace(record, **changes)


def skew_of(bundle: Bundle, records: list[PredictionRecord], *, form: Form = "parquet") -> VersionSkew:
    (found,) = verify_skew(records, {"1": Served(bundle)}, door=Door(form))
    return found


def flight(**cells: object) -> dict[str, object]:
    return {**INSTANCES[0], **cells}
