"""Explaining: to the events of a look, how sure they are, and what a picture of them shows."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from siklus.monitor.alerts.events import Bars, Beside, Event, Evidence, Series
from siklus.monitor.alerts.store import Explained
from siklus.monitor.beside import beside
from siklus.monitor.drift.report import PREDICTION, DriftReport
from siklus.monitor.look import Seen
from siklus.monitor.signals import SIGNALS

REMEMBERED = 240  # looks: four hours, of one a minute
MOST_BARS = 10
MOST_PICTURES = 3
MOST_NAMES = 3
OF_DRIFT = ("drift_alarm", "drift_score", "missing_jump", "unseen_share")


class History:
    """The values that signals had at the last looks of this watch."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], deque[tuple[datetime, float]]] = {}

    def add(self, seen: Seen) -> None:
        for each in seen.signals:
            values = self._values.setdefault((each.name, each.label), deque(maxlen=REMEMBERED))
            values.append((seen.time, each.value))

    def series(self, signal: str, label: str, *, threshold: float | None) -> Series | None:
        """Of one signal, where there are values to draw a line through."""
        values = self._values.get((signal, label), ())
        if len(values) < 2:
            return None
        return Series(
            title=f"{signal} {label}".strip(),
            unit=SIGNALS[signal].unit,
            times=tuple(time for time, _ in values),
            values=tuple(value for _, value in values),
            threshold=threshold,
        )


def explained(events: Sequence[Event], *, seen: Seen, history: History) -> Explained:
    """The same events with what the look knows of them."""
    pictures = list(_pictures(events, seen, history))[:MOST_PICTURES]
    told = tuple(replace(event, certainty=certainty(event, seen)) for event in events)
    return Explained(events=told, evidence=tuple(pictures))


def certainty(event: Event, seen: Seen) -> str:
    """How sure it is, in words; "" for a signal that was counted and is no estimate."""
    if event.signal == "drift_alarm" and (alarming := _alarming(seen)):
        more = f" and {len(alarming) - MOST_NAMES} more" if len(alarming) > MOST_NAMES else ""
        return f"Seen in {', '.join(alarming[:MOST_NAMES])}{more}"
    if event.signal in OF_DRIFT and seen.drift is not None:
        return next((column.said for column in seen.drift.columns if column.name == event.label), "")
    quality = seen.quality
    if event.signal == "quality_alarm" and quality is not None and quality.alarm is not None:
        # Another machine's watch may have found what this one has not.
        return quality.alarm.said if quality.alarm.alarm == (event.state == "firing") else ""
    if event.signal == "quality" and quality is not None and quality.recent is not None:
        low, high = quality.recent.low, quality.recent.high
        return "" if low is None or high is None else f"95 % interval {low:.4g} to {high:.4g}"
    return ""


def _pictures(events: Sequence[Event], seen: Seen, history: History) -> Iterator[Evidence]:
    if seen.drift is not None and any(event.signal in OF_DRIFT for event in events):
        yield from _bars(seen.drift)
        yield from _beside(events, seen)
    for event in events:
        found, kind = None, SIGNALS.get(event.signal)  # a stored state may be of a signal that is no more
        if kind is not None and kind.unit != "yes/no":
            found = history.series(event.signal, event.label, threshold=event.threshold)
        elif event.signal == "quality_alarm":
            floor = None if seen.quality is None else seen.quality.floor
            found = history.series("quality", "", threshold=None if floor is None else floor.limit)
        if found is not None:
            yield found


def _beside(events: Sequence[Event], seen: Seen) -> Iterator[Beside]:
    """The columns that the events are about, now and in training."""
    if seen.reference is None or seen.window is None:
        return
    names = [event.label for event in events if event.signal in OF_DRIFT and event.label]
    if any(event.signal == "drift_alarm" for event in events):
        names += _alarming(seen)
    then, now = (
        {PREDICTION: profile.prediction, **profile.columns} for profile in (seen.reference, seen.window)
    )
    for name in dict.fromkeys(names):
        if name in then and (found := beside(name, then[name], now[name])) is not None:
            yield found


def _alarming(seen: Seen) -> list[str]:
    """The columns that raise the alarm, those that have moved farthest in the last window first."""
    if seen.evidence is None:
        return []
    columns = () if seen.drift is None else seen.drift.columns
    moved = {column.name: column.psi or 0.0 for column in columns}
    alarming = [name for name, column in seen.evidence.columns.items() if column.alarm]
    return sorted(alarming, key=lambda name: -moved.get(name, 0.0))


def _bars(report: DriftReport) -> Iterator[Bars]:
    """The columns that have moved farthest."""
    moved = sorted(
        ((column.psi, column.name) for column in report.columns if column.psi is not None), reverse=True
    )[:MOST_BARS]
    if moved:
        yield Bars(
            title="How far columns have moved from training (PSI)",
            unit="psi",
            names=tuple(name for _, name in moved),
            values=tuple(psi for psi, _ in moved),
        )
