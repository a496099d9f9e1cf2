"""The protocol of one connection: uvicorn's, with limits and deadlines, and the hot path before its parser.

This is the one file that builds on uvicorn's `HttpToolsProtocol` (as of 0.54). A complete and plain
`POST /predict` never meets the parser when it begins a message. All other bytes do, in their order, and the
app answers them. What comes while an answer is on its way waits, so pipelined requests stay in order.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from siklus.bundle.read import Bundle
from siklus.errors import RequestError, ServeError, SiklusError
from siklus.serve.access.rate import Rate
from siklus.serve.desk import Desk
from siklus.serve.plane import DEALT_TO
from siklus.serve.wire.deadlines import Deadlines, Phase, too_slow
from siklus.serve.wire.heads import END, MAX_HEAD_BYTES, REQUEST_LINE, Heads, NoHeads
from siklus.serve.wire.hot_path import ENDPOINT, HotPath
from siklus.serve.wire.refusal import CLOSE, said

OK = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-type: application/json\r\n"
MAX_HELD_BYTES = 262_144  # that wait behind an answer; beyond it the client is not read from


def protocol_of(desk: Desk, heads: Heads | NoHeads) -> Callable[..., asyncio.Protocol]:
    """What makes the protocol of each connection of this desk's worker, for `uvicorn.Config(http=…)`.

    ``heads`` says which of them are for the hot path.
    """
    shared: list[Shared] = []

    def connect(
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> asyncio.Protocol:
        if not shared:
            shared.append(Shared(desk, heads, _loop or asyncio.get_running_loop(), server_state))
        return Connection(shared[0], config, server_state, app_state)

    return connect


class Shared:
    """What the connections of one worker share."""

    def __init__(
        self, desk: Desk, heads: Heads | NoHeads, loop: asyncio.AbstractEventLoop, state: ServerState
    ) -> None:
        self.desk = desk
        self.loop = loop
        self.heads = heads
        self.hot_path = HotPath(desk, loop)
        self.deadlines = Deadlines(loop, state.connections, desk.settings)  # type: ignore[arg-type]  # all ours

    @staticmethod
    @lru_cache(maxsize=4096)  # answers differ by a few digits, so that this is nearly always found
    def beginning(length: int) -> bytes:
        """All of an answer that comes before a body of this length."""
        return OK % length + b"\r\n"


class Connection(HttpToolsProtocol):
    """One client's bytes, and the answers to them in the same order."""

    def __init__(
        self, shared: Shared, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state, shared.loop)
        self.phase = Phase.HEAD
        self.since = shared.loop.time()
        self._shared = shared
        self._settings = shared.desk.settings
        self._lifecycle = shared.desk.lifecycle
        # uvicorn's own timer, after an answer of the app's; the deadlines close after any answer.
        self.timeout_keep_alive = self._settings.idle_seconds  # type: ignore[assignment]  # fractions do as well
        self._asked = b""  # the hot path's request that waits for its answer
        self._asked_last = False  # and the connection is to end with that
        self._rate: Rate | None = None  # by which it was counted
        self._dealt_to: str | None = None  # the arm of what is left to the app
        self._held = bytearray()  # not a whole request yet, or waiting behind that answer
        self._wanted = 0  # bytes until ``_held`` is a whole request
        self._head_bytes = 0  # of the head that the parser has read
        self._begun_bytes = 0  # of the head that it has not read to its end
        self._in_message = self._in_head = False  # the parser
        self._refused = False
        self._last_words = b""  # a refusal that waits for the answers before it
        self._phase_before = Phase.IDLE  # the client did not take what it is sent

    # ---- bytes in

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        most = self._settings.max_connections
        if len(self.connections) > most:
            self._refuse(
                ServeError(
                    "SV021", f"{most} connections are open already", expected="another moment, or worker"
                )
            )

    def data_received(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self._refused:
            return
        if self.phase is Phase.IDLE:
            is_next = not self._held and not self.flow.write_paused
            # Nearly all requests are whole, and come when nothing else is on its way.
            if is_next and data.startswith(REQUEST_LINE) and self._ask(data):
                return
            self._enter(Phase.HEAD)
        if self._asked or self.flow.write_paused:
            self._held += data
            if len(self._held) > MAX_HELD_BYTES:
                self.flow.pause_reading()
        elif self._held:
            self._held += data
            if len(self._held) >= self._wanted:
                self._read_held()
        else:
            self._read(data)

    def _read_held(self) -> None:
        data = bytes(self._held)
        self._held.clear()
        self._wanted = 0
        self.flow.resume_reading()
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Hand the beginning of ``data`` to the hot path, or all of it to the parser."""
        if self._in_message or self._app_is_answering() or not _may_be_plain(data):
            self._parse(data)
            return
        if self._ask(data):
            return
        end = data.find(END)
        head = None if end < 0 else self._shared.heads.read(data[:end])
        if end < 0 and len(data) <= MAX_HEAD_BYTES:
            self._held += data
        elif head is not None and len(data) < end + len(END) + head.length:
            self._enter(Phase.BODY)
            self._wanted = end + len(END) + head.length
            self._held += data
        else:
            self._parse(data)

    def _ask(self, data: bytes) -> bool:
        """Hand the hot path the whole and plain request that ``data`` begins with, if it does."""
        end = data.find(END)
        head = None if end < 0 else self._shared.heads.read(data[:end])
        if head is None:
            return False
        start = end + len(END)
        whole = start + head.length
        if len(data) < whole or (head.last and len(data) > whole):
            return False
        self._rate = head.rate
        if self._rate is not None and not self._rate.take():
            return False
        if len(data) > whole:
            self._held += data[whole:]
            data = data[:whole]
        self._asked = data
        self._asked_last = head.last
        self.phase = Phase.ANSWER
        self._shared.hot_path.ask(self, head, data[start:])
        return True

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # there is no other protocol here: the app answers as if nobody had asked for one
        except httptools.HttpParserError:
            self._refuse(RequestError("RQ016", "these bytes are no HTTP request", expected="HTTP/1.1"))
            return
        if self._in_head:  # the parser itself would collect a head without end
            self._begun_bytes += len(data)
            if self._begun_bytes > self._settings.max_header_bytes:
                self._refuse_head()

    # ---- the hot path's answers

    def answer(self, body: bytes) -> None:
        self._asked = b""
        if self.transport.is_closing():
            return
        self.server_state.total_requests += 1
        if self._asked_last or self._lifecycle.draining:
            self.transport.write(OK % len(body) + CLOSE + b"\r\n" + body)
            self.transport.close()
            return
        self.transport.write(self._shared.beginning(len(body)) + body)
        self._enter(Phase.IDLE)
        if self._held and not self.flow.write_paused:
            self._read_held()

    def refuse(self, error: SiklusError, *, bundle: Bundle) -> None:
        self._asked = b""
        self._shared.desk.metrics.failed(ENDPOINT, error, bundle=bundle)
        self._shared.desk.metrics.limited(error)
        if self.transport.is_closing():
            return
        last = self._asked_last or self._lifecycle.draining
        self.transport.write(said(error, last=last))
        if last:
            self.transport.close()
            return
        self._enter(Phase.IDLE)
        if self._held and not self.flow.write_paused:
            self._read_held()

    @property
    def is_gone(self) -> bool:
        return bool(self.transport.is_closing())

    def leave_to_app(self, dealt_to: str | None) -> None:
        asked, self._asked = self._asked, b""
        self._dealt_to = dealt_to
        if self._rate is not None:
            self._rate.give_back()  # the app counts it
        if not self.transport.is_closing():
            self._parse(asked)
            if self._held:
                self._read_held()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._phase_before = self.phase
        self._enter(Phase.TAKING)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.phase is Phase.TAKING:
            self._enter(self._phase_before)
        if self._held and not self._asked and not self.transport.is_closing():
            self._read_held()

    # ---- limits

    def expire(self) -> None:
        """The phase has lasted too long: an idle connection is closed, a slow client is told first."""
        if self.phase is Phase.TAKING or self.transport.is_closing():
            self.transport.abort()  # what it does not take would be kept for it for ever
        elif self.phase is Phase.IDLE or not (self._held or self._in_message):
            self.transport.close()
        else:
            self._refuse(too_slow(self.phase, self._settings))

    def shutdown(self) -> None:
        """Close, or have the answer that is on its way be the last."""
        if not (self._asked or self._held or self._in_message):
            super().shutdown()

    def _refuse_head(self) -> None:
        most = self._settings.max_header_bytes
        self._refuse(RequestError("RQ014", "the headers are too large", expected=f"at most {most} bytes"))

    def _refuse(self, error: SiklusError) -> None:
        """Say this as the last thing on this connection."""
        self._shared.desk.metrics.limited(error)
        self._refused = True
        self._held.clear()
        begun = self._in_message and not self._in_head  # the app has been asked what is refused here
        if begun and self.pipeline:
            self.pipeline.popleft()
            self._last_words = said(error, last=True)
        elif not begun and self._app_is_answering():
            self._last_words = said(error, last=True)  # behind the answers to what came before
        else:
            if begun:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if not (begun and self.cycle.response_started):
                self.transport.write(said(error, last=True))
            self.transport.close()

    def _app_is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says that it is never None
        return bool(self.pipeline) or not (cycle is None or cycle.response_complete)

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.loop.time()

    # ---- the parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_message = self._in_head = True
        self._head_bytes = self._begun_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + len(b": \r\n")
        if self._head_bytes <= self._settings.max_header_bytes:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._refused and self._head_bytes + len(self.url) > self._settings.max_header_bytes:
            self._refuse_head()
        self._in_head = False
        if self._refused:
            return
        self._enter(Phase.BODY)
        self.scope["state"][DEALT_TO], self._dealt_to = self._dealt_to, None
        super().on_headers_complete()
        if self._lifecycle.draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_message = False
        if not self._refused:
            self._enter(Phase.IDLE if self.cycle.response_complete else Phase.ANSWER)
            super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self._in_message:
            self._enter(Phase.ANSWER if self.pipeline else Phase.IDLE)
        if self._last_words and not self.pipeline:
            self.transport.write(self._last_words)
            self.transport.close()
        super().on_response_complete()


def _may_be_plain(data: bytes) -> bool:
    """Whether this is, or may become, the request line of the hot path."""
    return data.startswith(REQUEST_LINE) or REQUEST_LINE.startswith(data)
