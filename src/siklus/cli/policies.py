"""A project's traffic policy, from the command line's side: what is decided is brought here and published."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from siklus.automation.by_hand import ByHand, Change, ChangeKind, with_freeze
from siklus.automation.telling import Telling
from siklus.cli.control import author, has_control, project_control
from siklus.cli.registered import registry_of
from siklus.errors import RegistryError
from siklus.project.file import OpenProject
from siklus.registry.policy import CHAMPION, Allotment, PolicyArm, TrafficPolicy
from siklus.registry.publish import bring, publish, trusted_by
from siklus.registry.published import LAST_GOOD, PUBLISHED, found_policy
from siklus.registry.traffic import NOTHING, Traffic
from siklus.registry.versions import Version


@contextmanager
def open_traffic(project: OpenProject) -> Iterator[Traffic]:
    """The project's policies; RegistryError RG010 when their database does not answer."""
    with project_control(project) as control:
        yield Traffic(control, project.settings.project.name)


def current_policy(project: OpenProject) -> TrafficPolicy | None:
    """What was decided last; None when nothing was."""
    if not has_control(project):
        return None
    with open_traffic(project) as traffic:
        return traffic.current()


def published_policy(project: OpenProject) -> TrafficPolicy | None:
    """What the servers here go by, whether or not anybody can be asked."""
    run = project.paths.run
    return found_policy(run / PUBLISHED) or found_policy(run / LAST_GOOD)


def arm_of(version: Version, *, name: str = CHAMPION, share: float = 1.0) -> PolicyArm:
    """The registered version as an arm; RegistryError RG005 for one without a digest."""
    if version.digest is None:
        where = f"{version.name} version {version.number} has no digest"
        raise RegistryError("RG005", where, expected="a version that Siklus registered")
    return PolicyArm(name=name, version=version.number, share=share, digest=version.digest)


def decide(
    project: OpenProject,
    allotment: Allotment,
    *,
    seen: TrafficPolicy | None,
    reason: str,
    kind: ChangeKind = "traffic",
) -> TrafficPolicy:
    """Make this the next revision after the one ``seen``, journal and publish it; the same allotment is none.

    Its bundles are brought here first, so nothing is decided that could not be served. A rollout that goes
    on ends with it. Errors are those of `publish.bring` and `ByHand.decide`.
    """
    policy = seen if seen is not None and seen.allotment == allotment else None
    if policy is None:
        bring(
            allotment,
            project.settings.project.name,
            project.paths.bundles,
            registry=lambda: registry_of(project),
            trusted=trusted_by(project),
        )
        published = published_policy(project)
        change = Change(
            kind=kind,
            allotment=allotment,
            by=author(),
            now=datetime.now(UTC),
            reason=reason,
            published=NOTHING if published is None else published.revision,
        )
        with project_control(project) as control:
            hand = ByHand(control, project.settings.project.name, also=Telling(control, project.settings))
            policy = hand.decide(with_freeze(change, project.settings.rollout), seen=seen)
    publish(policy, project.paths, registry=lambda: registry_of(project), trusted=trusted_by(project))
    return policy
