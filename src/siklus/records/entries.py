"""Entries: what stands in a frame's payload, in msgpack. Written as tuples, read back as these structs."""

import json
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from siklus.contract.columns import Contract
from siklus.table import Table

Predicted: TypeAlias = str | int | float | bool
Features: TypeAlias = bytes | msgspec.Raw | dict[str, object] | list[object]

# One answered row, as the event loop hands it over: a tuple, because a struct costs it five times as much.
# (prediction id, Unix time in µs, version, arm, shadow, features, prediction, probability, latency in ms).
# ``features``: the whole body of a `/predict` request as bytes, or one instance: as JSON text
# (`msgspec.Raw`), as an object by column name, or as a list in the contract's order.
Record: TypeAlias = tuple[str, int, str, str, bool, Features, Predicted, float | None, float]

BODY, INSTANCE = 0, 1  # forms of stored features: `{"features": …}`, and the instance alone


class Answered(Struct, frozen=True, kw_only=True):
    """The answered rows of one batch. ``size``: of the body that they came in, in bytes."""

    ids: Sequence[str]
    time_us: int
    version: str
    arm: str
    shadow: bool = False
    rows: Sequence[object] | Table
    predictions: Sequence[Predicted]
    probabilities: Sequence[float] | None
    latency_ms: float
    size: int


class Description(Struct, frozen=True, array_like=True, tag=0):
    """A version's columns in their order, and which of them are left out or hashed.

    Stands in each segment before the first record of that version, so that a segment explains itself.
    """

    version: str
    columns: tuple[str, ...]
    sensitive: tuple[str, ...] = ()

    @classmethod
    def of(cls, version: str, contract: Contract) -> "Description":
        hidden = tuple(column.name for column in contract.columns if column.sensitive)
        return cls(version, contract.names, hidden)


class Stored(Struct, frozen=True, array_like=True):
    """One record as it lies in a segment. ``form``: what ``features`` holds, BODY or INSTANCE."""

    prediction_id: str
    time_us: int
    version: str
    arm: str
    shadow: bool
    form: Annotated[int, Meta(ge=0, le=1)]
    features: bytes
    prediction: Predicted
    probability: float | None
    latency_ms: float


class Group(Struct, frozen=True, array_like=True, tag=1):
    """The records that were written together."""

    records: list[Stored]


_DECODER = msgspec.msgpack.Decoder(Description | Group)
_ENCODER = msgspec.msgpack.Encoder()


def described(description: Description) -> bytes:
    return _ENCODER.encode(description)


def grouped(stored: Sequence[tuple[object, ...]]) -> bytes:
    """``stored`` holds the fields of `Stored`, a tuple each. ValueError, TypeError for what msgpack lacks."""
    return _ENCODER.encode((1, stored))


def entry_of(payload: bytes) -> Description | Group | None:
    """None where the payload is none of ours, however sound its frame."""
    try:
        found: Description | Group = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found


def json_text(value: object) -> bytes:
    """JSON of any value that was read from JSON; half a surrogate pair, which has no UTF-8, as an escape."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):  # the second: an integer beyond 64 bits
        return json.dumps(value).encode()


def named(stored: Stored, columns: Sequence[str]) -> dict[str, object]:
    """The features by column name, the values as they were received."""
    try:
        value = msgspec.json.decode(stored.features)
    except msgspec.DecodeError:
        value = json.loads(stored.features)  # half a surrogate pair
    if stored.form == BODY:
        value = value["features"]
    return value if isinstance(value, dict) else dict(zip(columns, value, strict=True))
