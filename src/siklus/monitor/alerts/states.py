"""How alerts stand between two looks: which rules are true, who was told, and what is silenced."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from siklus.monitor.alerts.rules import Rule

CLOCKS_APART = timedelta(minutes=5)  # that two machines' clocks may differ


class AlertState(Struct, frozen=True, kw_only=True):
    """A rule that is true, for one label, or was so a short while ago. What is not true has no state.

    ``since``: when it became true; ``seen``: the last look at which it was; ``untrue``: since when it is not
    any more, while it is kept. ``told``: the receivers that know that it fires; ``told_at``: when they last
    heard of it. The rule is kept as it was, so that an alert can be told over when its rule is gone.
    """

    rule: Rule
    label: str
    state: Literal["pending", "firing"]
    value: float
    since: datetime
    seen: datetime
    told: tuple[str, ...] = ()
    told_at: datetime | None = None
    untrue: datetime | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """What a rule saw last: of several labels the value that is nearest to its being true, or most so."""

    rule: str
    label: str
    value: float


class Standing(Struct, frozen=True, kw_only=True):
    """All of a model's alerts after a look. ``looked``: when; None before the first one."""

    states: tuple[AlertState, ...] = ()
    readings: tuple[Reading, ...] = ()
    looked: datetime | None = None


class Silence(Struct, frozen=True, kw_only=True):
    """Nobody is told of the rules that ``rule`` names (`*` stands for any letters), before ``until``.

    ``feature``: only of this one. Alerts begin and end meanwhile as ever; what still fires at the end is
    told then.
    """

    rule: str
    feature: str | None = None
    created: datetime
    until: datetime
    author: str
    reason: str = ""

    def covers(self, rule: str, label: str, *, now: datetime) -> bool:
        """Not before its creation either: a clock that went back must not make years of hours."""
        return (
            self.created - CLOCKS_APART <= now < self.until
            and fnmatchcase(rule, self.rule)
            and self.feature in (None, label)
        )


def silenced_until(silences: Iterable[Silence], rule: str, label: str, *, now: datetime) -> datetime | None:
    """When the last silence over it ends; None when there is none."""
    ends = [silence.until for silence in silences if silence.covers(rule, label, now=now)]
    return max(ends, default=None)
