"""What a retraining would be, if it began now: triggers, verdict, rows; nothing of it is kept."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct, structs

from siklus.automation.retraining.assembling import RowsNote, assembled, begin
from siklus.automation.retraining.retrained import Finding, RowsTaken
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.signs import Signs, signs_of
from siklus.automation.retraining.standings import TriggerStanding, standings
from siklus.automation.retraining.triggers import Hold, refuse_unknown_alerts
from siklus.automation.retraining.verdict import Verdict
from siklus.automation.rollout.accounts import under_way
from siklus.automation.rollout.rollouts import Rollouts
from siklus.bundle.read import Bundle
from siklus.cli.unlearned import unlearned
from siklus.errors import SiklusError
from siklus.monitor.alerts.store import Alerts
from siklus.monitor.quality.estimate import expected_quality
from siklus.monitor.quality.report import Expected
from siklus.monitor.subject import Subject, Subjects
from siklus.monitor.watch import Watch
from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject
from siklus.records.joined import Stretch, read_joined
from siklus.records.layout import Layout
from siklus.registry.control import Control


class Outlook(Struct, frozen=True, kw_only=True):
    """``begins``: a loop would begin one by itself now. ``asks``: how many wait. ``hold``: what would keep
    the loop from it; ``loop``: whether one runs.

    ``rows``: what it would be trained on, and ``findings`` of the guards; where that cannot be said,
    ``rows_problem`` says why. ``unlearned``: why nothing that is answered can be learnt from; "" if it can.
    """

    version: str | None
    begins: bool
    said: str
    loop: bool
    triggers: tuple[TriggerStanding, ...]
    asks: int
    hold: Hold | None
    verdict: Verdict
    rows: RowsTaken | None = None
    findings: tuple[Finding, ...] = ()
    rows_problem: str = ""
    unlearned: str = ""


def outlook_of(project: OpenProject, control: Control, *, now: datetime, loop: bool) -> Outlook:
    """AutomationError AU032, AU033 for triggers that cannot be; others are those of a look."""
    settings = project.settings
    refuse_unknown_alerts(settings)
    signs, subject = look_signs(project, control, now=now)
    retrainings = Retrainings(control, settings.project.name)
    busy = under_way(Rollouts(control, settings.project.name).current())
    found = retrainings.consider(signs, settings.retrain, busy=busy, now=now)
    outlook = Outlook(
        version=signs.version,
        begins=found.begins,
        said=found.said,
        loop=loop,
        triggers=standings(signs, found, settings.retrain, now=now),
        asks=len(found.asks),
        hold=found.hold,
        verdict=found.verdict,
        unlearned=unlearned(project),
    )
    try:
        note = _rows(project, None if subject is None else subject.bundle, now=now)
    except SiklusError as error:
        return structs.replace(outlook, rows_problem=str(error))
    return structs.replace(outlook, rows=note.taken, findings=note.findings)


def look_signs(project: OpenProject, control: Control, *, now: datetime) -> tuple[Signs, Subject | None]:
    """What a look says now; it tells nobody. Without a champion there is next to nothing to say."""
    subject = Subjects(project.paths).current()
    seen = Watch(project, control, environment=os.environ).see(now=now)
    if subject is None:
        return Signs(signals=seen.signals), None
    evaluation = subject.bundle.document("evaluation.json")
    signs = signs_of(
        seen,
        firing=Alerts(control, project.settings.project.name).standing().states,
        evaluation=evaluation,
        settings=project.settings.monitor,
        expected=_expected(project, subject, now=now),
    )
    return signs, subject


def _expected(project: OpenProject, subject: Subject, *, now: datetime) -> Expected | None:
    """An estimate without labels, of the last window, for a classifier."""
    classes = subject.contract.target.classes
    if classes is None:
        return None
    since = now - timedelta(seconds=seconds_of(project.settings.monitor.window))
    stretch = Stretch(since=since, until=now, version=subject.version)
    rows = read_joined(Layout(project.paths.records), stretch, classes=classes)
    return expected_quality(rows, subject.bundle.document("evaluation.json"))


def _rows(project: OpenProject, champion: Bundle | None, *, now: datetime) -> RowsNote:
    """Put together as a job would, in a folder that goes again."""
    with TemporaryDirectory() as folder:
        job = begin(project, Path(folder), number=0, trigger="asked by `--dry-run`", now=now)
        return assembled(job, champion)
