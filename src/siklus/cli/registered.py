"""A project's registered versions, from the command line's side."""

from collections.abc import Callable
from pathlib import Path

from siklus.bundle.read import Bundle, open_bundle
from siklus.errors import BundleError, RegistryError
from siklus.monitor.subject import Subjects
from siklus.project.file import OpenProject
from siklus.registry.stages import Stage
from siklus.registry.versions import LATEST, Registry, Version
from siklus.tracking.mlflow import Tracking, open_tracking
from siklus.train.results import last_release

SERVED: Stage = "production"
TRAINED = "trained"


def tracking_of(project: OpenProject) -> Tracking:
    return open_tracking(project.settings.state.tracking_uri, paths=project.paths)


def has_registry(project: OpenProject) -> bool:
    """Whether there is one to ask: a question makes no database. MLflow's own server always has one."""
    return project.settings.state.tracking_uri is not None or project.paths.tracking_database.is_file()


def registry_of(project: OpenProject) -> Registry:
    """The project's registry; RegistryError RG001 where nothing was ever registered."""
    if not has_registry(project):
        raise RegistryError(
            "RG001",
            f"no version of {project.settings.project.name!r}",
            expected="one that `siklus train` has registered",
        )
    return Registry(tracking_of(project))


def resolved(project: OpenProject, registry: Registry, which: str | None) -> Version:
    """The version asked for; without one what is in production, or else the latest.

    `trained` is the one that the last training in this folder has registered, whatever others register
    beside it. RegistryError RG001 where that one has registered none.
    """
    name = project.settings.project.name
    if which is not None:
        return registry.resolve(name, str(_trained(project)) if which == TRAINED else which)
    return registry.holder(name, SERVED) or registry.resolve(name, LATEST)


def _trained(project: OpenProject) -> int:
    made = last_release(project.paths.steps)
    if made is None or made.version is None:
        told = "no training has ended" if made is None else "a gate failed in the last training"
        name = project.settings.project.name
        raise RegistryError(
            "RG001", f"no version of {name!r} was trained here: {told}", expected="a `siklus train` before"
        )
    return made.version


def fetched(project: OpenProject, which: str | None) -> tuple[Version, Path]:
    """The version and its verified bundle."""
    registry = registry_of(project)
    version = resolved(project, registry, which)
    return version, registry.fetch(version, project.paths.bundles)


def opened_version(project: OpenProject, which: str | None) -> tuple[Version, Bundle]:
    version, path = fetched(project, which)
    return version, open_bundle(path, version=str(version.number))


def champion_of(project: OpenProject) -> Bundle:
    """What servers here answer with by the traffic policy, or else what the registry has in production."""
    found = Subjects(project.paths).current()
    return opened_version(project, None)[1] if found is None else found.bundle


def versions_of(project: OpenProject, champion: Bundle) -> Callable[[str], Bundle | None]:
    """How to find a version that the records name; None for one that is in no registry any more."""

    def bundle_of(version: str) -> Bundle | None:
        if version == champion.version:
            return champion
        try:
            registry = registry_of(project)
            found = registry.resolve(project.settings.project.name, version)
            return open_bundle(registry.fetch(found, project.paths.bundles), version=version)
        except (RegistryError, BundleError):
            return None

    return bundle_of
