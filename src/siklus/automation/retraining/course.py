"""The course of a retraining, a turn at a time: its process is started, its result recorded, its challenger
judged again while too few labels have come."""

from datetime import datetime, timedelta

from siklus.automation.retraining.jobs import Outcome, Retraining
from siklus.automation.retraining.judging import Contest, judge
from siklus.automation.retraining.retrained import Judgement, Retrained
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.workshop import LOG, Workshop
from siklus.bundle.read import Bundle, open_cached
from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject
from siklus.registry.journal import evidence_of
from siklus.registry.policy import PolicyArm

ATTEMPTS = 3  # processes that may die over one job, before it has failed
GROWTH = 1.01  # of the labels, since a challenger was last judged, before it is judged again


class Course:
    """Takes the job that is under way one step further. One for the life of a loop."""

    def __init__(self, project: OpenProject, retrainings: Retrainings, workshop: Workshop) -> None:
        self._project, self._retrainings, self._workshop = project, retrainings, workshop
        self._judged: tuple[int, int] | None = None

    def turn(self, *, champion: PolicyArm, labelled: int, now: datetime) -> None:
        """``champion``: whom a challenger has to beat; ``labelled``: rows whose outcome is known by now.

        AutomationError AU030 where another loop has decided meanwhile; others are those of `judge`, of the
        control database and of the disk.
        """
        job = self._retrainings.current()
        if job is None:
            return
        if job.state == "asked":
            self._start(job, now=now)
        elif job.state == "training":
            self._train(job, champion=champion, now=now)
        else:
            self._judge_again(job, champion=champion, labelled=labelled, now=now)

    def _start(self, job: Retraining, *, now: datetime) -> None:
        """Noted first: whoever dies in between has made an attempt, and no process is ever forgotten."""
        if not self._workshop.busy:
            job = self._retrainings.started(job, now=now)
            self._workshop.start(job.number, trigger=job.trigger)

    def _train(self, job: Retraining, *, champion: PolicyArm, now: datetime) -> None:
        found = self._workshop.result(job.number)
        if found is not None:
            self._retrainings.record(job, outcome_of(found, champion=champion.version), now=now)
        elif not self._workshop.busy:
            if job.attempts < ATTEMPTS:
                self._start(job, now=now)
            else:
                self._retrainings.record(job, _died(job, now=now), now=now)

    def _judge_again(self, job: Retraining, *, champion: PolicyArm, labelled: int, now: datetime) -> None:
        found = self._workshop.result(job.number)
        patience = self._project.settings.retrain.patience
        if found is None or job.bundle is None:
            gone = "its result is not on this machine any more"
            self._retrainings.record(job, Outcome(state="failed", reason=gone), now=now)
        elif now - job.since >= timedelta(seconds=seconds_of(patience)):
            late = f"nobody could tell within {patience} ([retrain] patience): {job.reason}"
            outcome = Outcome(state="refused", reason=late, evidence=evidence_of(found))
            self._retrainings.record(job, outcome, now=now)
        elif self._judged is None or self._judged[0] != job.number or labelled >= GROWTH * self._judged[1]:
            self._judged = job.number, max(labelled, 1)
            judgement = self._judgement(job, found, job.bundle, champion=champion, now=now)
            if judgement.verdict != "undecided":
                self._retrainings.record(job, _verdict(judgement), now=now)

    def _judgement(
        self, job: Retraining, found: Retrained, digest: str, *, champion: PolicyArm, now: datetime
    ) -> Judgement:
        contest = Contest(
            challenger=self._opened(digest, job.version),
            champion=self._opened(champion.digest, champion.version),
            gates=found.gates,
            trigger=found.trigger,
        )
        return judge(contest, opened=self._project, now=now)

    def _opened(self, digest: str, version: int | None) -> Bundle:
        return open_cached(digest, self._project.paths.bundles, version=str(version))


def outcome_of(found: Retrained, *, champion: int) -> Outcome:
    """What the process has left, as the job's outcome. A challenger that was held against another champion
    than there is by now has not been judged."""
    state, reason = found.verdict, found.reason
    if state == "accepted" and found.champion != champion:
        state = "undecided"
        reason = f"it was held against version {found.champion}, and version {champion} answers by now"
    return Outcome(
        state=state, reason=reason, version=found.version, bundle=found.bundle, evidence=evidence_of(found)
    )


def _verdict(judgement: Judgement) -> Outcome:
    return Outcome(state=judgement.verdict, reason=judgement.reason, evidence=evidence_of(judgement))


def _died(job: Retraining, *, now: datetime) -> Outcome:
    where = f"retrainings/{job.number}/{LOG} in the state directory"
    reason = f"its process ended {job.attempts} times without a result: {where} has its last words"
    ended = Retrained(
        number=job.number,
        trigger=job.trigger,
        verdict="failed",
        reason=reason,
        began=job.began,
        ended=now,
    )
    return Outcome(state="failed", reason=reason, evidence=evidence_of(ended))
