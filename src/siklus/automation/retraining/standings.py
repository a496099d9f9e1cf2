"""Standings: how each trigger stands, also those that are not due, for a person who asks. Pure."""

from datetime import datetime

from msgspec import Struct

from siklus.automation.retraining.signs import Signs
from siklus.automation.retraining.triggers import ALARMS, ALERT, COUNTS, Consideration, since_training
from siklus.monitor.amounts import amount
from siklus.monitor.signals import SIGNALS
from siklus.project.loop import Retrain
from siklus.project.schedule import PREFIX, parse_schedule


class TriggerStanding(Struct, frozen=True, kw_only=True):
    """One trigger of [retrain] on. ``value`` and ``bound``: its statistic now, and what makes it due; None
    where there is none. ``next``: of a schedule, when it comes next. ``said``: in a sentence."""

    trigger: str
    due: bool
    said: str
    value: float | None = None
    bound: float | None = None
    next: datetime | None = None


def standings(
    signs: Signs, found: Consideration, settings: Retrain, *, now: datetime
) -> tuple[TriggerStanding, ...]:
    """In the order of [retrain] on; ``found``: what came of the same signs."""
    return tuple(_standing(trigger, signs, found, now=now) for trigger in dict.fromkeys(settings.on))


def _standing(trigger: str, signs: Signs, found: Consideration, *, now: datetime) -> TriggerStanding:
    due = next((each for each in found.due if each.trigger == trigger), None)
    if trigger.startswith(PREFIX):
        coming = parse_schedule(trigger.removeprefix(PREFIX)).next(now)
        when = "never again" if coming is None else f"{coming:%Y-%m-%d %H:%M} UTC"
        said = f"It comes next at {when}." if due is None else f"{due.said} It comes again at {when}."
        return TriggerStanding(trigger=trigger, due=due is not None, said=said, next=coming)
    if due is not None:
        return TriggerStanding(trigger=trigger, due=True, said=due.said, value=due.value, bound=due.bound)
    kind, _, word = trigger.partition(":")
    if kind in COUNTS:
        since, what = since_training(signs, found.pace, kind), SIGNALS[COUNTS[kind]].unit
        said = f"{amount(since, what)} since the last training, of {amount(int(word), what)}."
        return TriggerStanding(
            trigger=trigger, due=False, said=said, value=float(since), bound=float(int(word))
        )
    if trigger.startswith(ALERT):
        return TriggerStanding(trigger=trigger, due=False, said=f"The alert {word} does not fire.")
    value = signs.value(ALARMS[kind])
    said = "No alarm." if value is not None else "Nothing can be said yet: there is too little to judge."
    return TriggerStanding(trigger=trigger, due=False, said=said, value=value)
