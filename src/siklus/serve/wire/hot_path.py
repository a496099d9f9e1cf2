"""The hot path: plain `POST /predict` requests, answered together, without the app's layers in between.

All requests that one turn of the event loop has read are scored in one call. Nothing waits for a timer, so a
lone request loses nothing. What is not plain, and whatever goes wrong, is left to the app: it answers the
same, and it knows how to say what is wrong.
"""

import asyncio
import time
from collections.abc import Sequence

from siklus.contract.decode import Decoded
from siklus.serve.after import after
from siklus.serve.desk import Desk
from siklus.serve.payload import answer_body
from siklus.serve.recording import Received
from siklus.serve.scoring import Scored, answered
from siklus.serve.traffic.lineup import Arm, Lineup
from siklus.serve.wire.asks import Ask, Caller, leave_to_app
from siklus.serve.wire.heads import Head
from siklus.serve.wire.slow_lane import SlowLane

ENDPOINT = "/predict"


class HotPath:
    """The plain requests of one worker, all on its event loop but for slow models."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self._desk = desk
        self._loop = loop
        self._waiting: list[Ask] = []
        self._slow = SlowLane(
            loop, max_waiting=desk.settings.max_waiting, ids=desk.records.ids, reply=self._reply
        )
        desk.metrics.counters.gauge("waiting", lambda: self._slow.waiting)

    def ask(self, caller: Caller, head: Head, body: bytes) -> None:
        """Have this answered in the next turn of the loop, with all else that this turn reads."""
        if not self._waiting:
            self._loop.call_soon(self._tick)
        self._waiting.append(Ask(caller, head, body, time.perf_counter()))

    def _tick(self) -> None:
        asks, self._waiting = self._waiting, []
        lineup = self._desk.models.lineup
        if lineup is None or not _head_assigns(lineup):
            leave_to_app(asks, dealt_to=None)
        elif not lineup.challengers:
            self._take(lineup.champion, asks)
        else:
            groups: dict[str, tuple[Arm, list[Ask]]] = {}
            for ask in asks:
                arm = lineup.pick(_key(lineup, ask.head))
                groups.setdefault(arm.name, (arm, []))[1].append(ask)
            for arm, some in groups.values():
                self._take(arm, some)

    def _take(self, arm: Arm, asks: Sequence[Ask]) -> None:
        reader = arm.served.reader
        if reader is None:
            leave_to_app(asks, dealt_to=arm)
            return
        plain = []
        for ask in asks:
            row = reader.row(ask.body)
            if row is None:
                ask.caller.leave_to_app(arm.name)
            else:
                ask.row = row
                plain.append(ask)
        decoded = reader.rows([ask.row for ask in plain]) if plain else None
        if decoded is not None:
            self._score(arm, plain, decoded)
        elif len(plain) > 1:
            for ask in plain:  # one of them is refused: it must not take the others with it
                self._take(arm, [ask])
        else:
            leave_to_app(plain, dealt_to=arm)

    def _score(self, arm: Arm, asks: Sequence[Ask], decoded: Decoded) -> None:
        if not arm.served.is_quick:
            self._slow.take(arm, asks)
            return
        try:
            predictions = arm.served.predict(decoded.rows)
            ids = self._desk.records.ids
            scored = answered(arm.served.bundle, decoded, predictions, arm=arm.name, ids=ids)
        except Exception:  # noqa: BLE001 - whatever the model raises, the app meets it again and logs it
            leave_to_app(asks, dealt_to=arm)
            return
        self._reply(asks, scored)

    def _reply(self, asks: Sequence[Ask], scored: Scored) -> None:
        now = time.perf_counter()
        seconds = [now - ask.started for ask in asks]
        # First all are written and then all are sent: a client that is woken by one finds the next there, and
        # on virtual machines waking somebody is what costs most.
        bodies = [answer_body(scored, i, seconds=taken) for i, taken in enumerate(seconds)]
        for ask, body in zip(asks, bodies, strict=True):
            ask.caller.answer(body)
        received = Received(bodies=[ask.body for ask in asks])
        after(self._desk, scored, received, endpoint=ENDPOINT, seconds=seconds)


def _head_assigns(lineup: Lineup) -> bool:
    """Whether the head alone says which arm answers."""
    return not lineup.challengers or lineup.sticky is None or lineup.sticky.where == "header"


def _key(lineup: Lineup, head: Head) -> str | None:
    return None if lineup.sticky is None else head.text(lineup.sticky.name)
