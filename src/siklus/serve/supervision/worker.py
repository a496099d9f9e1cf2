"""The worker: one event loop that answers at its socket until it is told to stop, and ends what it began."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import uvloop
from uvicorn.server import ServerState

from siklus.serve.admin.app import admin_answering
from siklus.serve.app import create_app
from siklus.serve.desk import Desk
from siklus.serve.supervision.board import Phase
from siklus.serve.supervision.doors import Doors
from siklus.serve.supervision.drain import Reception, drain
from siklus.serve.wire.config import config_of
from siklus.serve.wire.heads import Heads
from siklus.serve.wire.listening import Listener
from siklus.serve.wire.protocol import protocol_of

BEAT_SECONDS = 0.1
LOOK_SECONDS = 0.05  # how soon a worker sees that it is to stop

_LOG = logging.getLogger("siklus.serve")


@dataclass(frozen=True, kw_only=True)
class Post:
    """Where a worker stands: its socket, and whom it tells how it is.

    ``others``: the sockets of the other workers by their numbers, and ``covers`` which of them are missing
    now, so that this worker takes their connections in.
    ``server_ends``: whether nobody comes after this worker, asked when it drains.
    ``patient``: take nothing from the socket before a model is there, because it had another worker, and who
    waits there is to be answered; only if no model can be had and no ``others_answer``, say at least that.
    """

    listener: Listener
    tls: ssl.SSLContext | None = None
    beat: Callable[[Phase], None] = lambda _phase: None
    others: Mapping[int, Listener] = field(default_factory=dict)
    covers: Callable[[], frozenset[int]] = frozenset
    server_ends: Callable[[], bool] = lambda: True
    patient: bool = False
    others_answer: Callable[[], bool] = lambda: False


def answer(desk: Desk, post: Post) -> None:
    """Answer until the desk's lifecycle says to stop, then drain. Blocks; a thread may have no loop yet."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_answer(desk, post))


async def _answer(desk: Desk, post: Post) -> None:
    beating = asyncio.create_task(_beat(desk, post))
    try:
        if post.patient:
            await _until(lambda: _is_due(desk, post))
        async with admin_answering(desk, tls=post.tls):
            await _receive(_reception(desk, post), desk, post)
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def _receive(reception: Reception, desk: Desk, post: Post) -> None:
    await reception.doors.open(post.listener)
    desk.lifecycle.listening = True
    while not desk.lifecycle.draining and desk.lifecycle.failure is None:
        await reception.doors.cover(post.covers())
        await asyncio.sleep(LOOK_SECONDS)
    if desk.lifecycle.failure is None:
        await drain(reception, desk.lifecycle, grace_seconds=desk.settings.grace_seconds)
    reception.doors.close()


def _reception(desk: Desk, post: Post) -> Reception:
    state = ServerState()
    connect = partial(
        protocol_of(desk, Heads(desk.guard, desk.settings)),
        config=config_of(create_app(desk)),
        server_state=state,
        app_state={},
    )
    patience = desk.settings.header_seconds
    doors = Doors(connect, tls=post.tls, handshake_seconds=patience, others=post.others)
    return Reception(doors=doors, state=state, server_ends=post.server_ends)


async def _beat(desk: Desk, post: Post) -> None:
    told = False
    while True:
        post.beat(_phase_of(desk))
        bundle = desk.models.bundle
        if bundle is not None and not told:
            told = True
            _LOG.info("model_loaded", extra={"model": bundle.manifest.name, "version": bundle.version})
        await asyncio.sleep(BEAT_SECONDS)


def _phase_of(desk: Desk) -> Phase:
    if desk.lifecycle.draining:
        return Phase.DRAINING
    serving = desk.lifecycle.listening and desk.models.bundle is not None
    return Phase.SERVING if serving else Phase.LOADING


def _is_due(desk: Desk, post: Post) -> bool:
    """Whether a patient worker has waited enough."""
    if desk.models.lineup is not None or desk.lifecycle.draining or desk.lifecycle.failure is not None:
        return True
    return desk.models.state == "failed" and not post.others_answer()


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - signal handlers and threads set plain flags
        await asyncio.sleep(LOOK_SECONDS)
