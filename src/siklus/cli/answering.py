"""What a project's server is told to answer with: one pinned version, or whatever the traffic policy says."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from siklus.bundle.read import cached
from siklus.cli.control import has_control
from siklus.cli.policies import arm_of, current_policy, decide, published_policy
from siklus.cli.registered import SERVED, fetched, registry_of, resolved
from siklus.errors import RegistryError, SiklusError
from siklus.project.file import OpenProject
from siklus.registry.policy import everything_to
from siklus.registry.publish import publish, trusted_by

OVERTAKEN = "RG014"


def watched(project: OpenProject, answering: Sequence[str]) -> list[str]:
    """The options that start the watch beside the server; ``answering``: those of `pinned` or `following`."""
    if not project.settings.monitor.enabled:
        return []
    pinned_to = list(answering) if "--bundle" in answering else []
    watch = [sys.executable, "-m", "siklus.monitor.watch", "--project", str(project.paths.root.absolute())]
    return ["--companion", shlex.join([*watch, *pinned_to])]


def looped(project: OpenProject) -> list[str]:
    """The options that start the control loop in the watch's place."""
    root = str(project.paths.root.absolute())
    return ["--companion", shlex.join([sys.executable, "-m", "siklus.automation.loop", "--project", root])]


def pinned(project: OpenProject, which: str) -> list[str]:
    """The options that pin a version. Without a registry, one that the published policy names will do."""
    try:
        version, bundle = fetched(project, which)
    except SiklusError as error:
        found = _published_bundle(project, which)
        if found is None:
            raise
        _remark(f"{error}; version {which} is served from what was fetched before")
        return ["--bundle", str(found), "--version", which]
    return ["--bundle", str(bundle.absolute()), "--version", str(version.number)]


def following(project: OpenProject) -> list[str]:
    """The options that follow the traffic policy, once it is published here.

    Without one, it gives all to the version in production. What was published before is enough to go on
    when database, registry or network are gone.
    """
    try:
        _publish(project)
    except SiklusError as error:
        published = published_policy(project)
        if published is None:
            raise
        _remark(f"{error}; serving revision {published.revision} of the traffic policy, as last published")
    if project.settings.state.control is None:
        return []
    follow = [sys.executable, "-m", "siklus.registry.follow", "--project", str(project.paths.root)]
    return ["--companion", shlex.join(follow)]


def _publish(project: OpenProject) -> None:
    try:
        _decide_and_publish(project)
    except RegistryError as error:
        if error.code != OVERTAKEN:
            raise
        # Another server that starts at this moment was quicker, and what it has decided stands.
        _decide_and_publish(project)


def _decide_and_publish(project: OpenProject) -> None:
    seen, published = current_policy(project), published_policy(project)
    if seen is not None:
        publish(seen, project.paths, registry=lambda: registry_of(project), trusted=trusted_by(project))
        _compare(project, champion=seen.allotment.champion.version)
    elif published is not None and not has_control(project):
        _remark(f"no control database; serving revision {published.revision}, as last published")
    elif published is not None:
        decide(project, published.allotment, seen=None, reason="as published before the database was new")
    else:
        version = resolved(project, registry_of(project), None)
        first = everything_to(arm_of(version), after=None)
        decide(project, first, seen=None, reason="the first to be served")


def _compare(project: OpenProject, *, champion: int) -> None:
    """Say when somebody moved the stage by other means than `siklus promote`."""
    try:
        holder = registry_of(project).holder(project.settings.project.name, SERVED)
    except SiklusError as error:
        _remark(f"{error}; the bundles that are here will do")
        return
    if holder is not None and holder.number != champion:
        told = f"version {holder.number} is in {SERVED}, but the traffic policy's champion is {champion}"
        _remark(f"{told}: `siklus promote {holder.number}` brings it live")


def _published_bundle(project: OpenProject, which: str) -> Path | None:
    policy = published_policy(project)
    arms = () if policy is None else policy.allotment.everybody
    digests = [arm.digest for arm in arms if str(arm.version) == which]
    return cached(digests[0], project.paths.bundles) if digests else None


def _remark(text: str) -> None:
    sys.stderr.write(f"siklus: {text}\n")
