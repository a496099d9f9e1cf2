"""The quality of the champion at every look: what is new is read, and when nothing is, nothing is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct

from siklus.bundle.read import Bundle
from siklus.monitor.microseconds import moment_of, us_of
from siklus.monitor.quality.alarm import MOST_ROWS, quality_alarm
from siklus.monitor.quality.judging import (
    Judged,
    estimated,
    labels_of,
    with_two_probabilities,
)
from siklus.monitor.quality.question import QualityQuestion, Yardstick, asks_again, yardstick_of
from siklus.monitor.quality.report import QualityAlarm, QualityFloor
from siklus.monitor.quality.rescoring import rescore
from siklus.monitor.signals import Signal
from siklus.project.durations import seconds_of
from siklus.project.sections import Project
from siklus.records.ids import issued_ms
from siklus.records.joined import Stretch, count_labelled, read_joined
from siklus.records.layout import Layout
from siklus.records.outcomes import Newest, newest_outcomes, outcome_stamp
from siklus.stats.anytime import STARTS
from siklus.stats.intervals import Estimate

ALWAYS = datetime(9999, 1, 1, tzinfo=UTC)  # a clock that had jumped has made predictions of the future
RESCORED = 2_000  # rows for which a model of many classes is asked again, at a look with new outcomes
LATE_SECONDS = 60.0  # at most, from a prediction's id to its record
STORED_SECONDS = 600  # at most, from the receipt of an outcome to its place in the database
COUNT_SECONDS = 3600  # after which all labelled predictions are counted anew


class QualitySeen(Struct, frozen=True, kw_only=True):
    """What a look says of the champion's quality.

    ``labelled``: its predictions with an outcome, in all; ``coverage``: their share of what it answered;
    ``delay``: the median of seconds from a prediction to its outcome, of the newest. ``recent``: the watched
    metric over the outcomes that came in the last [monitor] window, and over [monitor] min_rows at least;
    None where there are fewer.
    """

    version: str
    metric: str
    labelled: int
    coverage: float | None
    delay: float | None
    recent: Estimate | None
    floor: QualityFloor | None
    alarm: QualityAlarm | None

    def signals(self) -> Iterator[Signal]:
        """Those that can be said."""
        values = {
            "labelled_since_training": float(self.labelled),
            "label_coverage": self.coverage,
            "label_delay": self.delay,
            "quality": None if self.recent is None else self.recent.value,
            "quality_alarm": None if self.alarm is None else float(self.alarm.alarm),
        }
        for name, value in values.items():
            if value is not None:
                yield Signal(name=name, value=value)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What was read of one champion, in the order in which outcomes came. ``stamp``: of the outcomes then.

    ``counted``: all labelled predictions received until ``counted_us``.
    """

    yardstick: Yardstick
    stamp: tuple[int, int]
    judged: Judged
    alarm: QualityAlarm | None
    counted: int
    counted_us: int

    @property
    def labelled(self) -> int:
        rows = self.judged.rows
        return self.counted + int((rows.labelled & (rows.received > self.counted_us)).sum())


class QualityWatch:
    """Looks at one state's records. Opened once, asked again and again; RecordsError RC003, RC006."""

    def __init__(self, layout: Layout, settings: Project) -> None:
        self._layout, self._settings = layout, settings
        self._champion: Bundle | None = None
        self._known: _Known | None = None

    def look(self, champion: Bundle, *, answered: int, now: datetime) -> QualitySeen:
        """``answered``: rows that the champion has answered since training, by servers with these records."""
        if champion is not self._champion:
            self._champion, self._known = champion, None
        stamp = outcome_stamp(self._layout.outcomes)
        if self._known is None or self._known.stamp != stamp:
            self._known = self._read(champion, stamp, now=now)
        known = self._known
        recent = self._recent(known.judged, now=now)
        return QualitySeen(
            version=champion.version,
            metric=known.yardstick.metric,
            labelled=known.labelled,
            coverage=min(1.0, known.labelled / answered) if answered else None,
            delay=labels_of(known.judged.rows).delay_median,
            recent=None if recent is None else estimated(recent, known.yardstick.metric),
            floor=known.yardstick.floor,
            alarm=known.alarm,
        )

    def _read(self, champion: Bundle, stamp: tuple[int, int], *, now: datetime) -> _Known:
        monitor = self._settings.monitor
        yardstick = yardstick_of(QualityQuestion(since=None, until=now), self._settings, champion)
        newest = newest_outcomes(
            self._layout.outcomes,
            step_us=seconds_of(monitor.step) * 1_000_000,
            steps=STARTS,
            most=MOST_ROWS,
        )
        judged = self._judged(champion, yardstick.metric, newest)
        counted, counted_us = self._counted(champion.version, newest, now=now)
        return _Known(
            yardstick=yardstick,
            stamp=stamp,
            judged=judged,
            alarm=None if yardstick.floor is None else quality_alarm(judged, yardstick.floor, monitor),
            counted=counted,
            counted_us=counted_us,
        )

    def _judged(self, champion: Bundle, metric: str, newest: Newest | None) -> Judged:
        """The champion's predictions with the newest outcomes."""
        classes = champion.contract.target.classes
        again = asks_again(metric, champion.contract)
        rows = read_joined(
            self._layout,
            Stretch(
                since=None if newest is None else _made_from(newest.first_id),
                until=ALWAYS,
                version=champion.version,
                received_us=us_of(ALWAYS) if newest is None else newest.from_us,
            ),
            classes=classes,
            featured=RESCORED if again else 0,
        )
        if not again:
            return Judged(rows=rows, probabilities=with_two_probabilities(rows))
        return Judged(rows=rows, probabilities=rescore(rows, {champion.version: champion}.get).probabilities)

    def _counted(self, version: str, newest: Newest | None, *, now: datetime) -> tuple[int, int]:
        """All labelled predictions but the latest, and until when: rarely, since all is read for it."""
        last, until_us = self._known, us_of(now) - STORED_SECONDS * 1_000_000
        still_near = last is not None and abs(until_us - last.counted_us) < COUNT_SECONDS * 1_000_000
        if last is not None and still_near and (newest is None or newest.from_us <= last.counted_us):
            return last.counted, last.counted_us
        return count_labelled(self._layout, version, until_us=until_us), until_us

    def _recent(self, judged: Judged, *, now: datetime) -> Judged | None:
        """The rows whose outcomes came in the last window, or else the newest, as many as are judged."""
        monitor = self._settings.monitor
        labelled = np.flatnonzero(judged.rows.labelled)
        if len(labelled) < monitor.min_rows:
            return None
        received = judged.rows.received[labelled]
        since = us_of(now) - seconds_of(monitor.window) * 1_000_000
        count = max(int((received >= since).sum()), monitor.min_rows)
        return judged.take(labelled[np.argsort(received, kind="stable")[-count:]])


def _made_from(prediction_id: str) -> datetime | None:
    """A moment that is not after the prediction's record; None for an id that tells no time."""
    try:
        return moment_of(int((issued_ms(prediction_id) / 1000 - LATE_SECONDS) * 1_000_000))
    except (ValueError, OverflowError):
        return None
