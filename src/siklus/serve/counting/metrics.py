"""Metrics: what is counted of each request, and the page that Prometheus scrapes.

Label values come from the contract, the profile and the route table, never from a request.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.exposition import choose_encoder

from siklus.bundle.read import Bundle
from siklus.errors import SiklusError
from siklus.ledgers.board import read_board
from siklus.ledgers.layouts import LIMITS
from siklus.serve.counting.counters import Counters
from siklus.serve.counting.exposition import Exposition
from siklus.serve.counting.gpus import Gpus
from siklus.serve.refusals import status_of
from siklus.serve.scoring import Scored
from siklus.serve.traffic.lineup import Lineup

FEEDBACK_REFUSED = {"RW020": "unknown_id", "RW021": "conflicting"}  # other codes are `refused`, or `error`


@dataclass
class _Request:
    """Which version a request's failure is counted for."""

    bundle: Bundle | None


# Requests are tasks, and each has its own; a thread that works for one shares it.
_REQUEST: ContextVar[_Request] = ContextVar("request")


def picked(bundle: Bundle) -> None:
    """Say that from here on this is the version that answers the request, and is blamed if it fails."""
    request = _REQUEST.get(None)
    if request is not None:
        request.bundle = bundle


class Metrics:
    """The counters of one worker, by what happens in it. All but ``page`` belong to its event loop."""

    def __init__(self, counters: Counters, *, run: Path | None = None) -> None:
        """``run``: the state's directory of that name, where a monitor leaves its board; None without one."""
        self.counters, self._run = counters, run
        self._gpus = Gpus()
        self._in_flight = 0
        counters.gauge("in_flight", lambda: self._in_flight)

    def watch(self, bundle: Bundle) -> None:
        """Make all series of this version, at 0, before it answers anything: a rate then misses nothing."""
        self.counters.version(bundle)

    @contextmanager
    def watched(self, endpoint: str, bundle: Bundle | None) -> Iterator[None]:
        """Count a request that is not answered: as refused or, if the server is to blame, as an error.

        It counts for ``bundle``, or for the one that was meanwhile said to answer it (`picked`).
        """
        request = _Request(bundle)
        _REQUEST.set(request)
        self._in_flight += 1
        try:
            yield
        except SiklusError as error:
            self.failed(endpoint, error, bundle=request.bundle)
            self.limited(error)
            raise
        except BaseException:  # one that nobody foresaw, or a client that left
            self._count_failed(endpoint, "error", request.bundle)
            raise
        finally:
            self._in_flight -= 1

    def failed(self, endpoint: str, error: SiklusError, *, bundle: Bundle | None = None) -> None:
        """Count one request that is answered with this error, for this version if it was picked."""
        self._count_failed(endpoint, "refused" if status_of(error) < 500 else "error", bundle)

    def limited(self, error: SiklusError) -> None:
        """Count what a limit has refused, if that is what this error says."""
        limit = LIMITS.get(error.code)
        if limit is not None:
            self.counters.limited(limit)

    @contextmanager
    def watched_feedback(self) -> Iterator[None]:
        """Count a request with outcomes that is refused, or fails."""
        try:
            yield
        except SiklusError as error:
            refused = "refused" if status_of(error) < 500 else "error"
            self.counters.feedback(FEEDBACK_REFUSED.get(error.code, refused))
            self.limited(error)
            raise
        except BaseException:  # as in `watched`
            self.counters.feedback("error")
            raise

    def stored(self, *, count: int, new: int) -> None:
        """Count outcomes that are stored, ``new`` of them for the first time."""
        self.counters.feedback("new", new)
        self.counters.feedback("known", count - new)

    def answered(self, endpoint: str, scored: Scored, *, seconds: Sequence[float]) -> None:
        """Count answered rows. ``seconds``: of one request with all the rows, or of each with one row."""
        version = self.counters.version(scored.bundle)
        if len(seconds) == 1:
            version.answered(endpoint, len(scored), seconds[0])
        else:
            version.answered_each(endpoint, seconds)
        version.scored(scored.rows.matrix, scored.predictions)

    def page(self, *, accept: str, lineup: Lineup | None) -> tuple[bytes, str]:
        """What a scraper that accepts this is sent, and the content type of it; may run in a thread."""
        self.counters.flush()
        encode, kind = choose_encoder(accept)
        sheets, gpus = self.counters.sheets(), self._gpus.read()
        now = time.time()
        board = None if self._run is None else read_board(self._run, now=now)
        found = Exposition(sheets, lineup=lineup, gpus=gpus, board=board, now=now)
        return encode(found), kind

    def _count_failed(self, endpoint: str, outcome: str, bundle: Bundle | None) -> None:
        if bundle is None:
            self.counters.failed(endpoint, outcome)
        else:
            self.counters.version(bundle).failed(endpoint, outcome)
