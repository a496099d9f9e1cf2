"""Publishing: the bundles of a policy are brought here and verified, and only then the servers learn of it.

`python -m siklus.registry.publish --project DIR` does so once, with the latest revision.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from siklus.bundle.manifest import manifest_bytes, read_manifest
from siklus.bundle.read import cached
from siklus.bundle.signatures import TrustedKeys, read_trusted
from siklus.errors import BundleError, RegistryError, SiklusError
from siklus.project.file import OpenProject, open_project
from siklus.project.paths import Paths
from siklus.registry.control import control_uri, open_control
from siklus.registry.policy import Allotment, PolicyArm, TrafficPolicy
from siklus.registry.published import PUBLISHED, write_policy
from siklus.registry.traffic import Traffic
from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking


def trusted_by(project: OpenProject) -> TrustedKeys | None:
    """Who must have signed what the project's servers answer with; BundleError BN018 as `read_trusted`."""
    return read_trusted(project.settings.serve.trusted_keys, root=project.paths.root)


def refuse_untrusted(project: OpenProject, bundle: Path) -> None:
    """BundleError BN014 to BN018 for a bundle that the project's servers would not take."""
    trusted = trusted_by(project)
    if trusted is not None:
        trusted.refuse_untrusted(bundle, manifest_bytes(bundle))


def publish(
    policy: TrafficPolicy,
    paths: Paths,
    *,
    registry: Callable[[], Registry],
    trusted: TrustedKeys | None = None,
) -> bool:
    """Bring what the policy needs and write `<state>/run/traffic.json`; whether that was newer.

    ``registry`` is asked only for bundles and signatures that are not here. Errors are those of `bring`.
    """
    bring(policy.allotment, policy.model, paths.bundles, registry=registry, trusted=trusted)
    return write_policy(policy, paths.run / PUBLISHED)


def publish_at_once(policy: TrafficPolicy, paths: Paths, *, trusted: TrustedKeys | None = None) -> bool:
    """Publish it where all that it needs is here already, in no time and without the registry.

    False, and nothing is published, where it is not, or where `publish` would refuse it.
    """
    arms = policy.allotment.everybody
    missing = any(not _is_here(arm, paths.bundles, trusted) for arm in arms)
    if missing or len(_tasks(policy, paths)) > 1:
        return False
    write_policy(policy, paths.run / PUBLISHED)
    return True


def bring(
    allotment: Allotment,
    model: str,
    bundles: Path,
    *,
    registry: Callable[[], Registry],
    trusted: TrustedKeys | None = None,
) -> None:
    """Have every bundle of the allotment among ``bundles``, verified.

    ``trusted``: who must have signed each, here or in the registry; BundleError BN014 to BN017 otherwise.
    RegistryError RG004 when the registry has another bundle under that number, RG016 when the versions do
    not answer the same kind of question.
    """
    missing = [arm for arm in allotment.everybody if not _is_here(arm, bundles, trusted)]
    if missing:
        asked = registry()
        for arm in missing:
            _fetch(arm, model, bundles, asked)
            if trusted is not None:
                trusted.refuse_untrusted(bundles / arm.digest, manifest_bytes(bundles / arm.digest))
    tasks = {arm.version: read_manifest(bundles / arm.digest).task for arm in allotment.everybody}
    if len(set(tasks.values())) > 1:
        told = ", ".join(f"version {version}: {task}" for version, task in tasks.items())
        raise RegistryError("RG016", f"{model}: {told}", expected="one task, as callers read one answer")


def _tasks(policy: TrafficPolicy, paths: Paths) -> set[str]:
    return {read_manifest(paths.bundles / arm.digest).task for arm in policy.allotment.everybody}


def _is_here(arm: PolicyArm, bundles: Path, trusted: TrustedKeys | None) -> bool:
    """Whether its bundle is, intact, and signed by whom it must be."""
    path = cached(arm.digest, bundles)
    if path is None or trusted is None:
        return path is not None
    try:
        trusted.refuse_untrusted(path, manifest_bytes(path))
    except BundleError:
        return False
    return True


def _fetch(arm: PolicyArm, model: str, bundles: Path, registry: Registry) -> None:
    version = registry.resolve(model, str(arm.version))
    if version.digest != arm.digest:
        what = f"{model} version {arm.version}: its bundle is another than the policy's"
        raise RegistryError("RG004", what, expected=f"sha256 {arm.digest}")
    registry.fetch_signatures(version, registry.fetch(version, bundles))


def publish_latest(project: OpenProject) -> TrafficPolicy | None:
    """Publish the control database's latest revision; None when it has none."""
    settings = project.settings
    url = control_uri(settings.state.control, project.paths.root)
    with open_control(url, file=project.paths.control_database) as control:
        policy = Traffic(control, settings.project.name).current()
    if policy is not None:
        uri, paths = settings.state.tracking_uri, project.paths
        publish(
            policy,
            paths,
            registry=lambda: Registry(open_tracking(uri, paths=paths)),
            trusted=trusted_by(project),
        )
    return policy


def main(arguments: Sequence[str]) -> int:
    """Publish once: 0; 2 when that fails, with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m siklus.registry.publish", description=__doc__)
    parser.add_argument("--project", type=Path, default=Path(), help="the project's folder")
    given = parser.parse_args(arguments)
    try:
        publish_latest(open_project(given.project, environment=os.environ))
    except SiklusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
