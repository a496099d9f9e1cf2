"""Transcribe: answered rows, as the event loop hands them over, to records as they are stored."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

import msgspec
import numpy as np

from siklus.records.entries import BODY, INSTANCE, Answered, Description, Features, Record, json_text
from siklus.records.sensitive import Veil
from siklus.table import Table

StoredFields = tuple[object, ...]  # the fields of `Stored`
TABLE_ROWS = 64  # made into objects at once, so that a chunk stays far below a millisecond


class Transcriber:
    """Knows the versions, and what of their columns may be written."""

    def __init__(self, veil: Veil) -> None:
        self._veil = veil
        self._sensitive: frozenset[str] = frozenset()
        self._plain: frozenset[str] = frozenset()
        self.descriptions: dict[str, Description] = {}

    def describe(self, description: Description) -> None:
        """Make a version known, before its first record.

        What it calls sensitive is hidden in the records of every other version too: all of them get the
        same rows, as a shadow does those of its champion.
        """
        self.descriptions[description.version] = description
        self._sensitive = frozenset(chain.from_iterable(d.sensitive for d in self.descriptions.values()))
        self._plain = frozenset() if self._sensitive else frozenset(self.descriptions)

    def plain(self, answered: Record | Answered) -> StoredFields | None:
        """The record of a row that is stored as it came, as nearly all are; None for any other."""
        if not isinstance(answered, tuple):
            return None
        prediction_id, time_us, version, arm, shadow, features, prediction, probability, latency = answered
        if not isinstance(features, bytes) or version not in self._plain:
            return None
        return prediction_id, time_us, version, arm, shadow, BODY, features, prediction, probability, latency

    def records(self, answered: Record | Answered) -> Iterator[StoredFields]:
        """The stored records, one a row. KeyError for a version that nobody has described."""
        if not isinstance(answered, Answered):
            prediction_id, time_us, version, arm, shadow, features, *rest = answered
            stored = self._stored(features, self.descriptions[version])
            yield (prediction_id, time_us, version, arm, shadow, *stored, *rest)
            return
        description = self.descriptions[answered.version]
        before = (answered.time_us, answered.version, answered.arm, answered.shadow)
        probabilities: Iterable[float | None] = answered.probabilities or repeat(None)
        rows = zip(answered.ids, _instances(answered.rows), answered.predictions, probabilities, strict=True)
        for prediction_id, instance, prediction, probability in rows:
            stored = self._stored(instance, description)
            yield (prediction_id, *before, *stored, prediction, probability, answered.latency_ms)

    def _stored(self, features: Features, description: Description) -> tuple[int, bytes]:
        if self._sensitive:
            # Always taken apart: of a key that stands twice, JSON's readers know the last value only.
            shown = self._veil.over(_instance(features), description, also=self._sensitive)
            return INSTANCE, json_text(shown)
        match features:
            case msgspec.Raw():
                return INSTANCE, bytes(features)
            case bytes():
                return BODY, features
            case _:
                return INSTANCE, json_text(features)


def _instance(features: Features) -> dict[str, object] | list[object]:
    match features:
        case msgspec.Raw():
            found: dict[str, object] | list[object] = msgspec.json.decode(features)
        case bytes():
            found = msgspec.json.decode(features)["features"]
        case _:
            found = features
    return found


def _instances(rows: Sequence[object] | Table) -> Iterator[Features]:
    if not isinstance(rows, Table):
        yield from rows  # type: ignore[misc]  # a row that was answered is an object or a list
        return
    for start in range(0, len(rows), TABLE_ROWS):
        yield from rows.take(np.arange(start, min(start + TABLE_ROWS, len(rows)))).records()
