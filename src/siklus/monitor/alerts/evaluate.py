"""Whether rules hold: from signals now and how alerts stood before, how they stand and who must hear of it.

It means what Prometheus means by the same rule: pending while it is true, firing once it was true at every
look for its time, resolved once it was not true for as long as it is kept; a signal without a value is not
true.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct, structs

from siklus.monitor.alerts.events import Event
from siklus.monitor.alerts.rules import Rule
from siklus.monitor.alerts.states import AlertState, Reading, Silence, silenced_until
from siklus.monitor.signals import Signal

# Nobody knows what was so while nobody looked: of a longer pause between two looks only this much counts
# towards a rule's time. A clock that leaps ahead is such a pause.
LONGEST_GAP = timedelta(minutes=10)

Key = tuple[str, str, str]  # rule, signal, label


class Evaluation(Struct, frozen=True, kw_only=True):
    """``states``: of all that is true now. ``events``: what has changed, and what must be told (again)."""

    states: tuple[AlertState, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class _Look:
    """What is the same for all alerts of one look. ``credit``: the longest pause that counts in full."""

    now: datetime
    credit: timedelta
    silences: Sequence[Silence]

    def silenced(self, rule: Rule, label: str) -> bool:
        return silenced_until(self.silences, rule.name, label, now=self.now) is not None


def evaluate(
    rules: Sequence[Rule],
    signals: Iterable[Signal],
    before: Iterable[AlertState],
    *,
    silences: Sequence[Silence],
    now: datetime,
    every: timedelta,
) -> Evaluation:
    """One look. ``every``: the time between two looks.

    An alert is one rule at one label. It keeps its state while the rule keeps name and signal; where the rule
    is gone it is over, where the label or the value is gone it is not true. Only those who were told that it
    fires are told its end.
    """
    look = _Look(now, max(LONGEST_GAP, 2 * every), silences)
    known = {(state.rule.name, state.rule.signal, state.label): state for state in before}
    states: list[AlertState] = []
    events: list[Event | None] = []
    current = _concerned(rules, signals)
    for key, (rule, signal) in current.items():
        if rule.true_of(signal.value):
            state, event = _held(rule, signal, known.get(key), look)
            states.append(state)
            events.append(event)
    named = {(each.name, each.signal): each for each in rules}
    for key, state in known.items():
        now_rule = named.get(key[:2])
        value = current[key][1].value if key in current else None
        if now_rule is None:
            events.append(_over(state, value, look))
        elif value is None or not now_rule.true_of(value):
            fading = structs.replace(state, rule=now_rule, untrue=min(state.untrue or now, now))
            if _is_kept(fading, now):
                states.append(fading)
            else:
                events.append(_over(fading, value, look))
    return Evaluation(states=tuple(states), events=tuple(event for event in events if event is not None))


def readings(rules: Sequence[Rule], signals: Iterable[Signal]) -> tuple[Reading, ...]:
    """What each rule sees now; a rule whose signal has no value sees nothing."""
    found: dict[str, Reading] = {}
    for rule, signal in _concerned(rules, signals).values():
        seen = found.get(rule.name)
        if seen is None or rule.nearer(signal.value, than=seen.value):
            found[rule.name] = Reading(rule=rule.name, label=signal.label, value=signal.value)
    return tuple(found.values())


def _concerned(rules: Sequence[Rule], signals: Iterable[Signal]) -> Mapping[Key, tuple[Rule, Signal]]:
    """Each rule with each value that it is asked of, in the order of the rules."""
    named: dict[str, list[Signal]] = {}
    for signal in signals:
        if not math.isfinite(signal.value):
            continue  # no value, and none that the database could keep
        named.setdefault(signal.name, []).append(signal)
    return {
        (rule.name, rule.signal, signal.label): (rule, signal)
        for rule in rules
        for signal in named.get(rule.signal, ())
        if rule.feature in (None, signal.label)
    }


def _held(
    rule: Rule, signal: Signal, known: AlertState | None, look: _Look
) -> tuple[AlertState, Event | None]:
    """True now: pending, firing, or firing still."""
    since = look.now if known is None else _since(known, look)
    fired = known is not None and known.state == "firing"
    firing = fired or look.now - since >= timedelta(seconds=rule.held)
    state = AlertState(
        rule=rule,
        label=signal.label,
        state="firing" if firing else "pending",
        value=signal.value,
        since=since,
        seen=look.now,
        told=() if known is None else known.told,
        # What was told in the future was told before the clock went back.
        told_at=None if known is None or known.told_at is None else min(known.told_at, look.now),
    )
    silenced = look.silenced(rule, signal.label)
    due = () if silenced or not firing else _due(state, look.now)
    if not firing or (fired and not due):
        return state, None
    event = structs.replace(
        _event(state, signal.value, "firing"),
        changed=not fired,
        repeated=bool(set(due) & set(state.told)),
        silenced=silenced,
        receivers=due,
    )
    heard = tuple(dict.fromkeys((*state.told, *due)))
    first = not state.told or event.repeated
    return structs.replace(state, told=heard, told_at=look.now if due and first else state.told_at), event


def _since(known: AlertState, look: _Look) -> datetime:
    """Since when it has been true, as far as anybody has seen."""
    if known.state == "firing":
        return min(known.since, look.now)
    passed = min(max(look.now - known.seen, timedelta(0)), look.credit)
    return look.now - (known.seen - known.since) - passed


def _due(state: AlertState, now: datetime) -> tuple[str, ...]:
    """Who must hear that it fires: who has not yet; all, when it is time to say it again."""
    receivers, repeat = state.rule.receivers, state.rule.repeat
    if state.told_at is not None and repeat is not None and now - state.told_at >= timedelta(seconds=repeat):
        return receivers
    return tuple(name for name in receivers if name not in state.told)


def _is_kept(state: AlertState, now: datetime) -> bool:
    """Firing still, though it is not true any more."""
    rule, untrue = state.rule, state.untrue or now
    concerned = state.state == "firing" and rule.feature in (None, state.label)
    return concerned and now - untrue < timedelta(seconds=rule.kept)


def _over(state: AlertState, value: float | None, look: _Look) -> Event | None:
    """Not true any more; what was pending is forgotten."""
    if state.state == "pending":
        return None
    silenced = look.silenced(state.rule, state.label)
    ended = _event(state, value, "resolved")
    return structs.replace(ended, silenced=silenced, receivers=() if silenced else state.told)


def _event(state: AlertState, value: float | None, now: Literal["firing", "resolved"]) -> Event:
    rule = state.rule
    return Event(
        rule=rule.name,
        signal=rule.signal,
        state=now,
        comparison=rule.comparison,
        threshold=rule.threshold,
        value=value,
        label=state.label,
        since=state.since,
        severity=rule.severity,
        advice=rule.advice,
    )
