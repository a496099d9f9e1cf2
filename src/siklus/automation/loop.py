"""`python -m siklus.automation.loop --project DIR`: looks, decides and carries out, beside the servers.

Every machine's loop looks; the one that holds the lease decides. What it has decided is in the control
database before anything follows from it, so a loop that dies at any point is gone on with by the next one.
A part of a turn that fails is said, and made good by the next turn; the others go on without it.
"""

import argparse
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec import Struct, structs

from siklus.automation.lease import Lease
from siklus.automation.live import Live
from siklus.automation.restored import Restored
from siklus.automation.retraining.course import Course
from siklus.automation.retraining.jobs import Retraining
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.signs import signs_of
from siklus.automation.retraining.triggers import refuse_unknown_alerts
from siklus.automation.retraining.workshop import Workshop
from siklus.automation.rollout.accounts import under_way
from siklus.automation.rollout.evidence import Gatherer
from siklus.automation.rollout.rollout import Rollout
from siklus.automation.rollout.rollouts import CONFLICT, Rollouts, drafted
from siklus.automation.rollout.stepping import next_step
from siklus.automation.telling import Telling
from siklus.errors import SiklusError
from siklus.events import tell
from siklus.monitor.alerts.store import Alerts
from siklus.monitor.drift.joint_look import JointErrand
from siklus.monitor.look import Seen
from siklus.monitor.looks import project_looks
from siklus.monitor.notify.courier import Delivery
from siklus.monitor.rounds import Round, run
from siklus.monitor.subject import Subjects
from siklus.monitor.troubles import Troubles
from siklus.monitor.watch import Watch, checked_project, replica_of
from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject
from siklus.project.loop import RolloutPlan
from siklus.registry.asks import asks_folder
from siklus.registry.control import Control
from siklus.registry.policy import CHALLENGER, PolicyArm, TrafficPolicy
from siklus.registry.traffic import Traffic

LEASED_LOOKS = 3  # that the holder may miss before another machine decides
LEASED_SECONDS = 60.0  # at least: a look at a wide table takes its time
BUSY_SECONDS = 5.0  # between two turns, while a training or a rollout is under way
REST = 10  # times as long as a turn takes, then at least: wide tables leave the servers their processors
OVERTAKEN = (CONFLICT, "AU030", "RG014")  # somebody else has decided meanwhile: the next turn sees what

Done = TypeVar("Done")


class Turn(Struct, frozen=True, kw_only=True):
    """What became of one turn. ``seen``: None where the look failed; ``decided``: this loop has the lease."""

    seen: Seen | None
    decided: bool


class Loop:
    """One project's loop. Opened once, then a turn at each look."""

    def __init__(
        self,
        project: OpenProject,
        control: Control,
        *,
        environment: Mapping[str, str],
        joint: JointErrand | None = None,
    ) -> None:
        """AlertError for rules that cannot be; ``environment`` may hold the receivers' secrets."""
        model, telling = project.settings.project.name, Telling(control, project.settings)
        self._project, self._settings = project, project.settings
        self._every = seconds_of(project.settings.monitor.look)
        self._watch = Watch(project, control, environment=environment, joint=joint)
        lasts = max(LEASED_LOOKS * self._every, LEASED_SECONDS)
        self._lease = Lease(control, model, holder=holder_of(project), seconds=lasts)
        self._alerts, self._traffic = Alerts(control, model), Traffic(control, model)
        self._subjects = Subjects(project.paths)
        self._rollouts = Rollouts(control, model, also=telling)
        self._retrainings = Retrainings(control, model, also=telling)
        self._gatherer = Gatherer(project, project_looks(control, project.settings))
        self._workshop = Workshop(project.paths, environment=environment)
        self._course = Course(project, self._retrainings, self._workshop)
        self._live = Live(project, control, tell=tell)
        self._restored = Restored(control, model, also=telling)
        self._troubles = Troubles()
        self._busy, self._took = False, 0.0

    @property
    def busy(self) -> bool:
        """Whether, at the last turn, something was under way that the next one may find over: a training, a
        rollout, stages that move."""
        return self._busy

    @property
    def every(self) -> float:
        """Seconds between two turns: those of [monitor] look, and fewer while something is under way."""
        return min(self._every, max(BUSY_SECONDS, REST * self._took)) if self._busy else self._every

    def turn(self, *, now: datetime) -> Turn:
        """Look, and where this loop has the lease, decide and carry out."""
        begun = time.monotonic()
        seen = self._tried("look", lambda: self._watch.look(now=now))
        self._tried("asks", lambda: self._retrainings.take_asks(asks_folder(self._project.paths)))
        decided = bool(self._tried("lease", self._lease.held))
        if decided:
            self._tried(
                "restored", lambda: self._restored.deal_anew(published=self._live.published(), now=now)
            )
            self._tried("rollout", lambda: self._take_step(now=now))
            self._tried("live", lambda: self._live.reconcile(now))  # at once: its step counts from now
            self._tried("triggers", lambda: self._ask_triggers(seen, now=now))
            self._tried("retraining", lambda: self._go_on_training(seen, now=now))
            self._tried("start", lambda: self._begin_rollout(now=now))
            self._tried("live", lambda: self._live.reconcile(now))
        self._busy = decided and bool(self._tried("state", self._is_busy))
        self._took = time.monotonic() - begun
        return Turn(seen=seen, decided=decided)

    def deliver(self, *, now: datetime, wait: float) -> Delivery:
        """Hand out what waits to be told; takes no longer than ``wait`` seconds."""
        return self._watch.deliver(now=now, wait=wait)

    def end(self) -> None:
        """End the training that is at work, whose finished steps are kept, and let go of the lease."""
        self._workshop.end()
        self._live.close()
        self._tried("lease", self._lease.release)

    def _tried(self, part: str, act: Callable[[], Done]) -> Done | None:
        try:
            found = act()
        except SiklusError as error:
            if error.code in OVERTAKEN:
                tell("turn_failed", part=part, code=error.code, reason=str(error))
            else:
                self._troubles.failed("turn_failed", error, part=part)
            return None
        self._troubles.done(part)
        return found

    def _take_step(self, *, now: datetime) -> None:
        """The rollout that goes on: held against what is known by now, and moved where that says so."""
        rollout = self._rollouts.current()
        if rollout is None:
            return
        if self._rollouts.overtaken(rollout) is not None:
            self._rollouts.give_way(rollout, now=now)
            return
        evidence = self._gatherer.gather(rollout, now=now)
        decision = next_step(rollout, evidence, now=now)
        self._rollouts.carry_out(rollout, decision, evidence=evidence, now=now)

    def _go_on_training(self, seen: Seen | None, *, now: datetime) -> None:
        policy = self._traffic.current()
        if policy is not None:
            labelled = _count(seen, "labelled_since_training")
            self._course.turn(champion=policy.allotment.champion, labelled=labelled, now=now)

    def _ask_triggers(self, seen: Seen | None, *, now: datetime) -> None:
        """What is due is a job from then on, which the next part of the turn starts."""
        subject, policy = self._subjects.current(), self._traffic.current()
        if seen is None or subject is None or policy is None:
            return
        if seen.version != str(policy.allotment.champion.version):
            return  # this very turn has made another one the champion, of which nothing is known yet
        signs = signs_of(
            seen,
            firing=self._alerts.standing().states,
            evaluation=subject.bundle.document("evaluation.json"),
            settings=self._settings.monitor,
        )
        busy = under_way(self._rollouts.current())
        self._retrainings.turn(signs, self._settings.retrain, busy=busy, now=now)

    def _begin_rollout(self, *, now: datetime) -> None:
        """The challenger that was accepted last, unless rollouts are frozen or for people to start."""
        job = self._retrainings.accepted()
        if job is None or not self._may_begin(now):
            return
        draft = draft_of(job, self._traffic.current(), plan=self._settings.rollout, now=now)
        if draft is not None:
            self._rollouts.start(draft, attach=partial(self._retrainings.attach, job=job))

    def _may_begin(self, now: datetime) -> bool:
        free = self._rollouts.current() is None and self._rollouts.frozen(now) is None
        return self._settings.rollout.automatic and free

    def _is_busy(self) -> bool:
        if self._live.busy:
            return True
        job = self._retrainings.current()
        return self._rollouts.current() is not None or (job is not None and job.at_work)


def draft_of(
    job: Retraining, policy: TrafficPolicy | None, *, plan: RolloutPlan, now: datetime
) -> Rollout | None:
    """The rollout of the job's challenger, against whoever answers now; None where it answers already."""
    if policy is None or job.version is None or job.bundle is None:
        return None
    if policy.allotment.champion.version == job.version:
        return None
    challenger = PolicyArm(name=CHALLENGER, version=job.version, share=0.0, digest=job.bundle)
    drawn = drafted(challenger, policy=policy, plan=plan, now=now)
    return structs.replace(drawn, retraining=job.number, reason=job.reason)


def holder_of(project: OpenProject) -> str:
    """This machine's loop among all of the model: the state's name, which outlives a process."""
    return f"{replica_of(project.paths.run)}@{socket.gethostname()}"


def _count(seen: Seen | None, signal: str) -> int:
    found = () if seen is None else seen.signals
    return next((int(each.value) for each in found if each.name == signal), 0)


@contextmanager
def _opened(project: OpenProject, control: Control) -> Iterator[Round]:
    with closing(JointErrand(project, None)) as joint:
        loop = Loop(project, control, environment=os.environ, joint=joint)
        tell("looping", model=project.settings.project.name, look=project.settings.monitor.look)
        yield Round(
            look=lambda now: loop.turn(now=now),
            deliver=lambda now, wait: loop.deliver(now=now, wait=wait),
            every=lambda: loop.every,
            end=loop.end,
        )


def _checked(folder: Path) -> OpenProject:
    """The project file, read anew; a trigger that can never fire breaks it as a wrong key does."""
    project = checked_project(folder)
    refuse_unknown_alerts(project.settings)
    return project


def main(arguments: Sequence[str]) -> int:
    """Go on until SIGTERM or Ctrl-C: 0; 2 on a broken project file. A watch or loop here is waited for."""
    parser = argparse.ArgumentParser(prog="python -m siklus.automation.loop", description=__doc__)
    parser.add_argument("--project", type=Path, default=Path(), help="the project's folder")
    given = parser.parse_args(arguments)
    return run(partial(_checked, given.project), _opened, what="a loop")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
