"""The log of one worker as a run of segments: numbers the records, turns to a new segment, names versions."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from siklus.project.sections import Records
from siklus.records.entries import Description, described, grouped
from siklus.records.layout import day_of
from siklus.records.segments import OpenSegment, SegmentName

VERSION = 2  # its place in a stored record


class SegmentLog:
    """Appends groups of records; not for two threads at once.

    ``clock`` gives Unix time. The caller seals the segments that `full` hands over, in a thread if it likes.
    """

    def __init__(
        self, directory: Path, *, worker: str, settings: Records, clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._log = f"{worker}-{int(clock() * 1e6)}"
        self._number = 0  # of the next segment
        self._current: OpenSegment | None = None
        self._described: set[str] = set()  # versions that the current segment explains
        self.written = 0  # records, and so the sequence of the next one

    def write(self, group: Sequence[tuple[object, ...]], descriptions: Mapping[str, Description]) -> None:
        """Append these stored records as one frame: all or, with an OSError, none.

        ``descriptions`` has each version that occurs. TypeError, ValueError when a record cannot be encoded.
        """
        payload = grouped(group)
        segment = self._current or self._turn()
        news = sorted({str(stored[VERSION]) for stored in group} - self._described)
        entries = [(self.written, described(descriptions[version])) for version in news]
        segment.append(*entries, (self.written, payload))
        self._described.update(news)
        self.written += len(group)

    def full(self, *, anyhow: bool = False) -> OpenSegment | None:
        """Hand over the current segment if it is large or old or of another day; then it is the caller's."""
        segment = self._current
        if segment is None or not (anyhow or self._is_full(segment)):
            return None
        self._current = None
        return segment

    def seconds_left(self) -> float | None:
        """Until the current segment is old; None where there is none."""
        if self._current is None:
            return None
        return max(0.0, self._current.opened + self._settings.segment_seconds - self._clock())

    def descriptor(self) -> int | None:
        """Of the current segment, to sync it in another thread; the caller closes it."""
        return None if self._current is None else self._current.descriptor()

    def _is_full(self, segment: OpenSegment) -> bool:
        now = self._clock()
        return (
            segment.end >= self._settings.segment_bytes
            or not 0 <= now - segment.opened < self._settings.segment_seconds
            or day_of(now) != day_of(segment.opened)
        )

    def _turn(self) -> OpenSegment:
        name = SegmentName(self._log, self._number)
        self._number += 1  # also when it fails: a name is never tried twice
        self._current = OpenSegment(self._directory, name, opened=self._clock())
        self._described.clear()
        return self._current
