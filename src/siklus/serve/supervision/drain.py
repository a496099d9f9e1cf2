"""Drain: ending without a lost request.

A connection can be closed without harm only while nothing is on its way to it, and a socket only when
nobody waits at it. So for a moment everything goes on, and each answer says that it is the connection's
last; then nobody new is let in, who waits is taken in, and what is quiet is closed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from uvicorn.server import ServerState

from siklus.serve.lifecycle import Lifecycle
from siklus.serve.supervision.doors import Doors
from siklus.serve.wire.listening import is_readable

LINGER_SECONDS = 0.5  # in which clients learn of the end by their answers, and proxies by `/ready`
QUIET_SECONDS = 0.1  # without any connection, the lingering can end
HANDSHAKE_SECONDS = 0.1  # for connections that have begun: longer than a way there and back
LOOK_SECONDS = 0.02

_LOG = logging.getLogger("siklus.serve")


@dataclass(frozen=True, kw_only=True)
class Reception:
    """Where a worker takes connections in, and those it has.

    ``server_ends``: whether nobody else will have its sockets, so that they may be closed to all.
    """

    doors: Doors
    state: ServerState
    server_ends: Callable[[], bool]


async def drain(reception: Reception, lifecycle: Lifecycle, *, grace_seconds: float) -> None:
    """Answer what is there and what is on its way, and close everything else.

    After ``grace_seconds`` from now, or when the lifecycle is hurried, what still runs is cut off.
    """
    now = asyncio.get_running_loop().time
    until = now() + grace_seconds
    known: dict[object, float] = dict.fromkeys(reception.state.connections, now())
    # uvicorn puts these into every response that has not begun, and closes behind it.
    reception.state.default_headers.append((b"connection", b"close"))
    if not lifecycle.replaced:
        await _linger(reception, until=min(until, now() + LINGER_SECONDS))
    # Asked only now, because a signal to the whole group may come here before it comes to the supervisor.
    if lifecycle.replaced or not reception.server_ends():
        reception.doors.close()  # whoever waits is the successor's
    else:
        await _close_the_door(reception, until=until)
    await _finish(reception.state, lifecycle, known=known, until=until)


async def _linger(reception: Reception, *, until: float) -> None:
    now = asyncio.get_running_loop().time
    quiet_since = now()
    while now() < until and now() - quiet_since < QUIET_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        if reception.state.connections:
            quiet_since = now()


async def _close_the_door(reception: Reception, *, until: float) -> None:
    now = asyncio.get_running_loop().time
    reception.doors.let_nobody_new_in()
    await asyncio.sleep(HANDSHAKE_SECONDS)
    while reception.doors.is_anybody_waiting() and now() < until:  # noqa: ASYNC110 - no event tells of an empty queue
        await asyncio.sleep(0)
    reception.doors.close()


async def _finish(
    state: ServerState, lifecycle: Lifecycle, *, known: dict[object, float], until: float
) -> None:
    """Until nothing is left: each connection closes behind its answer, or when it has long been idle.

    ``known``: since when each connection has been there. One that asks is gone behind its answer, so the
    others have been idle since then.
    """
    now = asyncio.get_running_loop().time
    while state.connections or state.tasks:
        if now() >= until or lifecycle.hurried:
            _cut_off(state)
            return
        for connection in list(state.connections):
            since = known.setdefault(connection, now())
            if now() - since >= LINGER_SECONDS and not _something_comes(connection.transport):
                connection.shutdown()
        await asyncio.sleep(LOOK_SECONDS)


def _something_comes(transport: asyncio.Transport) -> bool:
    return not transport.is_closing() and is_readable(transport.get_extra_info("socket").fileno())


def _cut_off(state: ServerState) -> None:
    _LOG.warning("cut_off", extra={"connections": len(state.connections), "requests": len(state.tasks)})
    for task in list(state.tasks):
        task.cancel("the server's grace is over")
    for connection in list(state.connections):
        connection.transport.abort()
