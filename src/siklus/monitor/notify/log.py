"""The log as a receiver: one line for each event, where nothing else is declared."""

import logging

from siklus.monitor.events import Notification
from siklus.monitor.notify.wording import headline, one_line

LEVELS = {"critical": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}

_LOG = logging.getLogger("siklus.alerts")


class LogReceiver:
    """Every field of an event, named as rules have it."""

    def send(self, notification: Notification) -> None:
        for event in notification.events:
            level = LEVELS[event.severity] if event.state == "firing" else logging.INFO
            fields = {
                "rule": event.rule,
                "state": event.state,
                "told": headline(event),
                "signal": event.signal,
                "label": one_line(event.label),
                "value": event.value,
                "threshold": event.threshold,
                "since": event.since.isoformat(),
                "severity": event.severity,
            }
            test = {"test": True} if notification.test else {}
            _LOG.log(level, "alert", extra={"project": notification.project, **fields, **test})
