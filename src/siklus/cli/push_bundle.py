"""`siklus push --bundle`: one sealed bundle, as a pipeline hands it on, becomes a version."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.write import digest_of
from siklus.cli.policies import arm_of
from siklus.cli.pushing import PushReport, There, remarks_on_artifacts
from siklus.cli.staged import make_live
from siklus.errors import RegistryError
from siklus.project.file import OpenProject
from siklus.registry.arrival import arriving
from siklus.registry.policy import everything_to
from siklus.registry.publish import refuse_untrusted
from siklus.registry.push import carry_signatures, deliver, pushed
from siklus.registry.stages import Stage
from siklus.registry.versions import Version

STDIN = "-"


def push_bundle(target: There, given: str, *, stage: Stage | None) -> PushReport:
    """Register it, unless it is there, and give it the stage; with production it gets all requests.

    BundleError BN001 to BN012 for one that is not as it was sealed, RegistryError RG021 for what is none,
    RG022 for another project's, BundleError BN014 to BN017 for production without a signature that
    [serve] trusted_keys ask for. Nothing is registered or decided then.
    """
    project = target.project
    with _at(given, project.paths.bundles) as path:
        bundle = open_bundle(path)  # golden rows and all: what could not be served is never registered
        _refuse_foreign(bundle, project)
        before = _known(target, digest_of(path))
        there = None if before is None else carry_signatures(before, path, target=target.tracking)
        if stage == "production" and target.control is not None:
            here = path if there is None else target.registry.fetch(there, project.paths.bundles)
            refuse_untrusted(project, here)
        version = there or deliver(bundle, target=target.tracking, name=target.name)
    return _staged(target, version, stage, before=before)


def _known(target: There, digest: str) -> Version | None:
    found = (version for version in target.registry.versions(target.name) if version.digest == digest)
    return next(found, None)


def _staged(target: There, version: Version, stage: Stage | None, *, before: Version | None) -> PushReport:
    traffic = target.traffic()
    if stage == "production":
        wanted = everything_to(arm_of(version), after=None if traffic is None else traffic.allotment)
        traffic = target.decide(wanted, seen=traffic, kind="promotion")
    if stage is not None:
        target.stage(version.number, stage)
    if stage == "production" and target.is_own:
        make_live(target.project)
    held = target.registry.resolve(target.name, str(version.number))
    said = () if target.is_own else remarks_on_artifacts(target.tracking.uri, target.project.paths.artifacts)
    return target.told([pushed(held, before=before)], traffic=traffic, remarks=tuple(said))


@contextmanager
def _at(given: str, bundles: Path) -> Iterator[Path]:
    if given != STDIN:
        yield Path(given)
        return
    with arriving(sys.stdin.buffer, bundles) as path:
        yield path


def _refuse_foreign(bundle: Bundle, project: OpenProject) -> None:
    ours, theirs = project.settings.project, bundle.manifest
    if (theirs.name, theirs.task) != (ours.name, ours.task):
        raise RegistryError(
            "RG022",
            f"{bundle.path}: a bundle of {theirs.name!r} ({theirs.task})",
            expected=f"one of {ours.name!r} ({ours.task})",
        )
