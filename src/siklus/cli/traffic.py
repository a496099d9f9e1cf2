"""`siklus traffic`"""

import re
import secrets
from collections.abc import Sequence
from typing import Annotated

import typer

from siklus.cli.options import HERE, ProjectOption, ReasonOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.policies import arm_of, current_policy, decide, published_policy
from siklus.cli.registered import registry_of
from siklus.errors import RegistryError
from siklus.project.file import OpenProject
from siklus.registry.policy import CHALLENGER, Allotment, PolicyArm, TrafficPolicy, checked
from siklus.registry.sticky import parse_sticky
from siklus.registry.versions import Registry

app = command_app()

NO_KEY = "none"
SALT_BYTES = 4
SHARE = re.compile(r"\d*\.?\d+(e-?\d+)?")


@app.callback()
def traffic() -> None:
    """Which version answers which share of the requests."""


@app.command()
def show(project: ProjectOption = HERE, as_json: JsonFlag = False) -> int:
    """Show which version answers which share of the requests."""
    project_file = opened(project)
    policy, published = current_policy(project_file), published_policy(project_file)
    if as_json:
        revision = None if published is None else published.revision
        print_json({"policy": policy, "published": revision})
    elif policy is None:
        told = "No traffic policy yet: `siklus serve` makes one of what is in production."
        results().print(told, markup=False)
    else:
        _print(policy, published)
    return 0


@app.command(name="set")
def set_policy(
    champion: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Takes what the others leave; the present one by default."),
    ] = None,
    challenger: Annotated[
        str | None, typer.Option(metavar="VERSION=SHARE", help="A second version, such as 8=0.1.")
    ] = None,
    arms: Annotated[
        list[str] | None,
        typer.Option("--arm", metavar="NAME=VERSION:SHARE", help="A further one under a name; repeatable."),
    ] = None,
    shadows: Annotated[
        list[str] | None,
        typer.Option("--shadow", metavar="VERSION", help="Scored after the answer; repeatable."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="header:NAME|column:NAME", help="What assigns a request for good; `none`: chance."
        ),
    ] = None,
    salt: Annotated[str | None, typer.Option(help="Another one deals all keys anew.")] = None,
    reason: ReasonOption = "",
    if_revision: Annotated[
        int | None, typer.Option(help="Only if this revision is the latest (0: none yet).")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Say the whole policy: whatever is not named answers no more."""
    project_file = opened(project)
    seen = current_policy(project_file)
    _refuse_other_revision(seen, if_revision)
    registry = registry_of(project_file)
    challengers = [*([f"{CHALLENGER}={challenger.replace('=', ':')}"] if challenger else []), *(arms or [])]
    parted = _arms(project_file, registry, champion=_champion(champion, seen), others=challengers, seen=seen)
    allotment = Allotment(
        arms=parted,
        shadows=tuple(_shadow(project_file, registry, which) for which in shadows or []),
        sticky=_sticky(key, seen),
        salt=_salt(salt, seen),
    )
    policy = decide(project_file, checked(allotment), seen=seen, reason=reason)
    if as_json:
        print_json(policy)
    else:
        _print(policy, policy)
    return 0


def _champion(which: str | None, seen: TrafficPolicy | None) -> str:
    if which is not None:
        return which
    return "production" if seen is None else str(seen.allotment.champion.version)


def _arms(
    project: OpenProject,
    registry: Registry,
    *,
    champion: str,
    others: Sequence[str],
    seen: TrafficPolicy | None,
) -> tuple[PolicyArm, ...]:
    """The champion with the rest, and the others; those that were there before keep their order."""
    name = project.settings.project.name
    parted = [_parted(text) for text in others]
    before = [] if seen is None else [arm.name for arm in seen.allotment.arms]
    parted.sort(key=lambda part: before.index(part[0]) if part[0] in before else len(before))
    taken = sum(share for _, _, share in parted)
    if taken >= 1:
        raise RegistryError(
            "RG012", f"the challengers take {taken:g} of all requests", expected="less than 1 together"
        )
    return (
        arm_of(registry.resolve(name, champion), share=round(1.0 - taken, 12)),
        *(arm_of(registry.resolve(name, which), name=arm, share=share) for arm, which, share in parted),
    )


def _parted(text: str) -> tuple[str, str, float]:
    """Name, version and share of `blue=9:0.2`; RegistryError RG012 for anything else."""
    name, _, rest = text.partition("=")
    which, _, share = rest.rpartition(":")
    if not (which and SHARE.fullmatch(share)):
        wanted = "--challenger 8=0.1, or --arm blue=9:0.2"
        raise RegistryError("RG012", f"traffic policy: arm {text[:80]!r}", expected=wanted)
    return name, which, float(share)


def _shadow(project: OpenProject, registry: Registry, which: str) -> PolicyArm:
    version = registry.resolve(project.settings.project.name, which)
    return arm_of(version, name=f"shadow-{version.number}", share=0.0)


def _sticky(key: str | None, seen: TrafficPolicy | None) -> str | None:
    if key is None:
        return None if seen is None else seen.allotment.sticky
    return None if key == NO_KEY else str(parse_sticky(key))


def _salt(given: str | None, seen: TrafficPolicy | None) -> str:
    if given is not None:
        return given
    # Kept, so that nobody changes sides when a share does; its own for each model, so that the same
    # customers are not the first ones to meet every new version of everything.
    return (seen.allotment.salt if seen is not None else "") or secrets.token_hex(SALT_BYTES)


def _refuse_other_revision(seen: TrafficPolicy | None, wanted: int | None) -> None:
    latest = 0 if seen is None else seen.revision
    if wanted is not None and wanted != latest:
        told = f"the latest revision of the traffic policy is {latest}, not {wanted}"
        raise RegistryError("RG014", told, expected="a decision on what `siklus traffic show` shows")


def _print(policy: TrafficPolicy, published: TrafficPolicy | None) -> None:
    allotment = policy.allotment
    title = f"{policy.model}, revision {policy.revision}, {policy.created:%Y-%m-%d %H:%M} by {policy.by}"
    rows = [
        (
            arm.name,
            arm.version,
            "watches" if arm in allotment.shadows else f"{arm.share:.4g}",
            arm.digest[:12],
        )
        for arm in allotment.everybody
    ]
    shown = results()
    shown.print(title, markup=False)
    shown.print(table("", ["arm", "version", "share", "digest"], rows))
    dealt = "by chance" if allotment.sticky is None else f"by {allotment.sticky}"
    if len(allotment.arms) > 1 or allotment.sticky is not None:
        shown.print(f"Requests are dealt {dealt}.", markup=False)
    if policy.reason:
        shown.print(f"Reason: {policy.reason}", markup=False)
    if published is None or published.revision != policy.revision:
        here = "nothing" if published is None else f"revision {published.revision}"
        shown.print(f"Published here: {here}.", markup=False)
