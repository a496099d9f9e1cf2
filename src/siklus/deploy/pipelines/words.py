"""What a person may say of a pipeline beside [deploy], and what is read off the project for it."""

import re

from msgspec import Struct

from siklus.deploy.images.installing import installing
from siklus.errors import DeployError
from siklus.project.file import OpenProject
from siklus.project.notify import GitHub
from siklus.project.schedule import PREFIX, parse_schedule
from siklus.project.sections import Project

# What git lets a branch be called, and then only what needs no quotes in any of the places that it goes to.
BRANCH = re.compile(r"(?!.*(\.\.|//|\.lock$))[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}(?<![/.])")
PYTHON = re.compile(r"python:(3\.[0-9]{1,2})")
USUAL_PYTHON = "3.12"
USUAL_SCHEDULE = "0 3 * * 1"
USUAL_EVENT = "siklus-alert"


class Calling(Struct, frozen=True, kw_only=True):
    """``branch``: the one that is deployed. ``schedule``: of the continuous training, as cron has it; UTC."""

    branch: str = "main"
    schedule: str = USUAL_SCHEDULE


def calling_of(settings: Project, *, branch: str, schedule: str | None) -> Calling:
    """The schedule by default that of [retrain] on. DeployError DP044 for a branch that is none, DP045 for
    what is no schedule."""
    if not BRANCH.fullmatch(branch):
        raise DeployError("DP044", f"a branch {branch!r}", expected="a plain name such as main or release/1")
    triggers = (word.removeprefix(PREFIX) for word in settings.retrain.on if word.startswith(PREFIX))
    wanted = schedule if schedule is not None else next(triggers, USUAL_SCHEDULE)
    try:
        parse_schedule(wanted)
    except ValueError as exc:
        raise DeployError("DP045", f"a schedule {wanted!r}: {exc}", expected="such as '0 3 * * 1'") from exc
    return Calling(branch=branch, schedule=" ".join(wanted.split()))


def events_of(settings: Project) -> tuple[str, ...]:
    """The events that [notify.*] kind = "github" sends; what it would send by default without one."""
    found = {each.event_type for each in settings.notify.values() if isinstance(each, GitHub)}
    return tuple(sorted(found)) or (USUAL_EVENT,)


def python_of(settings: Project) -> str:
    """The minor version of Python in [deploy] base, so that what is trained is served by the same."""
    found = PYTHON.search(settings.deploy.base)
    return found[1] if found else USUAL_PYTHON


def requirement_of(project: OpenProject) -> str:
    """A line of a requirements file. A wheel's path starts from the project's folder, as pip is run there.

    DeployError DP010, DP011 as for an image.
    """
    how = installing(project)
    return how.requirement or f"./{how.wheel}"
