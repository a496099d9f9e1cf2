"""Metrics: what is counted of each request, and the page that Prometheus scrapes.

Label values come from the contract, the profile and the route table, never from a request.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from prometheus_client.exposition import choose_encoder

from siklus.bundle.read import Bundle
from siklus.errors import SiklusError
from siklus.serve.counters import Counters
from siklus.serve.exposition import Exposition
from siklus.serve.gpus import Gpus
from siklus.serve.lineup import Lineup
from siklus.serve.refusals import status_of
from siklus.serve.scoring import Scored

# Which version a request's failure is counted for: requests are tasks, and each has its own.
_BLAMED: ContextVar[Bundle | None] = ContextVar("blamed", default=None)


class Metrics:
    """The counters of one worker, by what happens in it. All but ``page`` belong to its event loop."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._gpus = Gpus()

    def watch(self, bundle: Bundle) -> None:
        """Make all series of this version, at 0, before it answers anything: a rate then misses nothing."""
        self.counters.version(bundle)

    @contextmanager
    def watched(self, endpoint: str, bundle: Bundle | None) -> Iterator[None]:
        """Count a request that is not answered: as refused or, if the server is to blame, as an error.

        It counts for ``bundle``, or for the one that was meanwhile said to answer it (`picked`).
        """
        _BLAMED.set(bundle)
        outcome = "error"  # of whatever nobody foresaw
        try:
            yield
            outcome = "success"
        except SiklusError as error:
            outcome = "refused" if status_of(error) < 500 else "error"
            raise
        finally:
            if outcome != "success":
                self._failed(endpoint, outcome)

    def picked(self, bundle: Bundle) -> None:
        """From here on, this is the version that answers the request."""
        _BLAMED.set(bundle)

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
        found = Exposition(self.counters.sheets(), lineup=lineup, gpus=self._gpus.read())
        return encode(found), kind

    def _failed(self, endpoint: str, outcome: str) -> None:
        bundle = _BLAMED.get()
        if bundle is None:
            self.counters.failed(endpoint, outcome)
        else:
            self.counters.version(bundle).failed(endpoint, outcome)
