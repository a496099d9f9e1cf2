"""Models: what answers now. Nothing while it loads, nothing when that failed, one bundle otherwise."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from siklus.bundle.read import Bundle
from siklus.contract.examples import example_row
from siklus.errors import ServeError, SiklusError
from siklus.serve.answers import State
from siklus.serve.scoring import score

INLINE_SECONDS = (
    0.002  # a row that costs less is scored on the event loop: a thread would cost about as much again
)
WARM_UP_RUNS = 3  # the first one allocates; the fastest of them is what a row costs


@dataclass(frozen=True, kw_only=True)
class Served:
    """A bundle that has made a prediction here. ``row_seconds`` is what one row cost it."""

    bundle: Bundle
    row_seconds: float

    @property
    def is_quick(self) -> bool:
        """One row may be scored on the event loop itself, without holding up the others."""
        return self.row_seconds <= INLINE_SECONDS


class Models:
    """The bundle that is being opened in another thread, and answers once it is there."""

    def __init__(self, opening: Future[Served]) -> None:
        self._served = opening

    def when_failed(self, tell: Callable[[BaseException], None]) -> None:
        """Call it, in whatever thread, when loading has ended badly."""
        self._served.add_done_callback(lambda opening: _tell_failure(opening, tell))

    @property
    def state(self) -> State:
        if not self._served.done():
            return "loading"
        return "healthy" if self._served.exception() is None else "failed"

    @property
    def bundle(self) -> Bundle | None:
        """What answers now, if anything does."""
        return self._served.result().bundle if self.state == "healthy" else None

    def current(self) -> Served:
        """What answers now. ServeError SV001 while it loads, SV002 when that failed."""
        if not self._served.done():
            raise ServeError(
                "SV001", "the model is still loading", expected="the same request again, a moment later"
            )
        failure = self._served.exception()
        if failure is not None:
            # A client learns that much; the path and the digest are for the server's log.
            code = failure.code if isinstance(failure, SiklusError) else type(failure).__name__
            raise ServeError("SV002", f"the model could not be loaded ({code})", expected="a sound bundle")
        return self._served.result()


def start_loading(load: Callable[[], Bundle], *, prepare: Callable[[Bundle], None]) -> Models:
    """Begin to open, ``prepare`` and warm up, and come back at once: the server is alive meanwhile."""
    # An executor's future keeps whatever goes wrong in its thread, so that `Models.current` can tell it.
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")
    opening = executor.submit(_open, load, prepare)
    executor.shutdown(wait=False)
    return Models(opening)


def _open(load: Callable[[], Bundle], prepare: Callable[[Bundle], None]) -> Served:
    bundle = load()
    prepare(bundle)
    return Served(bundle=bundle, row_seconds=warm_up(bundle))


def warm_up(bundle: Bundle) -> float:
    """Make the first predictions, so that no client waits for them; seconds that a row takes from then on."""
    row = example_row(bundle.contract)
    costs = []
    for _ in range(WARM_UP_RUNS):
        started = time.perf_counter()
        score(bundle, [row])
        costs.append(time.perf_counter() - started)
    return min(costs)


def _tell_failure(opening: Future[Served], tell: Callable[[BaseException], None]) -> None:
    failure = opening.exception()
    if failure is not None:
        tell(failure)
