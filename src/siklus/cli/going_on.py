"""Rollouts and experiments from the command line's side: which one goes on, and how one begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from msgspec import structs

from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.rollout.allotments import allotment_of
from siklus.automation.rollout.rollout import Kind, Rollout
from siklus.automation.rollout.rollouts import Rollouts, drafted
from siklus.automation.telling import Telling
from siklus.cli.control import author, has_control, project_control
from siklus.cli.policies import arm_of, current_policy
from siklus.cli.registered import registry_of
from siklus.errors import AutomationError
from siklus.project.file import OpenProject
from siklus.project.loop import RolloutPlan
from siklus.registry.policy import CHALLENGER, everything_to
from siklus.registry.publish import bring, trusted_by


@contextmanager
def open_rollouts(project: OpenProject) -> Iterator[Rollouts]:
    """The project's rollouts; RegistryError RG010 when their database does not answer."""
    with project_control(project) as control:
        yield Rollouts(control, project.settings.project.name, also=Telling(control, project.settings))


@contextmanager
def asked_rollouts(project: OpenProject) -> Iterator[Rollouts | None]:
    """The same for a question, which makes no database: None where nothing was ever decided."""
    if not has_control(project):
        yield None
        return
    with open_rollouts(project) as rollouts:
        yield rollouts


def going_on(rollouts: Rollouts, *kinds: Kind) -> Rollout:
    """The one that goes on; AutomationError AU010 without one of these kinds."""
    found = rollouts.current()
    if found is None or found.kind not in kinds:
        told = f"no {' and no '.join(kinds)} goes on"
        raise AutomationError("AU010", told, expected=f"one: `siklus {kinds[0]} start VERSION` begins it")
    return found


def drafted_for(project: OpenProject, which: str, *, plan: RolloutPlan, reason: str) -> Rollout:
    """A rollout of the version by hand, against what answers now. AutomationError AU018 when nothing does.

    Other errors are those of `Registry.resolve`.
    """
    seen = current_policy(project)
    if seen is None:
        wanted = "a champion: `siklus serve` makes one of what is in production"
        raise AutomationError("AU018", "nothing answers yet that it could be tried beside", expected=wanted)
    version = registry_of(project).resolve(project.settings.project.name, which)
    challenger = arm_of(version, name=CHALLENGER, share=0.0)
    draft = drafted(challenger, policy=seen, plan=plan, now=datetime.now(UTC), by=author())
    return structs.replace(draft, reason=reason)


def begin(project: OpenProject, draft: Rollout) -> Rollout:
    """Begin it, once its bundles are here. A retraining that has made the challenger knows of it then.

    Errors are those of `publish.bring` and `Rollouts.start`.
    """
    name = project.settings.project.name
    both = allotment_of(draft, everything_to(draft.champion, after=None))
    bring(
        both, name, project.paths.bundles, registry=lambda: registry_of(project), trusted=trusted_by(project)
    )
    with project_control(project) as control:
        retrainings = Retrainings(control, name)
        rollouts = Rollouts(control, name, also=Telling(control, project.settings))
        job = retrainings.accepted()
        if job is None or job.version != draft.challenger.version:
            return rollouts.start(draft)
        draft = structs.replace(draft, retraining=job.number)
        return rollouts.start(draft, attach=partial(retrainings.attach, job=job))
