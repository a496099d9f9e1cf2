"""`python -m siklus.monitor.watch --project DIR`: looks every minute, beside the servers, until told to end.

One process a machine, without a part in any answer: whatever happens to it, to the database or to a
mail server, requests are answered. A look that fails is said, and made good by the next one.
"""

import argparse
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from siklus.errors import SiklusError
from siklus.events import tell
from siklus.files import write_atomic
from siklus.ledgers.board import write_board
from siklus.ledgers.totals import COUNTERS, Totals, read_totals
from siklus.monitor.alerts.rules import project_rules
from siklus.monitor.alerts.store import Alerts
from siklus.monitor.drift.joint_look import JointErrand
from siklus.monitor.drift.judge import drift
from siklus.monitor.explain import History, explained
from siklus.monitor.gauges import board_of
from siklus.monitor.look import (
    Seen,
    answered_since_training,
    drift_signals,
    evidence_seen,
    step_ends,
    subject_seen,
    traffic_seen,
    window_seen,
)
from siklus.monitor.looks import project_looks
from siklus.monitor.notify.courier import Courier, Delivery
from siklus.monitor.notify.opening import open_receivers
from siklus.monitor.prometheus import PrometheusCounts
from siklus.monitor.quality.watch import QualitySeen, QualityWatch
from siklus.monitor.readings import unseen_shares
from siklus.monitor.rounds import FAILED, Round, Waited, go_round, run
from siklus.monitor.signals import Signal
from siklus.monitor.subject import Pinned, Subject, Subjects, add_subject_options, pinned_by
from siklus.monitor.troubles import Troubles
from siklus.monitor.usage import UsageMeter
from siklus.monitor.watches import Watches
from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject, open_project
from siklus.records.layout import Layout
from siklus.registry.control import Control
from siklus.stats.sequential import DriftEvidence

REPLICA = "replica"  # in the run directory: the name under which this machine's looks are kept
THIN_SECONDS = 3600.0


class Watch:
    """Looks at one project. Opened once, asked again and again."""

    def __init__(
        self,
        project: OpenProject,
        control: Control,
        *,
        environment: Mapping[str, str],
        pinned: Pinned | None = None,
        joint: JointErrand | None = None,
    ) -> None:
        """AlertError for rules that cannot be; ``environment`` may hold the receivers' secrets."""
        self._joint = joint
        self._project, self._settings = project, project.settings.monitor
        self._looks = project_looks(control, project.settings)
        self._subjects = Subjects(project.paths, pinned=pinned)
        self._replica = replica_of(project.paths.run)
        self._meter, self._history = UsageMeter(), History()
        self._quality = QualityWatch(Layout(project.paths.records), project.settings)
        self._seen_quality: QualitySeen | None = None
        self._troubles = Troubles()
        self._alerts = Alerts(control, project.settings.project.name)
        self._watches = Watches(control, project.settings.project.name)
        self._rules = project_rules(project.settings)
        receivers = open_receivers(
            project.settings, root=project.paths.root, environment=environment, now=lambda: datetime.now(UTC)
        )
        self._courier = Courier(self._alerts.outbox, receivers)
        self._gathered: tuple[tuple[str, str, datetime], DriftEvidence | None] | None = None
        self._thinned = 0.0

    def look(self, *, now: datetime) -> Seen:
        """See, ask the rules, and put what was found on the board."""
        seen = self.see(now=now)
        # Before the board: a disk that is full is what somebody may have to hear of.
        self._tell(seen, now=now)
        write_board(self._project.paths.run, board_of(seen, every=seconds_of(self._settings.look)))
        if time.monotonic() - self._thinned > THIN_SECONDS:
            self._looks.thin(now=now)
            self._thinned = time.monotonic()
        return seen

    def see(self, *, now: datetime) -> Seen:
        """Keep what was counted, and tell nobody. Errors are those of database, bundle and disk."""
        totals = read_totals(self._project.paths.run / COUNTERS)
        for replica, counted in self._counted(totals, now=now).items():
            self._looks.add(counted, replica=replica, now=now)
        usage = list(self._meter.read(totals, now=time.monotonic()))
        return self._seen([*traffic_seen(self._looks, now=now), *usage], now=now)

    def deliver(self, *, now: datetime, wait: float) -> Delivery:
        """Hand out what waits to be delivered; takes no longer than ``wait`` seconds."""
        return self._courier.deliver(now, wait=wait)

    def _tell(self, seen: Seen, *, now: datetime) -> None:
        """Ask the rules, unless Prometheus does; what somebody must hear waits in the outbox from then on."""
        self._history.add(seen)
        if self._settings.evaluator == "siklus":
            every = timedelta(seconds=seconds_of(self._settings.look))
            explain = partial(explained, seen=seen, history=self._history)
            signals = self._watches.together(seen.signals, replica=self._replica, now=now, every=every)
            self._alerts.look(self._rules, signals, now=now, every=every, explain=explain)

    def _counted(self, here: Totals, *, now: datetime) -> Mapping[str, Totals]:
        """What each replica has counted: this machine's own server, or all that Prometheus scrapes."""
        if self._settings.prometheus is None:
            return {self._replica: here}
        counts = PrometheusCounts(url=self._settings.prometheus, job=self._project.settings.project.name)
        return counts.read(self._subjects.layouts(), now=now)

    def _seen(self, signals: list[Signal], *, now: datetime) -> Seen:
        subject = self._subjects.current()
        if subject is None:
            return Seen(time=now, version=None, signals=tuple(signals))
        signals += subject_seen(self._looks, subject, now=now)
        window = window_seen(self._looks, subject, self._settings, now=now)
        if window is not None and window.rows >= self._settings.min_rows:  # one new word in three is no share
            signals += unseen_shares(window)
        report = None if window is None else drift(subject.reference, window, settings=self._settings)
        evidence = self._evidence(subject, now=now)
        if report is not None:
            signals += drift_signals(report, evidence, settings=self._settings)
        signals += self._joint_signals(subject, now=now)
        quality = self._quality_of(subject, now=now)
        signals += () if quality is None else quality.signals()
        return Seen(
            time=now,
            version=subject.version,
            signals=tuple(signals),
            drift=report,
            evidence=evidence,
            reference=subject.reference,
            window=window,
            quality=quality,
        )

    def _evidence(self, subject: Subject, *, now: datetime) -> DriftEvidence | None:
        """Gathered once a step, since it is of whole steps only: of a wide table it takes a second."""
        *_, end = step_ends(now, seconds_of(self._settings.step))
        of = (subject.version, subject.layout.rules, end)
        if self._gathered is None or self._gathered[0] != of:
            self._gathered = of, evidence_seen(self._looks, subject, self._settings, now=now)
        return self._gathered[1]

    def _joint_signals(self, subject: Subject, *, now: datetime) -> Iterator[Signal]:
        seen = None if self._joint is None else self._joint.look(subject.version, now=now)
        if seen is not None and seen.found is not None and seen.tells:
            yield Signal(name="joint_drift", value=float(seen.found.alarm))

    def _quality_of(self, subject: Subject, *, now: datetime) -> QualitySeen | None:
        """What the records of this machine say; while they cannot be read, what they said before.

        Otherwise a broken file of theirs would end all looks, and with them all alerts.
        """
        # Of a Prometheus it is not known which of its replicas keeps these records.
        replica = self._replica if self._settings.prometheus is None else None
        answered = answered_since_training(self._looks, subject, now=now, replica=replica)
        try:
            self._seen_quality = self._quality.look(subject.bundle, answered=answered, now=now)
        except SiklusError as error:
            self._troubles.failed(FAILED, error, part="quality")
        else:
            self._troubles.done("quality")
        found = self._seen_quality
        return found if found is not None and found.version == subject.version else None


def replica_of(run: Path) -> str:
    """The name of this state among the servers of a project, made when it is first asked for."""
    path = run / REPLICA
    with suppress(FileNotFoundError):
        return path.read_text().strip()
    write_atomic(path, f"{uuid.uuid4()}\n")
    return path.read_text().strip()


def watch(find: Callable[[], OpenProject], *, pinned: Pinned | None, waited: Waited) -> None:
    """Look at each multiple of [monitor] look, until ``waited``, which waits these seconds, says to stop.

    ``find`` reads the project file, which is read again whenever it changes; one that is broken leaves all as
    it was, and so does a look that fails.
    """
    go_round(find, partial(_opened, pinned=pinned), waited=waited)


@contextmanager
def _opened(project: OpenProject, control: Control, *, pinned: Pinned | None) -> Iterator[Round]:
    with closing(JointErrand(project, pinned)) as joint:
        watching = Watch(project, control, environment=os.environ, pinned=pinned, joint=joint)
        every = seconds_of(project.settings.monitor.look)
        tell("watching", model=project.settings.project.name, look=project.settings.monitor.look)
        yield Round(
            look=lambda now: watching.look(now=now),
            deliver=lambda now, wait: watching.deliver(now=now, wait=wait),
            every=lambda: every,
        )


def checked_project(folder: Path) -> OpenProject:
    """The project file, read anew; a rule that cannot be breaks it as a wrong key does."""
    project = open_project(folder, environment=os.environ)
    project_rules(project.settings)
    return project


def main(arguments: Sequence[str]) -> int:
    """Watch until SIGTERM or Ctrl-C: 0; 2 on a broken project file. Another watch here is waited for."""
    parser = argparse.ArgumentParser(prog="python -m siklus.monitor.watch", description=__doc__)
    add_subject_options(parser)
    given = parser.parse_args(arguments)
    opened = partial(_opened, pinned=pinned_by(given))
    return run(partial(checked_project, given.project), opened, what="a watch")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
