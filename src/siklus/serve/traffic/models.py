"""Models: what answers now. Nothing while it loads, nothing when that failed, one lineup otherwise."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from siklus.bundle.read import Bundle
from siklus.bundle.rehearsal import rehearse
from siklus.contract.quick import QuickReader
from siklus.errors import ServeError, SiklusError
from siklus.serve.answers import State
from siklus.serve.traffic.lineup import Lineup, Served, alone


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What is to answer and does not yet. ``code``: why it cannot; None while it is being loaded.

    ``revision`` is None where even that could not be read.
    """

    revision: int | None
    code: str | None = None


class Models:
    """The lineup that answers, changed as a whole: who holds the former one finishes with it.

    ``lineup`` is None until the first one is ready. ``pending`` is None when it is what should answer.
    """

    def __init__(self) -> None:
        self.lineup: Lineup | None = None
        self.pending: Pending | None = None
        self._failure: BaseException | None = None
        self._listeners: list[Callable[[BaseException], None]] = []
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        if self.lineup is not None:
            return "healthy"
        return "loading" if self._failure is None else "failed"

    @property
    def bundle(self) -> Bundle | None:
        """The champion's, if anything answers."""
        lineup = self.lineup
        return None if lineup is None else lineup.champion.served.bundle

    @property
    def alone(self) -> Bundle | None:
        """The bundle that answers every request; None where several share them, or none does.

        Nobody else can be blamed for one that fails before it is dealt; of several nobody may be.
        """
        lineup = self.lineup
        return None if lineup is None or lineup.challengers else lineup.champion.served.bundle

    def current(self) -> Lineup:
        """What answers now. ServeError SV001 while it loads, SV002 when that failed."""
        lineup = self.lineup
        if lineup is not None:
            return lineup
        if self._failure is None:
            raise ServeError(
                "SV001", "the model is still loading", expected="the same request again, a moment later"
            )
        # A client learns that much; the path and the digest are for the server's log.
        raise ServeError(
            "SV002", f"the model could not be loaded ({code_of(self._failure)})", expected="a sound bundle"
        )

    def put(self, lineup: Lineup) -> None:
        """Let this lineup answer from the next request on."""
        self.lineup = lineup

    def fail(self, failure: BaseException) -> None:
        """Nothing answers because of this, until a lineup is put."""
        with self._lock:
            self._failure = failure
            listeners = tuple(self._listeners)
        for tell in listeners:
            tell(failure)

    def when_failed(self, tell: Callable[[BaseException], None]) -> None:
        """Call it, in whatever thread, at each failure; at once where there was one."""
        with self._lock:
            self._listeners.append(tell)
            failure = self._failure
        if failure is not None:
            tell(failure)


def start_loading(load: Callable[[], Bundle], *, prepare: Callable[[Bundle], None]) -> Models:
    """Begin to open, ``prepare`` and warm up, and come back at once: the server is alive meanwhile."""
    models = Models()
    # A future keeps whatever goes wrong in its thread, so that `Models.current` can tell it.
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")
    opening = executor.submit(opened, load, prepare=prepare)
    executor.shutdown(wait=False)

    def finish(opening: Future[Served]) -> None:
        failure = opening.exception()
        if failure is None:
            models.put(alone(opening.result()))
        else:
            models.fail(failure)

    opening.add_done_callback(finish)
    return models


def opened(load: Callable[[], Bundle], *, prepare: Callable[[Bundle], None]) -> Served:
    """Open, ``prepare`` and warm up: what comes back is ready to answer."""
    bundle = load()
    prepare(bundle)
    reader = QuickReader(bundle.contract) if QuickReader.can_read(bundle.contract) else None
    found = rehearse(bundle)
    return Served(bundle=bundle, row_seconds=found.row_seconds, reader=reader, bound=found.bound)


def code_of(failure: BaseException) -> str:
    """What may be told to a client of what went wrong."""
    return failure.code if isinstance(failure, SiklusError) else type(failure).__name__
