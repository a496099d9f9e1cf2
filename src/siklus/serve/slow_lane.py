"""The slow lane: a slow model runs in a thread, and what arrives meanwhile runs together after it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias

from siklus.contract.decode import Decoded
from siklus.errors import RequestError
from siklus.records.ids import IdIssuer
from siklus.serve.asks import Ask, leave_to_app
from siklus.serve.lineup import Arm
from siklus.serve.patience import HEADER, patience_of, too_busy, too_late
from siklus.serve.scoring import Scored, answered

ROWS_AT_ONCE = 256  # so that nobody waits for everybody who is before him

Reply: TypeAlias = Callable[[Sequence[Ask], Scored], None]


class _Queued(NamedTuple):
    arm: Arm
    ask: Ask
    until: float  # by `time.perf_counter`


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

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def take(self, arm: Arm, asks: Sequence[Ask]) -> None:
        """Queue these, whose rows are read and keep the contract; the others are refused (SV006)."""
        for ask in asks:
            if len(self._waiting) >= self._max_waiting:
                ask.caller.refuse(too_busy(self._max_waiting))
                continue
            try:
                until = ask.started + patience_of(ask.head.text(HEADER))
            except RequestError as error:
                ask.caller.refuse(error)
            else:
                self._waiting.append(_Queued(arm, ask, until))
        if not self._busy:
            self._run_next()

    def _run_next(self) -> None:
        arm, asks = self._next()
        if arm is None or arm.served.reader is None:
            return
        decoded = arm.served.reader.rows([ask.row for ask in asks])
        if decoded is None:
            leave_to_app(asks)
            self._run_next()
            return
        self._busy = True
        running = self._thread.submit(_score, arm, decoded, self._ids)
        running.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._finish, asks, done))

    def _next(self) -> tuple[Arm | None, list[Ask]]:
        """The longest waiting, and those behind them who want the same arm."""
        asks: list[Ask] = []
        wanted: Arm | None = None
        now = time.perf_counter()
        while self._waiting and len(asks) < ROWS_AT_ONCE:
            first = self._waiting[0]
            if wanted is not None and first.arm is not wanted:
                break
            self._waiting.popleft()
            if first.until < now:
                first.ask.caller.refuse(too_late())
            else:
                wanted = first.arm
                asks.append(first.ask)
        return wanted, asks

    def _finish(self, asks: Sequence[Ask], done: Future[Scored]) -> None:
        self._busy = False
        if done.exception() is None:
            self._reply(asks, done.result())
        else:
            leave_to_app(asks)  # it meets the error again, and logs it
        self._run_next()


def _score(arm: Arm, decoded: Decoded, ids: IdIssuer) -> Scored:
    bundle = arm.served.bundle
    return answered(bundle, decoded, bundle.predict(decoded.rows), arm=arm.name, ids=ids)
