"""A test notification: what a rule would tell, marked as a test, so that one knows that it arrives."""

from datetime import datetime, timedelta

from siklus.monitor.alerts.events import Event, Notification, Series
from siklus.monitor.alerts.rules import Rule
from siklus.monitor.signals import SIGNALS

POINTS = 12  # of an invented hour
MARK = "This is a test: nothing has happened."


def trial(rule: Rule, *, project: str, receiver: str, now: datetime) -> Notification:
    """The rule as if it had just begun to fire, with invented values around its threshold."""
    kind = SIGNALS[rule.signal]
    label = rule.feature or ("example" if kind.by else "")
    event = Event(
        rule=rule.name,
        signal=rule.signal,
        state="firing",
        comparison=rule.comparison,
        threshold=rule.threshold,
        value=_invented(rule, POINTS - 1),
        label=label,
        since=now - timedelta(seconds=rule.held),
        severity=rule.severity,
        advice=rule.advice,
        receivers=(receiver,),
        certainty=MARK,
    )
    series = Series(
        title=f"{event.title}, invented values",
        unit=kind.unit,
        times=tuple(now - timedelta(minutes=5 * (POINTS - 1 - point)) for point in range(POINTS)),
        values=tuple(_invented(rule, point) for point in range(POINTS)),
        threshold=rule.threshold,
    )
    return Notification(
        project=project, receiver=receiver, time=now, events=(event,), evidence=(series,), test=True
    )


def _invented(rule: Rule, point: int) -> float:
    """A straight way to the threshold and a little beyond it."""
    way = (point + 1) / POINTS  # 1 at the end
    beyond = abs(rule.threshold) or 1.0
    start = rule.threshold - beyond if rule.comparison == ">" else rule.threshold + beyond
    end = rule.threshold + 0.1 * beyond if rule.comparison == ">" else rule.threshold - 0.1 * beyond
    return start + way * (end - start)
