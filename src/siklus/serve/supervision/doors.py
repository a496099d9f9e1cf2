"""Doors: where one worker takes connections in: its own socket, and those of workers who are missing."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from siklus.serve.wire.listening import WAITING_CONNECTIONS, Listener, is_readable


@dataclass(frozen=True, kw_only=True)
class Door:
    """A socket that this worker takes connections from."""

    listener: Listener
    server: asyncio.AbstractServer


class Doors:
    """The open doors of one worker. ``others``: the sockets of the other workers, by their numbers.

    ``handshake_seconds``: for a client's part of the beginning of TLS.
    """

    def __init__(
        self,
        connect: Callable[[], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None,
        handshake_seconds: float,
        others: Mapping[int, Listener],
    ) -> None:
        self._connect = connect
        self._tls = tls
        self._handshake_seconds = None if tls is None else handshake_seconds
        self._others = others
        self._own: list[Door] = []
        self._covered: dict[int, Door] = {}

    async def open(self, own: Listener) -> None:
        own.let_everybody_in()
        self._own.append(await self._opened(own))

    async def cover(self, numbers: frozenset[int]) -> None:
        """Take connections of these workers too, and of no others any more; it may be tried again."""
        for number in self._covered.keys() - numbers:
            self._covered.pop(number).server.close()
        for number in numbers - self._covered.keys():
            with suppress(OSError):  # the descriptors are used up
                copy = Listener(socket=self._others[number].socket.dup())
                try:
                    self._covered[number] = await self._opened(copy)
                except OSError:
                    copy.close()
                    raise

    def let_nobody_new_in(self) -> None:
        for door in self._all():
            door.listener.let_nobody_new_in()

    def is_anybody_waiting(self) -> bool:
        return any(is_readable(door.listener.socket.fileno()) for door in self._all())

    def close(self) -> None:
        """Let go of all sockets; one that another process has too goes on there."""
        for door in self._all():
            door.server.close()
        for other in self._others.values():
            other.close()
        self._own.clear()
        self._covered.clear()

    def _all(self) -> list[Door]:
        return [*self._own, *self._covered.values()]

    async def _opened(self, listener: Listener) -> Door:
        loop = asyncio.get_running_loop()
        begin = loop.create_server if listener.inode is None else loop.create_unix_server
        server = await begin(
            self._connect,
            sock=listener.socket,
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake_seconds,
            backlog=WAITING_CONNECTIONS,
        )
        return Door(listener=listener, server=server)
