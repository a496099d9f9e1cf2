"""The prediction log of one worker: takes what was answered without ever waiting, and writes it in a thread.

*Written* records survive a killed process; *synced* ones, at most a tenth of a second later, a power cut.
A full or broken disk never reaches the caller: records that find no place are counted as dropped.
"""

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import msgspec

from siklus.contract.columns import Contract
from siklus.project.sections import Records
from siklus.records.entries import Answered, Description, Record
from siklus.records.segment_log import SegmentLog
from siklus.records.sensitive import Veil
from siklus.records.transcribe import StoredFields, Transcriber

GROUP_RECORDS = 256
GROUP_SECONDS = 0.01
SYNC_SECONDS = 0.05  # from a write to the beginning of its sync, which leaves as much for the disk
# A longer chunk would hold up the event loop: the interpreter lets only one thread run at a time.
CHUNK_SECONDS = 0.0005
WAITING_BYTES = 64_000_000  # beyond it records are dropped; about ten seconds of a broken disk at full load
RECORD_BYTES = 400  # a record in memory beside its features
PARSED = 3  # times the size of its body is what a parsed batch takes
PARSED_BYTES = 4_000  # what a parsed instance takes, roughly

# What cannot be decoded or encoded, whoever made it.
UNTELLABLE = (KeyError, TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
_Waiting: TypeAlias = Record | Answered | threading.Event  # the last is set once all before it is synced


class PredictionLog:
    """Made in the worker itself, after the fork: it has a thread."""

    def __init__(
        self,
        directory: Path,
        *,
        worker: str,
        settings: Records,
        key: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``directory`` for the segments; ``key`` for hashing what is sensitive."""
        self._log = SegmentLog(directory, worker=worker, settings=settings, clock=clock)
        self._transcriber = Transcriber(Veil(settings.sensitive, key=key))
        self._waits_for_sync = settings.durability == "synced"
        self._queue: deque[_Waiting] = deque()
        self._taken_in = 0  # bytes, by the one thread that appends
        self._done_with = 0  # bytes, by the thread that writes
        self._refused = 0
        self._lost = 0
        self.synced = 0  # records that survive a power cut
        self._asleep = False
        self._bell, self._hurry = threading.Event(), threading.Event()
        self._closing = False
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="records-disk")
        self._disk_work: Future[None] = self._disk.submit(_nothing)
        self._settling = 0  # of the written records, those that were given to the disk's thread
        self._settled_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    @property
    def written(self) -> int:
        """Records that survive a killed process."""
        return self._log.written

    @property
    def dropped(self) -> int:
        """Records that found no place, on the disk or in the queue before it."""
        return self._refused + self._lost

    def describe(self, version: str, contract: Contract) -> None:
        """Must be said of a version before its first record: which of its columns may be written."""
        self._transcriber.describe(Description.of(version, contract))

    def append(self, record: Record) -> None:
        """Take one answered row. Costs a fraction of a microsecond; only one thread may append."""
        # All in place: calling another function would cost as much again.
        if self._taken_in - self._done_with > WAITING_BYTES:
            self._refused += 1
            return
        features = record[5]
        self._taken_in += RECORD_BYTES + (len(features) if type(features) is bytes else PARSED_BYTES)
        self._queue.append(record)
        if self._asleep:
            self._bell.set()

    def extend(self, records: Sequence[Record]) -> None:
        """Take the rows of requests that were answered together, all or none: cheaper than one by one."""
        if self._taken_in - self._done_with > WAITING_BYTES:
            self._refused += len(records)
            return
        self._taken_in += sum(map(_size, records))
        self._queue.extend(records)
        if self._asleep:
            self._bell.set()

    def append_many(self, answered: Answered) -> None:
        """Take the rows of a batch, all or none; from the thread that calls `append`."""
        if self._taken_in - self._done_with > WAITING_BYTES:
            self._refused += len(answered.ids)
            return
        self._taken_in += _size(answered)
        self._queue.append(answered)
        if self._asleep:
            self._bell.set()

    def flush(self, *, seconds: float = 30.0) -> bool:
        """Wait until all that came before is written (or dropped) and synced; False if that takes longer."""
        if not self._thread.is_alive():
            return True
        mark = threading.Event()
        self._queue.append(mark)
        self._hurry.set()
        self._bell.set()
        return mark.wait(seconds)

    def close(self) -> None:
        """Write and sync what is left, and seal the segment."""
        self._closing = True
        self._hurry.set()
        self._bell.set()
        self._thread.join()
        self._disk.shutdown()

    def _run(self) -> None:
        while not (self._closing and not self._queue):
            self._rest()
            self._write_waiting()
            self._seal_full()
            self._sync_due()
        self._seal_full(anyhow=True)

    def _rest(self) -> None:
        """Sleep until there is something to write, then a moment longer, so that more come together."""
        self._asleep = True
        # Looked at again, because a record may have come whose sender saw nobody asleep.
        if not self._queue and not self._closing:
            self._bell.wait(self._until_next_duty())
        self._asleep = False
        self._bell.clear()
        if 0 < len(self._queue) < GROUP_RECORDS and not self._closing:
            self._hurry.wait(GROUP_SECONDS)
        self._hurry.clear()

    def _until_next_duty(self) -> float | None:
        """Seconds; None where nothing is due."""
        if self._settling < self.written:
            if not self._disk_work.done():
                return SYNC_SECONDS  # a slow disk: another look will do
            return max(0.001, self._settled_at + SYNC_SECONDS - time.monotonic())
        return self._log.seconds_left()

    def _write_waiting(self) -> None:
        group: list[StoredFields] = []
        until = time.perf_counter() + CHUNK_SECONDS
        for _ in range(len(self._queue)):
            answered = self._queue.popleft()
            if isinstance(answered, threading.Event):
                self._write(group)
                self._settle()
                self._disk.submit(answered.set)
                group = []
                continue
            plain = self._transcriber.plain(answered)
            for record in self._stored(answered) if plain is None else (plain,):
                group.append(record)
                if len(group) >= GROUP_RECORDS or time.perf_counter() > until:
                    self._write(group)
                    group, until = [], time.perf_counter() + CHUNK_SECONDS
            self._done_with += _size(answered)
        self._write(group)

    def _stored(self, answered: Record | Answered) -> Iterator[StoredFields]:
        """Its records as they are stored; what cannot be told is dropped, and the log goes on."""
        rows = len(answered.ids) if isinstance(answered, Answered) else 1
        try:
            for record in self._transcriber.records(answered):
                rows -= 1
                yield record
        except UNTELLABLE:
            self._lost += rows

    def _write(self, group: list[StoredFields]) -> None:
        if not group:
            return
        try:
            self._log.write(group, self._transcriber.descriptions)
        except OSError as exc:
            self._lost += len(group)
            # On a full disk the segment can go on as soon as there is room; otherwise the file is suspect.
            self._seal_full(anyhow=exc.errno not in (errno.ENOSPC, errno.EDQUOT))
        except UNTELLABLE:
            if len(group) == 1:
                self._lost += 1
            for record in group if len(group) > 1 else ():
                self._write([record])
        self._seal_full()
        self._sync_due()

    def _seal_full(self, *, anyhow: bool = False) -> None:
        segment = self._log.full(anyhow=anyhow)
        if segment is not None:
            self._put_on_disk(segment.seal)

    def _sync_due(self) -> None:
        if self._settling == self.written:
            return
        if self._waits_for_sync:
            settled = self._settle()
            if settled is not None:
                settled.result()
        elif self._disk_work.done() and time.monotonic() >= self._settled_at + SYNC_SECONDS:
            self._settle()

    def _settle(self) -> Future[None] | None:
        """Have all that is written put on the disk, in the other thread: here it would hold up the groups.

        None where the process has no descriptor left for it: it stays due.
        """
        try:
            descriptor = self._log.descriptor()
        except OSError:
            self._settled_at = time.monotonic()
            return None
        # Without a segment all is sealed, or about to be.
        return self._put_on_disk(_nothing if descriptor is None else partial(_sync, descriptor))

    def _put_on_disk(self, act: Callable[[], None]) -> Future[None]:
        count, self._settling = self.written - self._settling, self.written
        self._settled_at = time.monotonic()
        self._disk_work = self._disk.submit(self._settled, act, count)
        return self._disk_work

    def _settled(self, act: Callable[[], None], count: int) -> None:
        # After a failed sync nobody knows what is on the disk, so those records never count as synced.
        with suppress(OSError):
            act()
            self.synced += count


def _size(answered: Record | Answered) -> int:
    """In memory, about."""
    if isinstance(answered, tuple):
        features = answered[5]
        return RECORD_BYTES + (len(features) if isinstance(features, bytes) else PARSED_BYTES)
    return RECORD_BYTES * len(answered.ids) + PARSED * answered.size


def _sync(descriptor: int) -> None:
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _nothing() -> None:
    """There is nothing to sync."""
