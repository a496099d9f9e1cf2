"""`siklus push`"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import typer

from siklus.cli.control import has_control
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, remarks
from siklus.cli.policies import current_policy
from siklus.cli.push_bundle import push_bundle
from siklus.cli.pushing import (
    PushReport,
    There,
    remarks_on_artifacts,
    show,
    stores_for,
)
from siklus.cli.registered import registry_of, tracking_of
from siklus.errors import RegistryError
from siklus.project.file import OpenProject
from siklus.registry.policy import TrafficPolicy
from siklus.registry.publish import refuse_untrusted
from siklus.registry.push import Copy, carry, carry_signatures, copies_of, numbered, stages_of
from siklus.tracking.boundary import shown

app = command_app()


@app.command()
def push(
    tracking_uri: Annotated[
        str | None, typer.Option("--tracking-uri", metavar="URL", help="MLflow there.", show_default=False)
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The control database there: the traffic policy goes too.", show_default=False
        ),
    ] = None,
    which: Annotated[
        list[str] | None,
        typer.Option(
            "--version", help="Only these, and those in the traffic policy; repeatable.", show_default=False
        ),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|-",
            help="One sealed bundle instead (`-`: a tar of it on stdin), to the project's own stores.",
            show_default=False,
        ),
    ] = None,
    stage: Annotated[
        Literal["production", "staging"] | None,
        typer.Option(help="Of that bundle.", show_default=False),
    ] = None,
    beside: Annotated[bool, typer.Option("--beside", help="Number them after others there.")] = False,
    take: Annotated[
        bool, typer.Option("--take", help="Stages and traffic there become as they are here.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Bring versions to other stores: bundles, stages, metrics, annotations, and the traffic policy.

    What is there already is left alone but for signatures that it lacks, so the same command again changes
    nothing.
    """
    found = opened(project)
    if bundle is not None:
        _refuse({"--version": which, "--beside": beside, "--take": take})
        with stores_for(found, tracking_uri=tracking_uri, control=control) as target:
            show(push_bundle(target, bundle, stage=stage), as_json=as_json)
        return 0
    if stage is not None:
        raise typer.BadParameter("--stage is for --bundle: versions keep the stages that they have")
    if tracking_uri is None:
        raise RegistryError(
            "RG018", "nowhere to push to", expected="--tracking-uri URL, such as http://127.0.0.1:5000"
        )
    with stores_for(found, tracking_uri=tracking_uri, control=control) as target:
        if target.tracking.uri == tracking_of(found).uri:
            told = f"{shown(tracking_uri)} is the registry that these versions are in"
            raise RegistryError("RG018", told, expected="another one")
        show(_push_versions(found, target, which=which or [], beside=beside, take=take), as_json=as_json)
    return 0


def _push_versions(
    found: OpenProject, target: There, *, which: Sequence[str], beside: bool, take: bool
) -> PushReport:
    policy = current_policy(found) if has_control(found) else None
    before, decided = target.registry.versions(target.name), target.traffic()
    copies = copies_of(registry_of(found).versions(target.name), before, beside=beside)
    copies = _chosen(found, copies, which, policy)
    if policy is not None:  # refused before anything is written
        numbered(policy.allotment, {copy.digest: copy.here.number for copy in copies})
    deciding = policy if target.control is not None and (take or decided is None) else None
    there = _carried(found, target, copies, deciding=deciding)
    said = list(remarks_on_artifacts(target.tracking.uri, found.paths.artifacts))
    if take or not before:
        for number, stage in stages_of(copies, there):
            target.stage(number, stage)
    if policy is not None:
        wanted = numbered(policy.allotment, there)
        if take or decided is None:
            decided = target.decide(wanted, seen=decided, kind="traffic")
        elif decided.allotment != wanted:
            said.append("the traffic policy there is another, and stays: --take makes it the one from here")
    held = {version.number: version for version in target.registry.versions(target.name)}
    done = [copy.done(held[there[copy.digest]]) for copy in copies]
    return target.told(done, traffic=decided, remarks=said)


def _chosen(
    found: OpenProject, copies: Sequence[Copy], which: Sequence[str], policy: TrafficPolicy | None
) -> list[Copy]:
    """All of them, or those asked for and those that the policy needs. RegistryError RG001, RG002, RG005."""
    registry, name = registry_of(found), found.settings.project.name
    asked = {registry.resolve(name, each).digest for each in which}
    if None in asked or not copies:
        raise RegistryError(
            "RG005",
            f"{name}: no bundle to push",
            expected="a version that `siklus models` shows with a digest",
        )
    if policy is not None:
        asked |= {arm.digest for arm in policy.allotment.everybody}
    return [copy for copy in copies if not which or copy.digest in asked]


def _carried(
    found: OpenProject, target: There, copies: Sequence[Copy], *, deciding: TrafficPolicy | None
) -> dict[str, int]:
    """Register what is not there yet, and bring signatures; the numbers there, by digest.

    ``deciding``: the traffic policy that is to go, too. BundleError BN014 to BN017 for a version in it that
    the project's servers would not take.
    """
    registry, source = registry_of(found), tracking_of(found)
    # All of them are fetched and verified before the first one is written.
    bundles = {copy.digest: registry.fetch(copy.here, found.paths.bundles) for copy in copies}
    for signed in (copy.there for copy in copies if copy.there is not None):
        target.registry.fetch(signed, found.paths.bundles)  # for what was signed there
    for arm in () if deciding is None else deciding.allotment.everybody:
        refuse_untrusted(found, bundles[arm.digest])
    numbers = {}
    for copy in copies:
        made = copy.there
        if made is None:
            remarks().print(f"siklus: pushing version {copy.here.number}", markup=False)
            made = carry(copy.here, bundles[copy.digest], source=source, target=target.tracking)
        else:
            carry_signatures(made, bundles[copy.digest], target=target.tracking)
        numbers[copy.digest] = made.number
    return numbers


def _refuse(given: Mapping[str, object]) -> None:
    for option, value in given.items():
        if value:
            raise typer.BadParameter(f"{option} does not go with --bundle")
