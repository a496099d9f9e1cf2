"""Read: the records of a stretch of time as values, for those who compute with them; and the newest ones."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from siklus.records.layout import Layout
from siklus.records.query import open_views
from siklus.records.reading import PredictionRecord, read_segment
from siklus.records.segments import all_segments

ROWS_AT_ONCE = 2_000

_FIELDS = (
    "prediction_id, epoch_us(time) AS time_us, version, arm, shadow, features, prediction, probability, "
    "latency_ms, log, sequence"
)


def records_between(layout: Layout, since: datetime, until: datetime) -> Iterator[PredictionRecord]:
    """Each record made from ``since`` until before ``until``, once, by time; shadows too.

    Moments with a time zone. The files stay as they are while this is read. RecordsError RC006.
    """
    with open_views(layout) as connection:
        found = connection.execute(
            f"SELECT {_FIELDS} FROM siklus_records WHERE time >= ? AND time < ? ORDER BY time, log, sequence",
            [_plain(since), _plain(until)],
        )
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from _records(rows)


def newest(layout: Layout, count: int) -> list[PredictionRecord]:
    """The last ``count`` records, by time; shadows too."""
    with open_views(layout) as connection:
        found = connection.execute(
            f"SELECT {_FIELDS} FROM siklus_records ORDER BY time DESC, log DESC, sequence DESC LIMIT ?",
            [count],
        )
        return list(_records(found.fetchall()))[::-1]


class Tail:
    """What is written from now on, as it comes."""

    def __init__(self, layout: Layout) -> None:
        """Begins here and now."""
        self._layout = layout
        # Of each log, how far it has been read: a segment may be sealed, or compacted, in between.
        self._seen: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self.new()

    def new(self) -> list[PredictionRecord]:
        """Records that were written since the last call, by time."""
        found: list[PredictionRecord] = []
        for path in all_segments(self._layout.segments):
            with suppress(FileNotFoundError):  # it is in a Parquet file by now, and was read before that
                size = path.stat().st_size
                if self._sizes.get(path.stem) != size:
                    found += self._unseen(path)
                    self._sizes[path.stem] = size
        return sorted(found, key=lambda record: record.time_us)

    def _unseen(self, segment: Path) -> Iterator[PredictionRecord]:
        for record in read_segment(segment):
            if isinstance(record, PredictionRecord) and record.sequence >= self._seen.get(record.log, 0):
                self._seen[record.log] = record.sequence + 1
                yield record


def _records(rows: Sequence[tuple[object, ...]]) -> Iterator[PredictionRecord]:
    names = PredictionRecord.__struct_fields__
    for row in rows:
        fields = dict(zip(names, row, strict=True))
        for name in ("features", "prediction"):
            fields[name] = msgspec.json.decode(str(fields[name]))
        yield msgspec.convert(fields, PredictionRecord)


def _plain(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
