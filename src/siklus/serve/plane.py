"""The data plane: rows in, answered rows out. Every protocol translates to this and nothing else.

It picks the version, scores without holding up the other requests, and afterwards counts and records
what was answered.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import anyio
import anyio.to_thread

from siklus.contract.columns import Contract
from siklus.errors import BundleError, ServeError
from siklus.records.ids import IdIssuer
from siklus.serve.after import after
from siklus.serve.counting.metrics import picked
from siklus.serve.desk import Desk
from siklus.serve.recording import Received
from siklus.serve.scoring import Given, Scored, score, tell_failure
from siklus.serve.traffic.lineup import Arm, Lineup
from siklus.serve.traffic.routing import arm_by_head, arm_by_row, assigns_by_row
from siklus.serve.wire.heads import MAX_QUICK_BODY_BYTES
from siklus.serve.wire.patience import too_busy, too_late

DEALT_TO = "dealt_to"  # in the state of a request's scope: `Call.dealt_to`
SCORING_THREADS = 4  # at once; beyond the cores another one only adds memory

Answer: TypeAlias = tuple[Scored, Given]  # the answered rows, and as what they came


@dataclass(frozen=True, kw_only=True)
class Call:
    """What the plane must know of a request beside its rows.

    ``endpoint``: one of `metrics.ENDPOINTS`. ``headers``: by lower-case name; the traffic policy may assign
    by one of them. ``size``: of the body, in bytes. ``started``: when the body
    was there, by `time.perf_counter`. ``version``: the one that has to answer, where the client names it.
    ``patience``: seconds that the client waits for a free thread. ``dealt_to``: the name of the arm that was
    picked before.
    """

    endpoint: str
    size: int
    started: float
    headers: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    patience: float = math.inf
    inline: bool = False  # a single row: fast enough for the event loop itself
    dealt_to: str | None = None


class DataPlane:
    """Scores for all protocols of one worker."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._threads = anyio.CapacityLimiter(SCORING_THREADS)
        self._waiting = 0
        desk.metrics.counters.gauge("waiting", lambda: self._waiting)

    async def score(self, read: Callable[[Contract], Given], call: Call) -> Scored:
        """Read the rows by the contract of the version that answers, and score all or none.

        ``read`` may run in a thread. Errors are its own and those of `scoring.score`; ServeError SV001 or
        SV002 without a model, SV020 or SV022 where too many wait, SV024 where the model fails. Whatever is
        raised is counted too.
        """
        lineup = self._desk.models.current()
        work = partial(_read_and_score, lineup, read, call, self._desk.records.ids)
        if call.inline and lineup.is_quick and call.size <= MAX_QUICK_BODY_BYTES:
            scored, given = work()
        else:
            scored, given = await self._in_a_thread(work, patience=call.patience)
        received = Received(rows=given, size=call.size)
        seconds = [time.perf_counter() - call.started]
        after(self._desk, scored, received, endpoint=call.endpoint, seconds=seconds)
        return scored

    async def _in_a_thread(self, work: Callable[[], Answer], *, patience: float) -> Answer:
        most = self._desk.settings.max_waiting
        if self._threads.statistics().tasks_waiting >= most:
            raise too_busy(most)
        self._waiting += 1
        try:
            with anyio.fail_after(patience):
                await self._threads.acquire()
        except TimeoutError as exc:
            raise too_late() from exc
        finally:
            self._waiting -= 1
        try:
            return await anyio.to_thread.run_sync(work)
        finally:
            self._threads.release()


def _read_and_score(lineup: Lineup, read: Callable[[Contract], Given], call: Call, ids: IdIssuer) -> Answer:
    if call.inline and call.version is None and assigns_by_row(lineup):
        contract = lineup.champion.served.bundle.contract
        given = read(contract)
        arm = arm_by_row(lineup, given, contract)
        picked(arm.served.bundle)
    else:
        arm = _arm_for(lineup, call)
        picked(arm.served.bundle)
        given = read(arm.served.bundle.contract)
    bundle = arm.served.bundle
    try:
        return score(bundle, given, arm=arm.name, ids=ids), given
    except BundleError as failure:
        tell_failure(bundle, failure, endpoint=call.endpoint)
        wanted = "another version; the server's log says why"
        raise ServeError("SV024", "the model failed at this request", expected=wanted) from failure


def _arm_for(lineup: Lineup, call: Call) -> Arm:
    """For a whole request: the arm of the version asked for, the one picked before, or the one picked now."""
    if call.version is not None:
        return lineup.arm_of(call.version)
    before = next((arm for arm in lineup.arms if arm.name == call.dealt_to), None)
    return arm_by_head(lineup, call.headers) if before is None else before
