"""A retraining in this command: what the loop would do, from the ask to the verdict, where no loop runs."""

import os
import socket
import time
from datetime import UTC, datetime

from siklus.automation.lease import Lease
from siklus.automation.retraining.course import Course
from siklus.automation.retraining.jobs import Retraining
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.workshop import Workshop
from siklus.automation.rollout.accounts import under_way
from siklus.automation.rollout.rollouts import Rollouts
from siklus.automation.telling import Telling
from siklus.cli.output import remarks
from siklus.cli.retrain_outlook import look_signs
from siklus.errors import AutomationError
from siklus.project.file import OpenProject
from siklus.registry.asks import Ask
from siklus.registry.control import Control
from siklus.registry.policy import PolicyArm
from siklus.registry.traffic import Traffic

LEASED_SECONDS = 60.0  # for a look at a wide table; a loop that is started meanwhile waits as long
POLL_SECONDS = 0.5


def retrain_here(project: OpenProject, control: Control, ask: Ask) -> Retraining:
    """The job as it has ended, or as it waits for labels.

    AutomationError AU034 where a loop runs, which would do it; AU035 beside something else that goes on, and
    where no version answers yet.
    """
    model = project.settings.project.name
    lease = Lease(control, model, holder=f"siklus retrain@{socket.gethostname()}", seconds=LEASED_SECONDS)
    if not lease.held():
        expected = "`siklus retrain --wait`, which waits for it"
        raise AutomationError("AU034", "a loop runs, and begins what is asked for", expected=expected)
    workshop = Workshop(project.paths, environment=os.environ)
    retrainings = Retrainings(control, model, also=Telling(control, project.settings))
    course, traffic = Course(project, retrainings, workshop), Traffic(control, model)
    try:
        job = _begun(project, control, retrainings, ask)
        while job.at_work:
            lease.held()  # renewed, so that a loop that is started meanwhile leaves the job alone
            course.turn(champion=_champion(traffic), labelled=0, now=datetime.now(UTC))
            job = retrainings.get(job.number) or job
            time.sleep(POLL_SECONDS)
        return job
    finally:
        workshop.end()
        lease.release()


def _begun(project: OpenProject, control: Control, retrainings: Retrainings, ask: Ask) -> Retraining:
    """The job that answers the ask; or that which a command or a loop has left in the middle."""
    settings, now = project.settings, datetime.now(UTC)
    _champion(Traffic(control, settings.project.name))
    current = retrainings.current()
    if current is not None and current.at_work:
        _remark(f"retraining {current.number}, which was left in the middle, goes on")
        return current
    busy = under_way(Rollouts(control, settings.project.name).current())
    if current is not None:
        busy = f"retraining {current.number} waits for labels."
    if busy:
        raise AutomationError("AU035", busy.rstrip("."), expected="its end")
    signs, _ = look_signs(project, control, now=now)
    retrainings.ask(ask)
    job = retrainings.turn(signs, settings.retrain, now=now)
    if job is None:
        raise AutomationError("AU035", "nothing begins", expected="`siklus retrain --dry-run` says why")
    _remark(f"retraining {job.number} begins. {job.reason}")
    return job


def _champion(traffic: Traffic) -> PolicyArm:
    policy = traffic.current()
    if policy is None:
        told = "no version answers yet that a new one could be held against"
        raise AutomationError("AU035", told, expected="`siklus train`, then `siklus serve` or `siklus up`")
    return policy.allotment.champion


def _remark(text: str) -> None:
    remarks().print(f"siklus: {text}", markup=False)
