"""What somebody must hear: an alert that began, goes on, or is over; news; and what carries them."""

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from siklus.monitor.alerts.rules import Comparison
from siklus.project.alerts import Severity


class Event(Struct, frozen=True, kw_only=True):
    """One alert at one look. ``rule``: its name; ``label``: the feature where the signal has one, else "".

    ``value``: now; None when the signal has none any more, which resolves an alert. ``since``: when the
    rule became true. ``changed``: the alert fires or is resolved since this very look; otherwise it is told
    again (``repeated``), or for the first time after a silence. ``receivers``: who is to hear of it;
    nobody while it is ``silenced``. ``certainty``: how sure that is, in words ("PSI 0.31, 95 % interval 0.28
    to 0.34"), where whoever computed the signal can say it.
    """

    rule: str
    signal: str
    state: Literal["firing", "resolved"]
    comparison: Comparison
    threshold: float
    value: float | None
    label: str = ""
    since: datetime
    severity: Severity
    advice: str
    changed: bool = True
    repeated: bool = False
    silenced: bool = False
    receivers: tuple[str, ...] = ()
    certainty: str = ""

    @property
    def title(self) -> str:
        """`unseen_share of carrier`, or the rule's name alone."""
        return f"{self.rule} of {self.label}" if self.label else self.rule


class News(Struct, frozen=True, kw_only=True):
    """Something that was decided or done, and does not go on as an alert does.

    ``kind`` and ``subject``: those of its journal entry. ``headline``: in some words; ``told``: a sentence
    with its numbers. ``advice`` and ``commands``: what a person may do next.
    """

    kind: str
    subject: str
    headline: str
    told: str
    time: datetime
    severity: Severity = "info"
    advice: str = ""
    commands: tuple[str, ...] = ()


class Series(Struct, frozen=True, kw_only=True, tag="series"):
    """A signal over time, the oldest first. ``unit`` is that of `SIGNALS`; ``threshold``: a line to draw."""

    title: str
    unit: str
    times: tuple[datetime, ...]
    values: tuple[float, ...]
    threshold: float | None = None


class Bars(Struct, frozen=True, kw_only=True, tag="bars"):
    """Named values, the largest first, such as the drift of columns. As `Series` otherwise."""

    title: str
    unit: str
    names: tuple[str, ...]
    values: tuple[float, ...]
    threshold: float | None = None


class Beside(Struct, frozen=True, kw_only=True, tag="beside"):
    """A column's bins, and what else its cells were: the shares of all cells now and in training, 0 to 1.

    ``apart``: how many of the last are no bins of values, such as missing ones.
    """

    title: str
    names: tuple[str, ...]
    now: tuple[float, ...]
    training: tuple[float, ...]
    apart: int = 0


Evidence: TypeAlias = Series | Bars | Beside


class Notification(Struct, frozen=True, kw_only=True):
    """All events of one look for one receiver, or news. Stored as JSON until it is delivered.

    ``id`` is given by the outbox and stays the same at every attempt, so that a receiver can tell a second
    delivery from a second alert; 0 for one that was never there. ``test``: nothing has happened.
    """

    id: int = 0
    project: str
    receiver: str
    time: datetime
    events: tuple[Event, ...]
    evidence: tuple[Evidence, ...] = ()
    test: bool = False
    news: tuple[News, ...] = ()
