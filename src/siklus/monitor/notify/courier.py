"""The courier: takes what is due from the outbox to its receivers, and says what became of it.

Each receiver has a thread of its own while there is something for it, so one that hangs keeps nobody waiting:
neither the others nor the next look. The outbox is only touched by the thread that calls `deliver`.
"""

import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import structs

from siklus.errors import SiklusError
from siklus.monitor.alerts.events import Notification
from siklus.monitor.notify.opening import Reached
from siklus.monitor.notify.receiver import NotSent
from siklus.monitor.notify.wording import one_line

LONGEST_REASON = 1000  # characters
WAIT_SECONDS = 5.0  # for receivers, in one call; who needs longer is heard of in the next


class Outbox(Protocol):
    """Where notifications wait (`siklus.monitor.alerts.outbox`). What `due` gives is nobody else's then."""

    def due(self, now: datetime) -> Sequence[Notification]: ...
    def delivered(self, told: Notification, now: datetime) -> None: ...
    def failed(
        self, id: int, now: datetime, reason: str, *, retry_after: timedelta | None = None
    ) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """``problem`` is None where the notification arrived. It is as the receiver got it: without the ends of
    alerts where it wants to hear of none, and perhaps without anything to say."""

    notification: Notification
    problem: SiklusError | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What one call has heard of. ``under_way``: what receivers still take their time for."""

    sent: tuple[Notification, ...] = ()
    failed: tuple[Attempt, ...] = ()
    under_way: int = 0


class Courier:
    """Lives as long as the watch, since a receiver may take longer than one call of `deliver`."""

    def __init__(self, outbox: Outbox, receivers: Mapping[str, Reached]) -> None:
        self._outbox = outbox
        self._lanes = {name: Lane(name, reached) for name, reached in receivers.items()}
        self._under_way: set[int] = set()
        self._heard: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._unmarked: deque[Attempt] = deque()

    def deliver(self, now: datetime, *, wait: float = WAIT_SECONDS) -> Delivery:
        """Hand out what is due, and mark what became of it and of what was under way.

        Takes no longer than ``wait`` seconds and the database's own time, whatever receivers do.
        """
        until = time.monotonic() + wait
        while fresh := [each for each in self._outbox.due(now) if each.id not in self._under_way]:
            for notification in fresh:
                self._hand_out(notification)
        return self._marked(now, until)

    def _hand_out(self, notification: Notification) -> None:
        self._under_way.add(notification.id)
        lane = self._lanes.get(notification.receiver)
        if lane is None:
            wanted = f"[notify.{notification.receiver}] in siklus.toml"
            told = f"receiver {notification.receiver!r} is not declared (any more)"
            self._heard.put(
                Attempt(notification=notification, problem=NotSent("AL049", told, expected=wanted))
            )
        else:
            lane.put(notification, self._heard)

    def _marked(self, now: datetime, until: float) -> Delivery:
        sent: list[Notification] = []
        failed: list[Attempt] = []
        while self._next_heard(until):
            attempt = self._unmarked[0]
            self._mark(attempt, now)
            # Not before: were the database down, the next call marks it, and nobody gets it twice.
            self._unmarked.popleft()
            self._under_way.discard(attempt.notification.id)
            if attempt.problem is not None:
                failed.append(attempt)
            elif attempt.notification.events or attempt.notification.news:
                sent.append(attempt.notification)
        return Delivery(sent=tuple(sent), failed=tuple(failed), under_way=len(self._under_way))

    def _next_heard(self, until: float) -> bool:
        if not self._unmarked and self._under_way:
            try:
                self._unmarked.append(self._heard.get(timeout=max(until - time.monotonic(), 0.0)))
            except queue.Empty:
                return False
        return bool(self._unmarked)

    def _mark(self, attempt: Attempt, now: datetime) -> None:
        notification, problem = attempt.notification, attempt.problem
        if problem is None:
            self._outbox.delivered(notification, now)
            return
        asked = problem.retry_after if isinstance(problem, NotSent) else None
        later = None if asked is None else timedelta(seconds=asked)
        # A server's own words may hold what the database cannot.
        reason = one_line(str(problem), longest=LONGEST_REASON)
        self._outbox.failed(notification.id, now, reason, retry_after=later)


class Lane:
    """The way to one receiver: what waits for it, the oldest first, and a thread while there is something."""

    def __init__(self, name: str, reached: Reached) -> None:
        self._name = name
        self._reached = reached
        self._waiting: deque[Notification] = deque()
        self._lock = threading.Lock()
        self._running = False

    def put(self, notification: Notification, heard: queue.SimpleQueue[Attempt]) -> None:
        with self._lock:
            self._waiting.append(notification)
            if self._running:
                return
            self._running = True
        # A daemon: the end of the watch waits for no mail server, and what is under way is due again.
        threading.Thread(target=self._run, args=(heard,), name=f"notify-{self._name}", daemon=True).start()

    def _run(self, heard: queue.SimpleQueue[Attempt]) -> None:
        while (notification := self._next()) is not None:
            heard.put(self._attempt(notification))

    def _next(self) -> Notification | None:
        with self._lock:
            self._running = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None

    def _attempt(self, notification: Notification) -> Attempt:
        events = tuple(
            event for event in notification.events if self._reached.send_resolved or event.state == "firing"
        )
        notification = structs.replace(notification, events=events)
        try:
            if events or notification.news:
                self._reached.receiver.send(notification)
        except SiklusError as exc:
            return Attempt(notification=notification, problem=exc)
        except Exception as exc:  # noqa: BLE001 - a thread's edge: what is not said here is never heard of
            place = traceback.extract_tb(exc.__traceback__)[-1]
            told = f"receiver {self._name!r}: {type(exc).__name__} in {place.name}:{place.lineno}: {exc}"
            return Attempt(notification=notification, problem=NotSent("AL050", told))
        return Attempt(notification=notification)
