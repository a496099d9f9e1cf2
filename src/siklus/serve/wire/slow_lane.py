"""The slow lane: a slow model runs in a thread, and what arrives meanwhile runs together after it.

How many rows run together follows from how long they take: the more of them, the longer does everybody wait
who comes meanwhile, and who has said how long he waits may wait in vain.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias

from siklus.contract.decode import Decoded
from siklus.errors import RequestError
from siklus.records.ids import IdIssuer
from siklus.serve.scoring import Scored, answered
from siklus.serve.traffic.lineup import Arm
from siklus.serve.wire.asks import Ask, leave_to_app
from siklus.serve.wire.patience import HEADER, patience_of, too_busy, too_late

ROWS_AT_ONCE = 256  # at most
TURN_SECONDS = 0.1  # that rows together should take at most
TURN_ROWS = 4  # or as long as so many rows alone, so that a turn's own cost is shared by enough of them

Reply: TypeAlias = Callable[[Sequence[Ask], Scored], None]


class _Queued(NamedTuple):
    arm: Arm
    ask: Ask
    until: float  # by `time.perf_counter`


class _Turn(NamedTuple):
    arm: Arm
    asks: Sequence[Ask]
    began: float


class SlowLane:
    """One thread, and a bounded queue before it. Called on the event loop, and replies there."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, max_waiting: int, ids: IdIssuer, reply: Reply
    ) -> None:
        self._loop = loop
        self._max_waiting = max_waiting
        self._ids = ids
        self._reply = reply
        self._waiting: deque[_Queued] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="slow")
        self._busy = False
        self._most = 1  # rows in the next turn

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def take(self, arm: Arm, asks: Sequence[Ask]) -> None:
        """Queue these, whose rows are read and keep the contract; the others are refused (SV020)."""
        for ask in asks:
            if len(self._waiting) >= self._max_waiting:
                ask.caller.refuse(too_busy(self._max_waiting), bundle=arm.served.bundle)
                continue
            try:
                until = ask.started + patience_of(ask.head.text(HEADER))
            except RequestError as error:
                ask.caller.refuse(error, bundle=arm.served.bundle)
            else:
                self._waiting.append(_Queued(arm, ask, until))
        if not self._busy:
            self._run_next()

    def _run_next(self, *, reserve: float = 0.0) -> None:
        """``reserve``: seconds that the turn will take, as far as one can know."""
        arm, asks = self._next(time.perf_counter() + reserve)
        if arm is None or arm.served.reader is None:
            return
        decoded = arm.served.reader.rows([ask.row for ask in asks])
        if decoded is None:
            leave_to_app(asks, dealt_to=arm)
            self._run_next()
            return
        self._busy = True
        turn = _Turn(arm, asks, time.perf_counter())
        running = self._thread.submit(_score, arm, decoded, self._ids)
        running.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._finish, turn, done))

    def _next(self, ready: float) -> tuple[Arm | None, list[Ask]]:
        """The longest waiting who still will be at ``ready``, and those behind them who want the same arm."""
        asks: list[Ask] = []
        wanted: Arm | None = None
        while self._waiting and len(asks) < self._most:
            first = self._waiting[0]
            if wanted is not None and first.arm is not wanted:
                break
            self._waiting.popleft()
            if first.ask.caller.is_gone:
                continue
            if first.until < ready:
                first.ask.caller.refuse(too_late(), bundle=first.arm.served.bundle)
            else:
                wanted = first.arm
                asks.append(first.ask)
        return wanted, asks

    def _finish(self, turn: _Turn, done: Future[Scored]) -> None:
        self._busy = False
        seconds = time.perf_counter() - turn.began
        alone = turn.arm.served.row_seconds
        self._most = rows_next(self._most, rows=len(turn.asks), seconds=seconds, alone=alone)
        if done.exception() is None:
            self._reply(turn.asks, done.result())
        else:
            leave_to_app(turn.asks, dealt_to=turn.arm)  # it meets the error again, and logs it
        self._run_next(reserve=seconds)


def rows_next(most: int, *, rows: int, seconds: float, alone: float) -> int:
    """How many rows may run together after so many ``rows`` of the ``most`` took these seconds.

    ``alone``: seconds of a single row. A turn that took too long is followed by a smaller one, in proportion;
    a full one that was short enough, by one of twice as many.

    >>> rows_next(64, rows=64, seconds=0.4, alone=0.01)
    16
    >>> rows_next(16, rows=16, seconds=0.05, alone=0.01)
    32
    >>> rows_next(16, rows=3, seconds=0.05, alone=0.01)
    16
    """
    longest = max(TURN_SECONDS, TURN_ROWS * alone)
    if seconds > longest:
        return max(1, int(rows * longest / seconds))
    return min(ROWS_AT_ONCE, 2 * most) if rows == most else most


def _score(arm: Arm, decoded: Decoded, ids: IdIssuer) -> Scored:
    bundle = arm.served.bundle
    return answered(bundle, decoded, bundle.predict(decoded.rows), arm=arm.name, ids=ids)
