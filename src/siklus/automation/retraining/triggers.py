"""Triggers: whether a retraining begins now. Pure: signs, asks, what was before, settings and time in.

What is true at every look may begin only so many retrainings: one at a time, none within the cooldown, so
many in a day. A clock that leaps, ahead or back, makes one of all schedules that it passed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from siklus.automation.reasons import sentence
from siklus.automation.retraining.signs import Signs
from siklus.automation.retraining.verdict import Verdict, verdict_on
from siklus.errors import AutomationError
from siklus.monitor.alerts.rules import project_rules
from siklus.monitor.signals import YES
from siklus.project.durations import seconds_or_zero
from siklus.project.loop import Retrain
from siklus.project.schedule import PREFIX as SCHEDULE
from siklus.project.schedule import parse_schedule
from siklus.project.sections import Project
from siklus.project.tables import near
from siklus.registry.asks import Ask

DAY = timedelta(days=1)
# A clock that is set back by less passes no schedule twice.
SMALL_STEP = timedelta(hours=1)
REMEMBERED = timedelta(hours=1)  # for which what was journaled is not journaled again
ALERT = "alert:"
COUNTS = {"predictions": "predictions_since_training", "labels": "labelled_since_training"}
ALARMS = {"drift": "drift_alarm", "quality": "quality_alarm"}

Why: TypeAlias = Literal["busy", "cooldown", "per_day"]


class Due(Struct, frozen=True, kw_only=True):
    """A trigger that is true now. ``trigger``: as [retrain] on has it. ``value``: its statistic, where it has
    one; ``bound``: what that has reached. ``said``: both as a sentence."""

    trigger: str
    said: str
    value: float | None = None
    bound: float | None = None


class Counted(Struct, frozen=True, kw_only=True):
    """What the champion had answered, and got outcomes for, when a retraining began."""

    version: str
    predictions: int
    labelled: int


class Told(Struct, frozen=True, kw_only=True):
    """What the journal knows: ``key`` names triggers, verdict and what holds them back."""

    key: str
    at: datetime


class Pace(Struct, frozen=True, kw_only=True):
    """What earlier turns leave to the next one.

    ``looked``: up to when schedules have been looked at; ``late``: those that have come since and began
    nothing yet. ``rested``: when the last retraining ended; ``begun``: those of the last 24 hours.
    ``counted``: at the last one that began.
    """

    looked: datetime | None = None
    late: tuple[str, ...] = ()
    rested: datetime | None = None
    begun: tuple[datetime, ...] = ()
    counted: Counted | None = None
    told: tuple[Told, ...] = ()


class Hold(Struct, frozen=True, kw_only=True):
    """Why nothing begins though it is asked for, and until when; None where nobody knows."""

    why: Why
    said: str
    until: datetime | None = None


class Consideration(Struct, frozen=True, kw_only=True):
    """What came of one turn. ``begins``: a retraining begins. ``pace``: for the next turn, as long as none
    does (`begun_pace`, `ended_pace`). ``news``: the journal does not know of it yet. ``said``: in a sentence.
    """

    begins: bool
    due: tuple[Due, ...]
    asks: tuple[Ask, ...]
    verdict: Verdict
    hold: Hold | None
    pace: Pace
    news: bool
    said: str


def consider(
    signs: Signs, pace: Pace, settings: Retrain, *, asks: Sequence[Ask], busy: str, now: datetime
) -> Consideration:
    """One turn. ``busy``: what goes on that nothing may begin beside, as a sentence; "" where nothing does.

    What somebody asks for begins whatever the verdict is, which then stands beside it as a warning; it waits
    for no cooldown, and by `siklus retrain` for no day either. It waits for what goes on.
    """
    pace = current_pace(pace, settings, now=now)
    due = due_triggers(signs, pace, settings)
    verdict = verdict_on(
        signs,
        drift_alone=bool(due) and all(each.trigger == "drift" for each in due),
        labelled=since_training(signs, pace, "labels"),
        needed=settings.min_labels,
    )
    hold = hold_of(pace, settings, asks=asks, busy=busy, now=now)
    wanted = bool(asks) or (bool(due) and verdict.what == "retrain")
    pace, news = _heard(pace, due, asks, verdict, hold, now=now)
    return Consideration(
        begins=wanted and hold is None,
        due=due,
        asks=tuple(asks),
        verdict=verdict,
        hold=hold,
        pace=pace,
        news=news,
        said=_said(due, asks, verdict, hold),
    )


def refuse_unknown_alerts(project: Project) -> None:
    """AutomationError AU032 for a trigger `alert:NAME` without such a rule, AU033 where nobody here asks the
    rules. AlertError as `project_rules`."""
    named = [trigger.removeprefix(ALERT) for trigger in project.retrain.on if trigger.startswith(ALERT)]
    known = [rule.name for rule in project_rules(project)] if named else []
    for name in named:
        told = f"[retrain] on = {ALERT + name!r}"
        if name not in known:
            raise AutomationError("AU032", f"{told}: no alert has this name", expected=near(name, known))
        if project.monitor.evaluator != "siklus":
            told = f"{told}: Prometheus asks the rules"
            raise AutomationError(
                "AU033", told, expected="[monitor] evaluator = 'siklus', or another trigger"
            )


def due_triggers(signs: Signs, pace: Pace, settings: Retrain) -> tuple[Due, ...]:
    """Those of [retrain] on that are true, in its order; ``pace`` as `current_pace` gives it."""
    found = (_due(trigger, signs, pace) for trigger in dict.fromkeys(settings.on))
    return tuple(due for due in found if due is not None)


def hold_of(pace: Pace, settings: Retrain, *, asks: Sequence[Ask], busy: str, now: datetime) -> Hold | None:
    """What keeps the next retraining from beginning; None where nothing does."""
    if busy:
        return Hold(why="busy", said=busy)
    if any(ask.via == "command" for ask in asks):
        return None
    if len(pace.begun) >= settings.per_day:
        until = sorted(pace.begun)[-settings.per_day] + DAY
        times = "one retraining has" if settings.per_day == 1 else f"{len(pace.begun)} retrainings have"
        said = f"{times} begun within 24 hours ([retrain] per_day): the next may from {_clock(until)} on."
        return Hold(why="per_day", said=said, until=until)
    if asks or pace.rested is None:
        return None
    until = pace.rested + timedelta(seconds=seconds_or_zero(settings.cooldown))
    if now >= until:
        return None
    ago = f"less than {settings.cooldown} ago ([retrain] cooldown)"
    said = f"the last one ended {ago}: the next may begin at {_clock(until)}."
    return Hold(why="cooldown", said=said, until=until)


def current_pace(pace: Pace, settings: Retrain, *, now: datetime) -> Pace:
    """``pace`` as it is now: schedules that came since are late, and what lies in the future, where a clock
    had leaped ahead, is taken for now."""
    schedules = [trigger for trigger in settings.on if trigger.startswith(SCHEDULE)]
    looked = pace.looked or now
    if looked - now > SMALL_STEP:
        looked = now
    came = [trigger for trigger in schedules if _came(trigger, since=looked, now=now)]
    late = [trigger for trigger in dict.fromkeys([*pace.late, *came]) if trigger in schedules]
    return structs.replace(
        pace,
        looked=max(looked, now),
        late=tuple(late),
        rested=None if pace.rested is None else min(pace.rested, now),
        begun=tuple(min(begun, now) for begun in pace.begun if now - begun < DAY),
        told=tuple(told for told in pace.told if abs(now - told.at) < REMEMBERED),
    )


def begun_pace(pace: Pace, signs: Signs, *, now: datetime) -> Pace:
    """After a retraining has begun: it answers all that was due."""
    counted = pace.counted
    if signs.version is not None:
        before = counted if counted is not None and counted.version == signs.version else None
        # Never less than before: a count that could not be read would make all rows new again.
        counted = Counted(
            version=signs.version,
            predictions=max(signs.count(COUNTS["predictions"]), before.predictions if before else 0),
            labelled=max(signs.count(COUNTS["labels"]), before.labelled if before else 0),
        )
    return structs.replace(pace, late=(), begun=(*pace.begun, now), counted=counted, told=())


def ended_pace(pace: Pace, *, now: datetime) -> Pace:
    """After it has ended, however it did: now the cooldown begins."""
    return structs.replace(pace, rested=now)


def _due(trigger: str, signs: Signs, pace: Pace) -> Due | None:
    kind, _, word = trigger.partition(":")
    if kind in COUNTS:
        return _counted(trigger, since=since_training(signs, pace, kind), bound=int(word))
    if kind in ALARMS:
        value = signs.value(ALARMS[kind])
        said = {"drift": "The drift alarm is raised.", "quality": "Quality is beyond its floor."}[kind]
        return Due(trigger=trigger, value=value, said=said) if value is not None and value > YES else None
    if trigger.startswith(ALERT):
        fires = signs.firing.get(word)
        return None if fires is None else Due(trigger=trigger, value=fires, said=f"The alert {word} fires.")
    return Due(trigger=trigger, said=f"The schedule {word} has come.") if trigger in pace.late else None


def _counted(trigger: str, *, since: int, bound: int) -> Due | None:
    if since < bound:
        return None
    what = "predictions" if trigger.startswith("predictions") else "predictions with outcomes"
    said = f"{since:,} {what} since the last training, of {bound:,}."
    return Due(trigger=trigger, value=float(since), bound=float(bound), said=said)


def since_training(signs: Signs, pace: Pace, kind: str) -> int:
    """Rows of a kind of `COUNTS` since the last training, also one whose model was refused."""
    before, count = pace.counted, signs.count(COUNTS[kind])
    if before is None or before.version != signs.version:
        return count
    return max(0, count - (before.predictions if kind == "predictions" else before.labelled))


def _came(trigger: str, *, since: datetime, now: datetime) -> bool:
    last = parse_schedule(trigger.removeprefix(SCHEDULE)).last(now)
    return last is not None and last > since


def _heard(
    pace: Pace,
    due: Sequence[Due],
    asks: Sequence[Ask],
    verdict: Verdict,
    hold: Hold | None,
    *,
    now: datetime,
) -> tuple[Pace, bool]:
    """The pace that remembers what is so now, and whether that is new.

    What nobody asks for is no news; nor what must wait for the retraining that it began, or for its rollout.
    """
    if not (due or asks) or (hold is not None and hold.why == "busy"):
        return pace, False
    triggers = sorted([each.trigger for each in due] + [ask.id for ask in asks])
    key = " ".join([*triggers, verdict.because, hold.why if hold else ""])
    known = [told for told in pace.told if told.key != key]
    return structs.replace(pace, told=(*known, Told(key=key, at=now))), len(known) == len(pace.told)


def _said(due: Sequence[Due], asks: Sequence[Ask], verdict: Verdict, hold: Hold | None) -> str:
    if not due and not asks:
        return "Nothing asks for a retraining."
    reasons = [sentence(f"{ask.by} asks for it{f': {ask.reason}' if ask.reason else ''}") for ask in asks]
    reasons += [each.said for each in due]
    if asks and verdict.what != "retrain":
        told = f"It was asked for, so it begins all the same, but: {verdict.said}"
    else:
        told = verdict.said
    wait = "" if hold is None or (verdict.what != "retrain" and not asks) else f" It waits: {hold.said}"
    return f"{' '.join(reasons)} {told}{wait}"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
