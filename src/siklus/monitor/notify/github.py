"""GitHub as a receiver: a `repository_dispatch` event starts a repository's workflows, such as a training."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from siklus.monitor.alerts.events import Event, Notification
from siklus.monitor.notify.posting import Letter, Poster
from siklus.monitor.notify.wording import SHOWN_EVENTS, one_line, story
from siklus.project.notify import GitHub

API_VERSION = "2022-11-28"
MOST_BYTES = 50_000  # of all events together; GitHub takes less than 64 kB as a whole


@dataclass(frozen=True, kw_only=True)
class GitHubReceiver:
    """``token`` is read at each notification."""

    settings: GitHub
    token: Callable[[], str]
    poster: Poster
    false_alarm_rate: float
    now: Callable[[], datetime]

    def send(self, notification: Notification) -> None:
        """NotSent AL040 to AL044, AL047, AL048."""
        token = self.token()
        document = {
            "event_type": self.settings.event_type,
            "client_payload": payload(notification, false_alarm_rate=self.false_alarm_rate),
        }
        letter = Letter(
            url=f"{self.settings.api.rstrip('/')}/repos/{self.settings.repository}/dispatches",
            document=document,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "X-GitHub-Api-Version": API_VERSION,
            },
            secrets=(token,),
        )
        self.poster.post(letter, now=self.now())


def payload(notification: Notification, *, false_alarm_rate: float) -> dict[str, object]:
    """At most eight properties of GitHub's ten; the last events are left out where they are too many.

    ``status``: `firing` or `resolved`, or `news` where nothing but news is told.
    """
    news = [one_line(f"{each.headline}: {each.told}") for each in notification.news[:SHOWN_EVENTS]]
    words = story(notification, false_alarm_rate=false_alarm_rate)
    return {
        "project": one_line(notification.project),
        "summary": words.subject,
        "status": _status(notification),
        "time": notification.time.astimezone(UTC).isoformat(),
        "notification": notification.id,
        "test": notification.test,
        "events": list(_fitting(_event(event) for event in notification.events)),
        **({"news": news} if news else {}),
    }


def _status(notification: Notification) -> str:
    if any(event.state == "firing" for event in notification.events):
        return "firing"
    return "resolved" if notification.events or not notification.news else "news"


def _fitting(events: Iterable[dict[str, object]]) -> Iterator[dict[str, object]]:
    """The first of them, until they fill a payload."""
    size = 0
    for event in events:
        size += len(json.dumps(event)) + len(", ")
        if size > MOST_BYTES:
            return
        yield event


def _event(event: Event) -> dict[str, object]:
    return {
        "rule": event.rule,
        "signal": event.signal,
        "label": one_line(event.label),
        "state": event.state,
        "value": event.value,
        "threshold": event.threshold,
        "severity": event.severity,
        "since": event.since.astimezone(UTC).isoformat(),
    }
