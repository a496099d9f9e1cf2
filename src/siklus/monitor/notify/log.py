"""The log as a receiver: one line for each event and each piece of news, where nothing else is declared."""

from siklus.events import tell
from siklus.monitor.alerts.events import Notification
from siklus.monitor.notify.wording import LONGEST_ADVICE, headline, one_line

LEVELS = {"critical": "error", "warning": "warning", "info": "info"}


class LogReceiver:
    """Every field of an event, named as rules have it; of news what happened."""

    def send(self, notification: Notification) -> None:
        for event in notification.events:
            level = LEVELS[event.severity] if event.state == "firing" else "info"
            fields = {
                "rule": event.rule,
                "state": event.state,
                "told": headline(event),
                "signal": event.signal,
                "label": one_line(event.label),
                "value": event.value,
                "threshold": event.threshold,
                "since": event.since,
                "severity": event.severity,
            }
            test = {"test": True} if notification.test else {}
            tell("alert", level=level, project=notification.project, **fields, **test)
        for news in notification.news:
            tell(
                "news",
                level=LEVELS[news.severity],
                project=notification.project,
                kind=news.kind,
                subject=one_line(news.subject),
                told=one_line(news.told, longest=LONGEST_ADVICE),
            )
