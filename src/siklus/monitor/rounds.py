"""Rounds: a program that looks at one project again and again, beside the servers, until told to end.

One a machine, without a part in any answer: whatever happens to it, to the database or to a mail server,
requests are answered. A look that fails is said, and made good by the next one.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from siklus.errors import FileError, SiklusError
from siklus.events import tell
from siklus.files import lock, stamp_of
from siklus.monitor.notify.courier import Delivery
from siklus.monitor.troubles import Troubles
from siklus.project.durations import seconds_of
from siklus.project.file import FILE_NAME, OpenProject
from siklus.registry.control import Control, control_uri, open_control

LOCK = "watch.lock"  # in the run directory: one program that looks a state
DELIVERY_SECONDS = 20.0  # after a look; what a receiver takes longer for is heard of later
PAUSE_SECONDS = 30.0  # between two looks far apart, after which it is seen what is due again
BETWEEN_SECONDS = 5.0  # for a delivery then
NICENESS = 10  # requests go first
FAILED = "look_failed"
WAIT_SECONDS = 5.0  # for another one of the same state to end


@dataclass(frozen=True, kw_only=True)
class Round:
    """What is done at each look, at ``now``, and then for at most so many seconds to deliver what is due.

    ``every``: the seconds between two looks, asked after each. ``end``: what is done when told to stop; what
    is opened is closed whenever the project file is read anew, too.
    """

    look: Callable[[datetime], object]
    deliver: Callable[[datetime, float], Delivery]
    every: Callable[[], float]
    end: Callable[[], None] = lambda: None


Opened: TypeAlias = Callable[[OpenProject, Control], AbstractContextManager[Round]]
Waited: TypeAlias = Callable[[float], bool]  # waits these seconds; whether it is to stop


def go_round(find: Callable[[], OpenProject], opened: Opened, *, waited: Waited) -> None:
    """Look at each multiple of `Round.every`, until ``waited`` says to stop.

    ``find`` reads the project file, which is read again whenever it changes; one that is broken leaves all as
    it was, and so does a look that fails. A control database that was put back is opened anew.
    """
    project = find()
    file = project.paths.root / FILE_NAME
    troubles = Troubles()
    while True:
        read = stamp_of(file)  # before it is read, so that a change meanwhile is a change
        try:
            project = find()
        except SiklusError as error:  # each time that somebody has changed it
            tell(FAILED, level="error", part="project", code=error.code, reason=str(error))
        url = control_uri(project.settings.state.control, project.paths.root)
        try:
            with (
                open_control(url, file=project.paths.control_database) as control,
                opened(project, control) as each,
            ):
                troubles.done("start")
                while stamp_of(file) == read and not control.replaced:
                    _look(each, troubles)
                    if _paused(each, waited, troubles):
                        each.end()
                        return
        except SiklusError as error:
            troubles.failed(FAILED, error, part="start")
            if waited(seconds_of(project.settings.monitor.look)):
                return


def run(find: Callable[[], OpenProject], opened: Opened, *, what: str) -> int:
    """Go round until SIGTERM or Ctrl-C: 0; 2 on a broken project file. Another one here is waited for."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    os.nice(NICENESS)
    try:
        while not stopped.is_set():
            try:
                with lock(find().paths.run / LOCK, what=what):
                    go_round(find, opened, waited=stopped.wait)
            except FileError as error:
                if error.code != "FS002":
                    raise
                stopped.wait(WAIT_SECONDS)
    except SiklusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


@contextmanager
def _said(troubles: Troubles, part: str) -> Iterator[None]:
    """What fails in the block is said, and the program goes on."""
    try:
        yield
    except SiklusError as error:
        troubles.failed(FAILED, error, part=part)
    else:
        troubles.done(part)


def _look(each: Round, troubles: Troubles) -> None:
    now = datetime.now(UTC)
    with _said(troubles, "look"):
        each.look(now)
    with _said(troubles, "delivery"):
        _deliver(each, wait=min(DELIVERY_SECONDS, each.every() / 2))


def _paused(each: Round, waited: Waited, troubles: Troubles) -> bool:
    """Wait for the next look, and deliver meanwhile what is due; whether ``waited`` says to stop."""
    every = each.every()
    until = time.monotonic() + every - time.time() % every
    while (left := until - time.monotonic()) > 0:
        if waited(min(left, PAUSE_SECONDS)):
            return True
        if left > PAUSE_SECONDS:
            with _said(troubles, "delivery"):
                _deliver(each, wait=BETWEEN_SECONDS)
    return False


def _deliver(each: Round, *, wait: float) -> None:
    delivery = each.deliver(datetime.now(UTC), wait)
    for notification in delivery.sent:
        rules = [event.title for event in notification.events]
        news = [each.headline for each in notification.news]
        tell("notified", receiver=notification.receiver, alerts=rules, news=news)
    for attempt in delivery.failed:
        told = attempt.notification
        tell("not_notified", level="error", receiver=told.receiver, reason=str(attempt.problem))
