"""Forking: how a worker comes from its supervisor, and what of the supervisor it must not keep."""

import ctypes
import gc
import logging
import os
import signal
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from siklus.errors import SiklusError
from siklus.serve.desk import open_desk
from siklus.serve.events import tell_events
from siklus.serve.lifecycle import DRAIN, Lifecycle
from siklus.serve.plan import Plan
from siklus.serve.supervision.board import Row
from siklus.serve.supervision.worker import Post, answer
from siklus.serve.wire.listening import Listener

UNABLE = 2  # the exit code of a worker whose model cannot be loaded
UNFORESEEN = 70  # and of one that failed otherwise (sysexits.h: internal software error)
HAND_OVER = signal.SIGUSR1  # tells a worker that another one has its socket by now

# For a moment around the fork no signal is taken: the child would note it with its parent's handlers.
_HELD = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, HAND_OVER, DRAIN}
_PR_SET_PDEATHSIG = 1  # prctl's name for it (linux/prctl.h)

_LOG = logging.getLogger("siklus.serve")


@dataclass(frozen=True, kw_only=True)
class Birth:
    """What one worker is born with. ``others`` and ``patient``: see `worker.Post`."""

    plan: Plan
    number: int
    listener: Listener
    others: Mapping[int, Listener]
    row: Row
    tls: ssl.SSLContext | None
    patient: bool


def prepare_to_fork() -> None:
    """Take what is loaded by now out of the garbage collector's sight, so that its pages stay shared."""
    gc.collect()
    gc.freeze()


def fork_worker(birth: Birth) -> int:
    """Start a worker; its process id."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        supervisor = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_worker(birth, supervisor)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


def die_with_parent(parent: int) -> None:
    """Have the kernel send this process SIGTERM as soon as ``parent`` is gone, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _be_worker(birth: Birth, supervisor: int) -> None:
    """The whole life of a worker; never comes back, because what stands above it is the supervisor's."""
    code = UNFORESEEN
    try:
        code = _live(birth, supervisor)
    except SiklusError as error:
        birth.row.leave_words(str(error))
        code = UNABLE
    except Exception:  # noqa: BLE001 - the edge of the process: whatever it is has to be told
        _LOG.exception("worker_failed")
    finally:
        logging.shutdown()
        os._exit(code)


def _live(birth: Birth, supervisor: int) -> int:
    tell_events(worker=birth.number)
    with open_desk(birth.plan, birth.number) as desk:
        _obey(desk.lifecycle)
        die_with_parent(supervisor)
        answer(
            desk,
            Post(
                listener=birth.listener,
                tls=birth.tls,
                beat=birth.row.beat,
                others=birth.others,
                covers=lambda: birth.row.covers,
                server_ends=lambda: birth.row.server_ends or os.getppid() != supervisor,
                patient=birth.patient,
                others_answer=lambda: birth.row.others_answer,
            ),
        )
    failure = desk.lifecycle.failure
    if failure is None:
        return 0
    birth.row.leave_words(str(failure) if isinstance(failure, SiklusError) else repr(failure))
    return UNABLE


def _obey(lifecycle: Lifecycle) -> None:
    """Take signals as a worker does: Ctrl-C reaches the whole group, and only the supervisor acts on it."""
    handlers: dict[signal.Signals, Callable[[int, object], None]] = {
        signal.SIGTERM: lambda _number, _frame: _drain_once(lifecycle),
        HAND_OVER: lambda _number, _frame: lifecycle.drain(replaced=True),
    }
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for ignored in (signal.SIGINT, signal.SIGHUP, DRAIN):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


def _drain_once(lifecycle: Lifecycle) -> None:
    """Drain; a second signal hurries nobody, because one to the whole group comes from the supervisor too.

    Who has to end at once is killed by the supervisor.
    """
    if not lifecycle.draining:
        lifecycle.drain()
