"""What a receiver is, and how it says that a notification has not reached it."""

from typing import Protocol

from siklus.errors import AlertError
from siklus.monitor.alerts.events import Notification


class Receiver(Protocol):
    """Where notifications go. Only one thread sends to it at a time."""

    def send(self, notification: Notification) -> None:
        """Return once it is there; `NotSent` when it is not, or when nobody can know."""


class NotSent(AlertError):
    """It may be tried again; ``retry_after``: after how many seconds at the earliest, where that was said."""

    def __init__(
        self, code: str, message: str, *, expected: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(code, message, expected=expected)
        self.retry_after = retry_after
