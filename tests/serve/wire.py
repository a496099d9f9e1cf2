"""HTTP by hand: bytes out, answers in, as no client library would send them."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

WAIT_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """One answer as it stood on the wire."""

    status: int
    head: bytes
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def but_for_id_and_time(self) -> tuple[int, bytes, bytes]:
        """What two answers to one question have in common: all but the id, the time and their lengths."""
        body = re.sub(rb'"latency_ms":[0-9.e-]+,"prediction_id":"[0-9a-f-]{36}"', b"", self.body)
        return self.status, re.sub(rb"content-length: \d+", b"", self.head), body


def request(body: bytes, *more: str, path: str = "/predict", method: str = "POST") -> bytes:
    """A request as most clients write it; ``more`` are further header lines."""
    lines = [f"{method} {path} HTTP/1.1", "host: here", "content-type: application/json"]
    lines += [f"content-length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def features(*row: float) -> bytes:
    return json.dumps({"features": row}).encode()


def read_answer(buffer: bytes) -> tuple[Answer, bytes] | None:
    """The first whole answer, and the bytes after it."""
    head, end, rest = buffer.partition(b"\r\n\r\n")
    if not end:
        return None
    length = int((re.search(rb"content-length: (\d+)", head) or [0, 0])[1])
    if len(rest) < length:
        return None
    return Answer(int(head[9:12]), head, rest[:length]), rest[length:]


def exchange(port: int, *parts: bytes, answers: int = 1) -> list[Answer]:
    """Send the parts one by one, and read that many answers, or those that came before the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        return _received(connection, answers)


def _received(connection: socket.socket, answers: int) -> list[Answer]:
    found: list[Answer] = []
    buffer = b""
    while len(found) < answers:
        whole = read_answer(buffer)
        if whole is not None:
            found.append(whole[0])
            buffer = whole[1]
            continue
        try:
            more = connection.recv(65_536)
        except ConnectionResetError:
            break
        if not more:
            break
        buffer += more
    return found


class Client:
    """One kept connection of many at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, parts: Sequence[bytes]) -> Answer:
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()
            await asyncio.sleep(0)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int((re.search(rb"content-length: (\d+)", head) or [0, 0])[1])
        return Answer(int(head[9:12]), head, await self._reader.readexactly(length))

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def clients(port: int, count: int) -> AsyncIterator[list[Client]]:
    """That many open connections."""
    connected = await asyncio.gather(*(Client.connect(port) for _ in range(count)))
    try:
        yield connected
    finally:
        for client in connected:
            client.close()
