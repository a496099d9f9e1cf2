"""All alert rules and how each of them stands, for whoever wants to see."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from siklus.monitor.alerts.outbox import Waiting
from siklus.monitor.alerts.rules import Rule
from siklus.monitor.alerts.states import AlertState, Silence, Standing, silenced_until
from siklus.monitor.alerts.store import Alerts

State: TypeAlias = Literal["firing", "pending", "ok", "no value", "not looked"]


class Listed(Struct, frozen=True, kw_only=True):
    """One rule; or one alert of it, where it is true of several labels.

    ``value``: at the last look; of a rule that is not true the value nearest to its bound. ``since``: when it
    became true. ``told``: the receivers that know, or will when what is ``waiting`` for them is delivered.
    `no value`: the signal had none at the last look.
    """

    rule: Rule
    state: State
    label: str = ""
    value: float | None = None
    since: datetime | None = None
    told: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    silenced_until: datetime | None = None


class Listing(Struct, frozen=True, kw_only=True):
    """``looked``: the last look; None before the first one. ``waiting``: what could not be delivered yet."""

    looked: datetime | None
    rules: tuple[Listed, ...]
    silences: tuple[Silence, ...]
    waiting: tuple[Waiting, ...]


def listing(rules: Sequence[Rule], alerts: Alerts | None, *, now: datetime) -> Listing:
    """``alerts``: None where nothing was ever kept."""
    standing = Standing() if alerts is None else alerts.standing()
    silences = () if alerts is None else tuple(alerts.silences.lasting(now))
    waiting = () if alerts is None else tuple(alerts.outbox.waiting())
    return Listing(
        looked=standing.looked,
        rules=tuple(listed(rules, standing, silences, waiting, now=now)),
        silences=silences,
        waiting=waiting,
    )


def listed(
    rules: Sequence[Rule],
    standing: Standing,
    silences: Sequence[Silence],
    waiting: Sequence[Waiting],
    *,
    now: datetime,
) -> list[Listed]:
    """What is true first, the firing before the pending; then the rest, in the order of the rules."""
    rows = [
        structs.replace(row, waiting=_not_reached(row, waiting))
        for rule in rules
        for row in _rows(rule, standing, silences, now=now)
    ]
    order = ("firing", "pending")
    return sorted(rows, key=lambda row: order.index(row.state) if row.state in order else len(order))


def _rows(rule: Rule, standing: Standing, silences: Sequence[Silence], *, now: datetime) -> Iterator[Listed]:
    true = [state for state in standing.states if _of(state, rule)]
    for state in true:
        yield Listed(
            rule=rule,
            state=state.state,
            label=state.label,
            value=state.value,
            since=state.since,
            told=state.told,
            silenced_until=silenced_until(silences, rule.name, state.label, now=now),
        )
    if true:
        return
    seen = next((reading for reading in standing.readings if reading.rule == rule.name), None)
    if standing.looked is None:
        told: State = "not looked"
    else:
        told = "no value" if seen is None else "ok"
    yield Listed(
        rule=rule,
        state=told,
        label="" if seen is None else seen.label,
        value=None if seen is None else seen.value,
        silenced_until=_of_the_whole(silences, rule, now=now),
    )


def _not_reached(row: Listed, waiting: Sequence[Waiting]) -> tuple[str, ...]:
    """Of the receivers that were told those whom the first word of it has not reached."""
    alert = (row.rule.name, row.label, "firing", False)
    late = {
        each.notification.receiver
        for each in waiting
        for event in each.notification.events
        if (event.rule, event.label, event.state, event.repeated) == alert
    }
    return tuple(name for name in row.told if name in late)


def _of(state: AlertState, rule: Rule) -> bool:
    return (state.rule.name, state.rule.signal) == (rule.name, rule.signal)


def _of_the_whole(silences: Iterable[Silence], rule: Rule, *, now: datetime) -> datetime | None:
    """Silences of one feature say nothing of a rule that is not true."""
    wide = [silence for silence in silences if silence.feature in (None, rule.feature)]
    return silenced_until(wide, rule.name, rule.feature or "", now=now)
