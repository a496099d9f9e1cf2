"""A notification in words, for whatever way it goes: what happened, how sure, what to do next.

Names and values come from data and from clients, so none of them may hold a line of its own.
"""

import re
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from siklus.monitor.alerts.events import Event, News, Notification
from siklus.monitor.amounts import amount
from siklus.monitor.notify.phrases import PHRASES, Phrase
from siklus.monitor.signals import SIGNALS, YES, SignalKind

LONGEST = 300  # characters of one name or value
LONGEST_ADVICE = 2000
LONGEST_SUBJECT = 150  # a phone shows about 40, a mail program about 80
SHOWN_EVENTS = 20  # one by one; a table with a hundred columns can bring a hundred of them

Tone = Literal["critical", "warning", "info", "resolved"]

COLORS: Mapping[Tone, str] = {
    "critical": "#c0392b",
    "warning": "#946200",
    "info": "#1f6f8b",
    "resolved": "#276749",
}

_UNKNOWN_SIGNAL = SignalKind(meaning="a signal that this version of Siklus does not know", unit="")
_BREAKING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories
_ORDER: tuple[Tone, ...] = ("critical", "warning", "info", "resolved")


class Told(Struct, frozen=True, kw_only=True):
    """One event in words. Each text is one line; "" where there is nothing to say.

    ``silence``: the command that keeps it quiet for a while.
    """

    tone: Tone
    headline: str
    happened: str
    sure: str
    advice: str
    commands: tuple[str, ...]
    silence: str


class Story(Struct, frozen=True, kw_only=True):
    """A notification in words. ``more``: how many further events are left out."""

    subject: str
    tone: Tone
    told: tuple[Told, ...]
    more: int
    footer: str
    test: bool


def story(notification: Notification, *, false_alarm_rate: float) -> Story:
    """The worst first; of what is as bad, alerts before news."""
    every: list[Event | News] = [*notification.events, *notification.news]
    events = sorted(every, key=lambda event: _ORDER.index(_tone(event)))
    told = _advised_once([_told(event, false_alarm_rate) for event in events[:SHOWN_EVENTS]])
    return Story(
        subject=_subject(notification, events),
        tone=_tone(events[0]) if events else "info",
        told=told,
        more=len(events) - len(told),
        footer=f"Siklus, project {one_line(notification.project)}, {moment(notification.time)}",
        test=notification.test,
    )


def _advised_once(told: Sequence[Told]) -> tuple[Told, ...]:
    """A hundred columns of one rule have the same thing to do: the first of them says it."""
    said = [(each.advice, each.commands) for each in told]
    first = {advice: place for place, advice in reversed(list(enumerate(said)))}
    return tuple(
        each if first[advice] == place else replace(each, advice="", commands=())
        for place, (each, advice) in enumerate(zip(told, said, strict=True))
    )


def headline(event: Event | News) -> str:
    """The first line of an event: `retraining advised: 4,000 predictions since training`."""
    if isinstance(event, News):
        return one_line(event.headline)
    kind = SIGNALS.get(event.signal, _UNKNOWN_SIGNAL)
    phrase = PHRASES.get(event.signal)
    value = "no value" if event.value is None else amount(event.value, kind.unit)
    title = one_line(event.title)
    if event.state == "resolved":
        return f"resolved: {title}"
    # "Traffic has left training" would be wrong of a rule that wants to hear of a no.
    if phrase is None or event.value is None or (kind.unit == "yes/no" and event.value <= YES):
        return f"{title}: {value}"
    return phrase.headline.format(value=value, label=one_line(event.label))


def one_line(text: str, *, longest: int = LONGEST) -> str:
    """The text on one line: without what ends a header or turns the direction of what is read."""
    kept = "".join(" " if unicodedata.category(sign) in _BREAKING else sign for sign in text)
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"


def parts(text: str) -> list[tuple[bool, str]]:
    """Pieces of a text, and whether each is code, which stands between backticks.

    >>> parts("Retrain: `siklus train`.")
    [(False, 'Retrain: '), (True, 'siklus train'), (False, '.')]
    """
    return [(number % 2 == 1, part) for number, part in enumerate(re.split(r"`([^`]+)`", text))]


def moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%a %d %b %Y, %H:%M UTC")


def _subject(notification: Notification, events: Sequence[Event | News]) -> str:
    first = headline(events[0]) if events else "nothing has happened"
    worst = _tone(events[0]) if events else "info"
    marks = [
        "test:" if notification.test else "",
        "still:" if events and isinstance(events[0], Event) and events[0].repeated else "",
        "critical:" if worst == "critical" else "",
    ]
    more = f"(and {len(events) - 1} more)" if len(events) > 1 else ""
    start = [f"[{one_line(notification.project)}]", *marks]
    text = " ".join(word for word in [*start, first, more] if word)
    if len(text) <= LONGEST_SUBJECT:
        return text
    room = LONGEST_SUBJECT - len(more) - 2
    return f"{text[:room]}… {more}".rstrip()


def _told(event: Event | News, false_alarm_rate: float) -> Told:
    if isinstance(event, News):
        return _news(event)
    phrase = PHRASES.get(event.signal, Phrase(headline="", sure=""))
    firing = event.state == "firing"
    certainty = one_line(event.certainty)
    stated = phrase.sure.format(rate=amount(false_alarm_rate, "share")) if firing else ""
    return Told(
        tone=_tone(event),
        headline=headline(event),
        happened=_happened(event),
        sure=" ".join(text for text in (certainty and f"{certainty.rstrip('.')}.", stated) if text),
        advice=one_line(event.advice, longest=LONGEST_ADVICE) if firing else "",
        commands=phrase.commands if firing else (),
        silence=_silence(event) if firing else "",
    )


def _news(news: News) -> Told:
    return Told(
        tone=news.severity,
        headline=headline(news),
        happened=one_line(news.told, longest=LONGEST_ADVICE),
        sure="",
        advice=one_line(news.advice, longest=LONGEST_ADVICE),
        commands=news.commands,
        silence="",
    )


def _happened(event: Event) -> str:
    kind = SIGNALS.get(event.signal, _UNKNOWN_SIGNAL)
    value = "without a value" if event.value is None else amount(event.value, kind.unit)
    limit = "" if kind.unit == "yes/no" else f" its limit of {amount(event.threshold, kind.unit)}"
    name = f"{event.signal} of {one_line(event.label)}" if event.label else event.signal
    side = "above" if event.comparison == ">" else "below"
    since = f"since {moment(event.since)}"
    if event.state == "firing":
        now = f"It is {value}, {side}{limit}, {since}." if limit else f"It is {value}, {since}."
    else:
        now = f"It was {side}{limit} {since}; now it is {value}." if limit else f"It was not {value} {since}."
    return f"{one_line(name)}: {kind.meaning}. {now}"


def _silence(event: Event) -> str:
    feature = f" --feature {shlex.quote(one_line(event.label))}" if event.label else ""
    return f"siklus alerts silence {event.rule}{feature}"


def _tone(event: Event | News) -> Tone:
    return "resolved" if isinstance(event, Event) and event.state == "resolved" else event.severity
