"""Shadows: versions that score what was answered, after the reply and on what is left of capacity.

They answer nobody. One thread scores for all of them, a few rows at a time, and only while the event loop has
time to spare; what cannot wait that long is dropped and counted.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from siklus.errors import BundleError, SiklusError
from siklus.ledgers.layouts import SHADOW
from siklus.records.ids import IdIssuer
from siklus.records.predictions import PredictionLog
from siklus.serve.counting.metrics import Metrics
from siklus.serve.payload import read_features
from siklus.serve.recording import Received, record
from siklus.serve.scoring import Given, Scored, score, tell_failure
from siklus.serve.traffic.lineup import Arm
from siklus.table import Table

AFTER_SECONDS = 0.005  # the answers that gave the rows are out by then
MOST_ROWS = 1024  # that wait; more would be old when their turn comes, and fill the memory
MOST_BYTES = 16_000_000  # likewise, of the bodies that they came in
PIECE_ROWS = 16  # at once: about 0.1 ms in which the event loop may wait for the interpreter
MOST_BUSY = 0.6  # of one core; a loop that is busier gets the time for itself
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 0.25  # after which a few rows are scored on a busy server too: some evidence is needed


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some rows as a shadow scored them, under the ids of the answers; ``seconds`` is what that took."""

    scored: Scored
    rows: Given
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What came of one offer: the pieces that were scored, and how many could not be."""

    pieces: Sequence[Piece]
    failed: int


class Shadows:
    """The shadow scoring of one worker. Called on its event loop, where it also counts and records."""

    def __init__(self, metrics: Metrics, *, log: PredictionLog | None, ids: IdIssuer) -> None:
        self._metrics, self._log, self._ids = metrics, log, ids
        self._held: list[tuple[Arm, Scored, Received]] = []
        self._rows = self._bytes = 0  # that wait or are being scored
        self._thread: ThreadPoolExecutor | None = None
        self._load: LoopLoad | None = None
        self._closed = False

    def offer(self, arms: Sequence[Arm], scored: Scored, received: Received) -> None:
        """Have each of these shadows score the rows that were just answered; costs microseconds."""
        size = _size(received)
        for arm in arms:
            if self._rows + len(scored) > MOST_ROWS or self._bytes + size > MOST_BYTES:
                self._metrics.counters.version(arm.served.bundle).failed(SHADOW, "refused")
                continue
            if not self._held:
                asyncio.get_running_loop().call_later(AFTER_SECONDS, self._release)
            self._held.append((arm, scored, received))
            self._rows += len(scored)
            self._bytes += size

    def close(self) -> None:
        """Score no more; what waits is dropped."""
        self._closed = True
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _release(self) -> None:
        if self._closed:
            return
        if self._thread is None or self._load is None:
            # Without a shadow there is no thread either.
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shadow")
            self._load = LoopLoad()
        loop, held = asyncio.get_running_loop(), self._held
        self._held = []
        for arm, scored, received in held:
            # A future keeps whatever a model raises: no shadow can end the thread.
            watching = self._thread.submit(_watch, self._load, arm, scored.ids, received, self._ids)
            tell = partial(self._finish, arm, scored, received)
            watching.add_done_callback(partial(_on_loop, loop, tell))

    def _finish(self, arm: Arm, scored: Scored, received: Received, done: Future[Watched]) -> None:
        """Count and record what came of one offer; on the event loop."""
        if done.cancelled():
            return
        self._rows -= len(scored)
        size = _size(received)
        self._bytes -= size
        counters = self._metrics.counters.version(arm.served.bundle)
        if done.exception() is not None:
            counters.failed(SHADOW, "error")
            return
        watched = done.result()
        for _ in range(watched.failed):
            counters.failed(SHADOW, "error")
        for piece in watched.pieces:
            counters.answered(SHADOW, len(piece.scored), piece.seconds)
            counters.scored(piece.scored.rows.matrix, piece.scored.predictions)
            if self._log is not None:
                kept = Received(rows=piece.rows, size=size * len(piece.rows) // len(scored))
                record(self._log, piece.scored, kept, seconds=[piece.seconds], shadow=True)


class LoopLoad:
    """How busy the thread is that made this; asked from another one."""

    def __init__(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._waits = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._at, self._wanted = time.monotonic(), self._wanted_seconds()
        self._busy = 0.0

    def wait_for_time(self) -> None:
        """Come back when the thread has time to spare, or after `PATIENCE_SECONDS`."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while self._look() > MOST_BUSY and time.monotonic() < give_up:
            time.sleep(LOOK_SECONDS)

    def _look(self) -> float:
        """The share of the time in which it wanted to run, over the last `LOOK_SECONDS` at least."""
        now = time.monotonic()
        if now - self._at >= LOOK_SECONDS:
            wanted = self._wanted_seconds()
            self._busy = (wanted - self._wanted) / (now - self._at)
            self._at, self._wanted = now, wanted
        return self._busy

    def _wanted_seconds(self) -> float:
        """It ran so long, and stood in line for a core: on a full machine that is most of it."""
        try:
            _, waited, _ = self._waits.read_bytes().split()
        except (OSError, ValueError):  # a kernel that does not tell
            waited = b"0"
        return time.clock_gettime(self._clock) + int(waited) / 1e9


def _on_loop(
    loop: asyncio.AbstractEventLoop,
    tell: Callable[[Future[Watched]], None],
    done: Future[Watched],
) -> None:
    with suppress(RuntimeError):  # the loop is closed, and nobody wants to know any more
        loop.call_soon_threadsafe(tell, done)


def _watch(load: LoopLoad, arm: Arm, ids: Sequence[str], received: Received, issuer: IdIssuer) -> Watched:
    bundle, found, failed, at = arm.served.bundle, [], 0, 0
    for piece in _pieces(received):
        load.wait_for_time()
        count = 1 if isinstance(piece, bytes) else len(piece)
        named, at = list(ids[at : at + count]), at + count
        try:
            rows = [read_features(piece, bundle.contract)] if isinstance(piece, bytes) else piece
            began = time.perf_counter()
            scored = replace(score(bundle, rows, arm=arm.name, ids=issuer), ids=named)
            found.append(Piece(scored=scored, rows=rows, seconds=time.perf_counter() - began))
        except BundleError as failure:
            tell_failure(bundle, failure, endpoint=SHADOW)
            failed += 1
        except SiklusError:  # another contract than that of the version that answered
            failed += 1
        time.sleep(0)  # gives the interpreter away
    return Watched(pieces=found, failed=failed)


def _pieces(received: Received) -> Iterator[bytes | Given]:
    """The body of one row, or some rows."""
    rows = received.rows
    if rows is None:
        yield from received.bodies
    elif isinstance(rows, Table):
        yield rows
    else:
        for at in range(0, len(rows), PIECE_ROWS):
            yield rows[at : at + PIECE_ROWS]


def _size(received: Received) -> int:
    """In bytes, as it came."""
    return received.size or sum(map(len, received.bodies))
