"""Crowds: many clients of one event loop, who ask a server more than it can answer and note what they get."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from tests.serve.wire import Answer, features, read_answer, request

REFUSED_PAUSE_SECONDS = 0.1  # until a refused client asks again: it does not even wait what it was told to


@dataclass
class Crowd:
    """What ``clients`` got from asking without a pause for a while.

    ``patience_ms``: what each of them says in `x-request-timeout-ms`; an answer that takes longer by more
    than ``slack_ms`` is no good to it.
    """

    clients: int
    patience_ms: int | None = None
    slack_ms: int = 250
    good: int = 0
    late: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    without_advice: int = 0  # refusals that did not say when to ask again
    broken: int = 0
    seconds: float = 0.0

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds

    @property
    def offered(self) -> float:
        """Requests a second."""
        return (self.good + self.late + self.refused.total()) / self.seconds

    async def ask(self, port: int, *, seconds: float) -> None:
        self.seconds, until = seconds, time.monotonic() + seconds
        await asyncio.gather(*(self._client(port, i / self.clients, until) for i in range(self.clients)))

    async def _client(self, port: int, place: float, until: float) -> None:
        await asyncio.sleep(place * REFUSED_PAUSE_SECONDS)  # they do not come in step
        more = () if self.patience_ms is None else (f"x-request-timeout-ms: {self.patience_ms}",)
        asked = request(features(3), *more)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.monotonic() < until:
                if reader.at_eof():
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await self._ask_once(reader, writer, asked, until=until)
            writer.close()

    async def _ask_once(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes, *, until: float
    ) -> None:
        began = time.monotonic()
        writer.write(asked)
        try:
            answer = await _answer(reader)
        except (OSError, EOFError):
            self.broken += 1
            return
        ended = time.monotonic()
        if ended > until:
            return  # after the time over which answers are counted
        if answer.status == 200:
            is_late = (
                self.patience_ms is not None and ended - began > (self.patience_ms + self.slack_ms) / 1e3
            )
            self.late += is_late
            self.good += not is_late
            return
        self.refused[answer.status] += 1
        self.without_advice += b"retry-after: " not in answer.head
        await asyncio.sleep(REFUSED_PAUSE_SECONDS)


async def _answer(reader: asyncio.StreamReader) -> Answer:
    buffer = b""
    while (whole := read_answer(buffer)) is None:
        piece = await reader.read(65536)
        if not piece:
            raise EOFError
        buffer += piece
    return whole[0]
