"""Schedules as cron writes them: minute, hour, day of the month, month, day of the week; in UTC.

`*`, numbers, ranges `1-5`, lists `1,15`, steps `*/10` and `0-30/5`, names `jan` and `mon`; of the days of the
week 0 and 7 are Sunday. Where both the day of the month and that of the week are limited, either is enough,
as in every cron (POSIX.1-2017, crontab).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
EXPECTED = "five fields: minute hour day month weekday, such as `0 3 * * 1`"
# 29 February is at most eight years away: 1900 and 2100 have none.
LONGEST_DAYS = 8 * 366
PREFIX = "schedule:"

_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d{1,3}))?", re.ASCII)


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    words: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day", 1, 31, {}),
    _Field("month", 1, 12, {word: number for number, word in enumerate(MONTHS, 1)}),
    _Field("weekday", 0, 7, {word: number for number, word in enumerate(WEEKDAYS)}),
)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The minutes of UTC that a cron line names."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool  # a day of the month or one of the week is enough

    def last(self, moment: datetime) -> datetime | None:
        """The latest such minute that is not after ``moment``; None in eight years."""
        return self._nearest(moment, back=True)

    def next(self, moment: datetime) -> datetime | None:
        """The first such minute after ``moment``; None in eight years."""
        return self._nearest(moment, back=False)

    def _nearest(self, moment: datetime, *, back: bool) -> datetime | None:
        moment = moment.astimezone(UTC)
        for day in _days_from(moment.date(), back=back):
            if not self._on(day):
                continue
            for found in self._times(day, back=back):
                if found <= moment if back else found > moment:
                    return found
        return None

    def _times(self, day: date, *, back: bool) -> Iterator[datetime]:
        for hour in sorted(self.hours, reverse=back):
            for minute in sorted(self.minutes, reverse=back):
                yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)

    def _on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def _days_from(day: date, *, back: bool) -> Iterator[date]:
    for number in range(LONGEST_DAYS):
        try:
            yield day + timedelta(days=-number if back else number)
        except OverflowError:
            return  # the calendar ends


def parse_schedule(text: str) -> Schedule:
    """ValueError with what is wrong, also for one that never comes, such as 30 February.

    >>> parse_schedule("30 3 * * mon-fri").next(datetime(2026, 1, 2, 3, 30, tzinfo=UTC)).isoformat()
    '2026-01-05T03:30:00+00:00'
    """
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ValueError(f"{len(words)} fields")
    minutes, hours, days, months, weekdays = (
        _numbers(word, field) for word, field in zip(words, _FIELDS, strict=True)
    )
    schedule = Schedule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(number % 7 for number in weekdays),
        either_day=not words[2].startswith("*") and not words[4].startswith("*"),
    )
    if schedule.next(datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("it never comes")
    return schedule


def _numbers(text: str, field: _Field) -> frozenset[int]:
    return frozenset(number for part in text.lower().split(",") for number in _part(part, field))


def _part(text: str, field: _Field) -> range:
    found = _PART.fullmatch(text)
    if found is None:
        raise ValueError(f"{field.name} {text!r}")
    every, first, last, step = found.groups()
    low, high = field.low, field.high
    if every != "*":
        low = _number(first, field)
        # `5/10` is from 5 on, every 10.
        high = _number(last, field) if last else field.high if step else low
    if low > high or step == "0":
        raise ValueError(f"{field.name} {text!r}")
    return range(low, high + 1, int(step or 1))


def _number(word: str, field: _Field) -> int:
    number = int(word) if word.isdecimal() else field.words.get(word, -1)
    if not field.low <= number <= field.high:
        raise ValueError(f"{field.name} {word!r}, of {field.low} to {field.high}")
    return number
