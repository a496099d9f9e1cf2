"""Asks: plain requests for one row that wait for their answer, and who waits for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from siklus.bundle.read import Bundle
from siklus.contract.quick import Row
from siklus.errors import SiklusError
from siklus.serve.traffic.lineup import Arm
from siklus.serve.wire.heads import Head


class Caller(Protocol):
    """Whoever waits for one answer; exactly one of these is called, once."""

    def answer(self, body: bytes) -> None:
        """Send this JSON with status 200."""

    def refuse(self, error: SiklusError, *, bundle: Bundle) -> None:
        """Say this error, which counts for the bundle that should have answered."""

    def leave_to_app(self, dealt_to: str | None) -> None:
        """Let the app answer instead, with the arm of this name where one was picked already.

        Dealt once more, what an arm fails at would mostly become another's.
        """

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits any more, so that none of these need be called."""


@dataclass(slots=True)
class Ask:
    """One request. ``row``: its cells, once read. ``started``: when its body was there (`perf_counter`)."""

    caller: Caller
    head: Head
    body: bytes
    started: float
    row: Row = ()


def leave_to_app(asks: Iterable[Ask], *, dealt_to: Arm | None) -> None:
    for ask in asks:
        ask.caller.leave_to_app(None if dealt_to is None else dealt_to.name)
