"""The desk: what one worker answers with. Opened once in each process, closed when it ends."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.signatures import read_trusted
from siklus.errors import ServeError, SiklusError
from siklus.project.paths import Paths
from siklus.project.sections import Serve
from siklus.records.opening import OpenRecords, open_records
from siklus.serve.access.auth import Guard
from siklus.serve.counting.counters import Counters
from siklus.serve.counting.metrics import Metrics
from siklus.serve.lifecycle import Lifecycle
from siklus.serve.plan import Plan
from siklus.serve.traffic.following import Follower
from siklus.serve.traffic.models import Models, start_loading
from siklus.serve.traffic.shadows import Shadows

_LOG = logging.getLogger("siklus.serve")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The parts that the calls of one worker share."""

    plan: Plan
    guard: Guard
    models: Models
    metrics: Metrics
    lifecycle: Lifecycle
    records: OpenRecords
    shadows: Shadows

    @property
    def settings(self) -> Serve:
        return self.plan.serve


@contextmanager
def open_desk(plan: Plan, worker: int = 0) -> Iterator[Desk]:
    """All parts of worker number ``worker`` (from 0): there is no other place where they are assembled.

    Comes at once: the model loads in a thread of its own. Whatever is opened here is closed in reverse.
    """
    counters = Counters(plan.counters, worker=worker)
    run = None if plan.state is None else Paths.at(plan.state).run
    metrics, lifecycle, guard = Metrics(counters, run=run), Lifecycle(), Guard(plan)
    guard.start()
    with (
        closing(counters),
        closing(guard),
        open_records(plan.state, plan.records, worker, key=plan.key) as records,
        _models(plan, prepare=partial(_introduce, metrics, records)) as models,
    ):
        if (log := records.log) is not None:
            counters.log("written", lambda: log.written)
            counters.log("dropped", lambda: log.dropped)
        if plan.bundle is not None:
            models.when_failed(partial(_give_up, lifecycle, worker))
        with closing(Shadows(metrics, log=records.log, ids=records.ids)) as shadows:
            yield Desk(
                plan=plan,
                guard=guard,
                models=models,
                metrics=metrics,
                lifecycle=lifecycle,
                records=records,
                shadows=shadows,
            )


def _introduce(metrics: Metrics, records: OpenRecords, bundle: Bundle) -> None:
    """Whatever must know a version before it answers."""
    metrics.watch(bundle)
    records.describe(bundle.version, bundle.contract)


@contextmanager
def _models(plan: Plan, *, prepare: Callable[[Bundle], None]) -> Iterator[Models]:
    """The pinned bundle, or the lineup that follows the traffic policy: that one may mend itself."""
    trusted = plan.trusted or read_trusted(plan.serve.trusted_keys, root=Path())
    if callable(plan.bundle):
        yield start_loading(plan.bundle, prepare=prepare)
    elif plan.bundle is not None:
        load = partial(open_bundle, plan.bundle, version=plan.version, trusted=trusted)
        yield start_loading(load, prepare=prepare)
    elif plan.state is not None:
        follower = Follower(plan.state, prepare=prepare, trusted=trusted)
        follower.start()
        try:
            yield follower.models
        finally:
            follower.close()
    else:
        wanted = "--bundle with a sealed directory, or --state with a published traffic policy"
        raise ServeError("SV007", "nothing says what is to answer", expected=wanted)


def _give_up(lifecycle: Lifecycle, worker: int, failure: BaseException) -> None:
    # An error of ours says all; what nobody foresaw is known by its traceback only.
    unforeseen = None if isinstance(failure, SiklusError) else failure
    _LOG.error("the model could not be loaded: %s", failure, extra={"worker": worker}, exc_info=unforeseen)
    lifecycle.give_up(failure)
