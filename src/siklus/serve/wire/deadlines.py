"""Deadlines: how long a connection may take for what it is doing, looked at twice a second.

A timer a request would cost as much as the request's answer; one look over all connections costs nothing.
"""

import asyncio
from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from siklus.errors import RequestError
from siklus.project.sections import Serve

LOOK_SECONDS = 0.5


class Phase(Enum):
    """What a connection is waited for."""

    HEAD = "the end of the headers"
    BODY = "the end of the body"
    ANSWER = "our answer"
    TAKING = "a client that takes what it has asked for"
    IDLE = "a request"


class Watched(Protocol):
    """A connection, in ``phase`` since ``since`` (the event loop's time)."""

    phase: Phase
    since: float

    def expire(self) -> None:
        """It has taken too long."""


class Deadlines:
    """Looks over the connections of one worker, from the first one on."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connections: Iterable[Watched], settings: Serve
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._settings = settings
        self._look()

    def _look(self) -> None:
        now = self._loop.time()
        for connection in list(self._connections):
            if now - connection.since > seconds_of(connection.phase, self._settings):
                connection.expire()
        self._loop.call_later(LOOK_SECONDS, self._look)


def seconds_of(phase: Phase, settings: Serve) -> float:
    """How long the phase may last; an answer takes what it takes."""
    return {
        Phase.HEAD: settings.header_seconds,
        Phase.BODY: settings.body_seconds,
        Phase.TAKING: settings.body_seconds,
        Phase.IDLE: settings.idle_seconds,
        Phase.ANSWER: float("inf"),
    }[phase]


def too_slow(phase: Phase, settings: Serve) -> RequestError:
    return RequestError(
        "RQ015",
        f"{phase.value} did not come in time",
        expected=f"within {seconds_of(phase, settings):g} seconds",
    )
