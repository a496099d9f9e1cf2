"""One look: counts in, signals out. What the watch does every minute, as functions of values."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from siklus.ledgers.profiles import window_profile, window_profiles
from siklus.ledgers.totals import Totals, VersionTotals
from siklus.monitor.drift.judge import drift_watch
from siklus.monitor.drift.report import DriftReport
from siklus.monitor.looks import Looks
from siklus.monitor.quality.watch import QualitySeen
from siklus.monitor.readings import asked, traffic_signals
from siklus.monitor.signals import RATE_WINDOW, Signal
from siklus.monitor.subject import Subject
from siklus.project.durations import MONTH_SECONDS, seconds_of
from siklus.project.sections import Monitor
from siklus.stats.profile import Profile
from siklus.stats.sequential import DriftEvidence

MOST_STEPS = 60  # over which the evidence of drift is gathered


class Seen(Struct, frozen=True, kw_only=True):
    """What a look has found. ``drift``, ``evidence``, ``quality``: None while nothing is served or counted.

    ``window``: what ``drift`` is of, over the bins of ``reference``.
    """

    time: datetime
    version: str | None
    signals: tuple[Signal, ...]
    drift: DriftReport | None = None
    evidence: DriftEvidence | None = None
    reference: Profile | None = None
    window: Profile | None = None
    quality: QualitySeen | None = None


def traffic_seen(looks: Looks, *, now: datetime) -> Iterator[Signal]:
    """Signals of requests, over the last minutes."""
    since = now - timedelta(seconds=seconds_of(RATE_WINDOW))
    begin = looks.begin(since) or now
    yield from traffic_signals(looks.between(since, now), seconds=(now - begin).total_seconds())


def subject_seen(looks: Looks, subject: Subject, *, now: datetime) -> Iterator[Signal]:
    """How much the champion has answered, and how old it is."""
    answered = answered_since_training(looks, subject, now=now)
    yield Signal(name="predictions_since_training", value=float(answered))
    yield Signal(name="model_age", value=(now - subject.trained).total_seconds() / 86_400)


def answered_since_training(
    looks: Looks, subject: Subject, *, now: datetime, replica: str | None = None
) -> int:
    """Rows that clients got from the champion; from one server only where ``replica`` names it."""
    counted = _counted(looks.between(None, now, replica=replica), subject)
    return 0 if counted is None else asked(Totals((counted,), ())).success


def window_seen(looks: Looks, subject: Subject, settings: Monitor, *, now: datetime) -> Profile | None:
    """The traffic of the last window; None where the version has not been counted."""
    since = now - timedelta(seconds=seconds_of(settings.window))
    return profile_between(looks, subject, since=since, until=now)


def evidence_seen(
    looks: Looks, subject: Subject, settings: Monitor, *, now: datetime
) -> DriftEvidence | None:
    """The last whole steps, by the test that may be looked at any time."""
    ends = step_ends(now, seconds_of(settings.step))
    counted = [found for step in looks.steps(ends) if (found := _counted(step, subject)) is not None]
    each = window_profiles(counted, reference=subject.reference, contract=subject.contract)
    profiles = [profile for profile in each if profile.rows]
    return drift_watch(subject.reference, profiles, settings=settings) if profiles else None


def step_ends(now: datetime, seconds: int) -> list[datetime]:
    """The moments between which the last whole steps lie: multiples of a step, so that all looks agree."""
    last = int(now.timestamp()) // seconds * seconds
    return [datetime.fromtimestamp(last - i * seconds, UTC) for i in range(MOST_STEPS, -1, -1)]


def profile_between(looks: Looks, subject: Subject, *, since: datetime, until: datetime) -> Profile | None:
    """What the version's rows were like; None where it was not counted."""
    counted = _counted(looks.between(since, until), subject)
    return None if counted is None else _profile(counted, subject)


def drift_signals(
    report: DriftReport, evidence: DriftEvidence | None, *, settings: Monitor
) -> Iterator[Signal]:
    """Of one look. The jumps' p-values bear all looks of a month and all columns (Bonferroni)."""
    if evidence is not None:
        yield Signal(name="drift_alarm", value=float(evidence.alarm))
    if not report.enough:
        return
    looks = MONTH_SECONDS / seconds_of(settings.look)
    strict = settings.false_alarm_rate / (looks * max(1, len(report.columns)))
    for column in report.columns:
        if column.psi is not None:
            yield Signal(name="drift_score", value=column.psi, label=column.name)
        missing = column.jump("missing")
        if missing is not None:
            yield Signal(name="missing_jump", value=float(missing.p_beyond <= strict), label=column.name)


def _counted(totals: Totals, subject: Subject) -> VersionTotals | None:
    """Another bundle may have had that number before; its bins are others."""
    return next((each for each in totals.versions if each.layout == subject.layout), None)


def _profile(counted: VersionTotals, subject: Subject) -> Profile:
    return window_profile(counted, reference=subject.reference, contract=subject.contract)
