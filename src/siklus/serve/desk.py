"""The desk: what one worker answers with. Opened once in each process, closed when it ends."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from siklus.bundle.read import Bundle, open_bundle
from siklus.errors import ServeError, SiklusError
from siklus.project.sections import Serve
from siklus.serve.lifecycle import Lifecycle
from siklus.serve.metrics import Metrics
from siklus.serve.models import Models, start_loading
from siklus.serve.plan import Plan

_LOG = logging.getLogger("siklus.serve")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The parts that the calls of one worker share."""

    plan: Plan
    models: Models
    metrics: Metrics
    lifecycle: Lifecycle

    @property
    def settings(self) -> Serve:
        return self.plan.serve


@contextmanager
def open_desk(plan: Plan, worker: int = 0) -> Iterator[Desk]:
    """All parts of worker number ``worker`` (from 0): there is no other place where they are assembled.

    Comes at once: the model loads in a thread of its own. Whatever is opened here is closed in reverse.
    """
    metrics, lifecycle = Metrics(), Lifecycle()
    models = start_loading(_opener(plan), prepare=metrics.watch)
    models.when_failed(partial(_give_up, lifecycle, worker))
    yield Desk(plan=plan, models=models, metrics=metrics, lifecycle=lifecycle)


def _opener(plan: Plan) -> Callable[[], Bundle]:
    if plan.bundle is None:
        raise ServeError("SV007", "no bundle is named", expected="--bundle with a sealed directory")
    return plan.bundle if callable(plan.bundle) else partial(open_bundle, plan.bundle, version=plan.version)


def _give_up(lifecycle: Lifecycle, worker: int, failure: BaseException) -> None:
    # An error of ours says all; what nobody foresaw is known by its traceback only.
    unforeseen = None if isinstance(failure, SiklusError) else failure
    _LOG.error("the model could not be loaded: %s", failure, extra={"worker": worker}, exc_info=unforeseen)
    lifecycle.give_up(failure)
