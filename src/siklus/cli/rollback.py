"""`siklus rollback`"""

from typing import Annotated

import typer
from msgspec import Struct, structs

from siklus.automation.past import Past
from siklus.automation.rollout.rollouts import Rollouts
from siklus.bundle.read import open_cached
from siklus.cli.control import project_control
from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.policies import arm_of, current_policy, decide
from siklus.cli.registered import registry_of
from siklus.cli.staged import move_stages
from siklus.errors import AutomationError, SiklusError
from siklus.project.durations import seconds_or_zero
from siklus.project.file import OpenProject
from siklus.project.loop import RolloutPlan
from siklus.registry.policy import CHAMPION, Allotment, PolicyArm, TrafficPolicy, everything_to
from siklus.registry.publish import bring, trusted_by

app = command_app()


class RolledBack(Struct, frozen=True, kw_only=True):
    """What has all requests now, and what answered until then. ``rollout``: the one that ended with it."""

    version: int
    instead_of: tuple[int, ...]
    policy: TrafficPolicy
    rollout: int | None


@app.command()
def rollback(
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="VERSION", help="The one that answers again.", show_default=False),
    ] = None,
    reason: ReasonOption = "",
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Take back what is newest: a version that is being tried, or else the last promotion.

    All requests go to the champion while others share them, and to the champion before it when it is alone.
    Once more goes further back. For a while nothing is rolled out by itself then: [rollout] freeze.
    """
    found = opened(project)
    seen = current_policy(found)
    if seen is None:
        wanted = "a version that answers: `siklus serve`"
        raise AutomationError("AU016", "nothing was ever live here", expected=wanted)
    with project_control(found) as control:
        name = found.settings.project.name
        going_on = Rollouts(control, name).current()
        arm = _target(found, seen, Past(control, name), to=to, trying=going_on is not None)
    allotment = everything_to(_fit(found, arm), after=seen.allotment)
    policy = decide(found, allotment, seen=seen, reason=reason, kind="rollback")
    done = RolledBack(
        version=arm.version,
        instead_of=tuple(old.version for old in seen.allotment.everybody if old.version != arm.version),
        policy=policy,
        rollout=None if going_on is None else going_on.number,
    )
    move_stages(found)
    if as_json:
        print_json(done)
    else:
        _print(done, found.settings.rollout)
    return 0


def _target(
    project: OpenProject, seen: TrafficPolicy, past: Past, *, to: str | None, trying: bool
) -> PolicyArm:
    """Who is to have all requests."""
    champion = seen.allotment.champion
    alone = len(seen.allotment.arms) == 1 and not trying
    if to is None and not alone:
        return champion
    arm = past.before() if to is None else _named(project, past, to)
    if arm is None:
        told = f"version {champion.version} has all requests, and no other one was live before it"
        raise AutomationError("AU016", told, expected="--to VERSION, one that `siklus models` shows")
    if alone and arm.version == champion.version:
        told = f"version {arm.version} has all requests already"
        raise AutomationError("AU016", told, expected="--to another version, or none")
    return arm


def _named(project: OpenProject, past: Past, which: str) -> PolicyArm:
    """The version by its number as it was live, for which no registry is needed; else as registered."""
    lived = past.arm(int(which)) if which.isdecimal() else None
    if lived is not None:
        return lived
    return arm_of(registry_of(project).resolve(project.settings.project.name, which))


def _fit(project: OpenProject, arm: PolicyArm) -> PolicyArm:
    """The same, once its bundle is here, is what was sealed, and answers its golden rows as it did."""
    bundles, alone = project.paths.bundles, Allotment(arms=(structs.replace(arm, name=CHAMPION, share=1.0),))
    try:
        bring(
            alone,
            project.settings.project.name,
            bundles,
            registry=lambda: registry_of(project),
            trusted=trusted_by(project),
        )
        open_cached(arm.digest, bundles, version=str(arm.version), trusted=trusted_by(project))
    except SiklusError as error:
        told = f"version {arm.version} cannot come back: {error}"
        wanted = "a bundle that is whole, here or in the registry; `--to VERSION` takes another"
        raise AutomationError("AU017", told, expected=wanted) from error
    return arm


def _print(done: RolledBack, plan: RolloutPlan) -> None:
    shown = results()
    before = " and ".join(str(version) for version in done.instead_of)
    shown.print(f"Version {done.version} has all requests again, instead of {before}.", markup=False)
    if done.rollout is not None:
        shown.print(f"Rollout {done.rollout} is over.", markup=False)
    if seconds_or_zero(plan.freeze):
        told = f"Nothing is rolled out by itself for {plan.freeze}; `siklus resume` ends that."
        shown.print(told, markup=False)
