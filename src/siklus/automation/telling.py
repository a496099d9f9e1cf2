"""Telling: what the loop does is heard by whoever `[retrain] notify` names.

It is written into the outbox in the transaction that decides it: nothing is told that was not decided, and
nothing decided is left untold, whoever dies. The journal's entry has the words; here it gets a headline, and
what a person may do about it.
"""

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from siklus.automation.retraining.jobs import CHALLENGER, RETRAINING, TRIGGER
from siklus.automation.rollout.accounts import FREEZE
from siklus.monitor.alerts.events import News, Notification
from siklus.monitor.alerts.outbox import Outbox
from siklus.project.alerts import Severity
from siklus.project.notify import DEFAULT_RECEIVERS, GitHub
from siklus.project.sections import Project
from siklus.registry.control import Control
from siklus.registry.journal import NOTHING, Entry

LONGEST_HEADLINE = 100


class Advice(Struct, frozen=True, kw_only=True):
    """What an entry of one kind means for a person. ``text``: "" where nothing needs to be done."""

    severity: Severity = "info"
    text: str = ""
    commands: tuple[str, ...] = ()


_WATCHED = ("siklus rollout", "siklus history")
_DATA_BUG = Advice(
    severity="warning",
    text="Nothing is trained on this. Mend the source of the column; if the world is like that now, "
    "`siklus retrain` trains all the same.",
    commands=("siklus drift", "siklus retrain --dry-run"),
)
ADVICE: Mapping[str, Advice] = {
    RETRAINING: Advice(commands=("siklus history",)),
    CHALLENGER: Advice(
        text="Nothing needs to be done. If you know better than the labels, `siklus promote VERSION` brings "
        "it live.",
        commands=("siklus models", "siklus history"),
    ),
    "rollout": Advice(text="`siklus pause` holds it where it is.", commands=_WATCHED),
    "experiment": Advice(commands=("siklus experiment status",)),
    "promotion": Advice(
        text="`siklus rollback` gives all requests back to the version before.", commands=("siklus history",)
    ),
    "rollback": Advice(
        severity="warning",
        text="Requests are answered by the version before, so nothing is urgent. Look at what the challenger "
        "did otherwise before the freeze ends.",
        commands=("siklus history", "siklus models"),
    ),
    FREEZE: Advice(text="`siklus promote VERSION` still brings a version live by hand."),
    "pause": Advice(text="`siklus resume` lets it go on.", commands=_WATCHED),
    "resume": Advice(commands=_WATCHED),
}


class _What(Struct, frozen=True):
    what: str = ""


class _Considered(Struct, frozen=True):
    """Of a trigger's evidence: the verdict on it, where one was given."""

    verdict: _What = _What()


class _Ended(Struct, frozen=True):
    """Of a retraining's evidence: its verdict in a word, where it has ended."""

    verdict: object = None


class Telling:
    """Puts news of journal entries into the outbox: what `Rollouts` and `Retrainings` take as ``also``."""

    def __init__(self, control: Control, project: Project) -> None:
        self._model = project.project.name
        self._outbox = Outbox(control, self._model)
        self._receivers = receivers_of(project)

    def __call__(self, connection: sa.Connection, entries: Sequence[Entry]) -> None:
        """Within the transaction that writes these entries: one notification for each receiver."""
        news = tuple(told for entry in entries if (told := news_of(entry)) is not None)
        if not news:
            return
        now = entries[-1].time
        notifications = [
            Notification(project=self._model, receiver=name, time=now, events=(), news=news)
            for name in self._receivers
        ]
        self._outbox.put(connection, notifications, now=now)


def receivers_of(project: Project) -> tuple[str, ...]:
    """Who hears of the loop: [retrain] notify, or else all receivers, or else the log.

    GitHub only where it is named: what it hears starts workflows, such as a training.
    """
    if project.retrain.notify is not None:
        return project.retrain.notify
    people = [name for name, receiver in project.notify.items() if not isinstance(receiver, GitHub)]
    return tuple(sorted(people)) or tuple(DEFAULT_RECEIVERS)


def news_of(entry: Entry) -> News | None:
    """The entry for people; None for one that tells nobody anything new."""
    advice = _advice(entry)
    if advice is None:
        return None
    severity: Severity = "warning" if _failed(entry) else advice.severity
    return News(
        kind=entry.kind,
        subject=entry.subject,
        headline=headline_of(entry.text, about=entry.subject),
        told=f"{entry.text[:1].upper()}{entry.text[1:]}",
        time=entry.time,
        severity=severity,
        advice=advice.text,
        commands=advice.commands,
    )


def headline_of(text: str, *, about: str) -> str:
    """What a sentence begins with, before it gives its reasons; more than ``about`` whom it is.

    >>> headline_of("rollout 2 begins: version 3 beside version 2, as a shadow", about="rollout 2")
    'rollout 2 begins'
    >>> headline_of("rollout 2: nothing speaks against version 3: to 5 %", about="rollout 2")
    'rollout 2: nothing speaks against version 3'
    """
    named = f"{about}: "
    if text.startswith(named):
        return f"{named}{headline_of(text.removeprefix(named), about=about)}"
    first = min((text.partition(mark)[0] for mark in (": ", ". ", "; ")), key=len)
    return first if len(first) <= LONGEST_HEADLINE else f"{first[: LONGEST_HEADLINE - 1]}…"


def _advice(entry: Entry) -> Advice | None:
    if entry.kind == TRIGGER:
        found = msgspec.json.decode(entry.evidence, type=_Considered | None)
        return _DATA_BUG if found is not None and found.verdict.what == "data bug" else None
    if entry.kind == RETRAINING and entry.evidence == NOTHING:
        return None  # its process has been started: that it would be was told before
    return ADVICE.get(entry.kind)


def _failed(entry: Entry) -> bool:
    if entry.kind != RETRAINING:
        return False
    ended = msgspec.json.decode(entry.evidence, type=_Ended | None)
    return ended is not None and ended.verdict == "failed"
