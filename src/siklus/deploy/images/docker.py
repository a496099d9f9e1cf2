"""Dockerfiles: the serving image with one sealed version in it, and the image of trainings and the loop."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from siklus.bundle.manifest import Manifest
from siklus.deploy.drafts import Draft
from siklus.deploy.images.context import folder_in_context, in_context
from siklus.deploy.images.installing import installing
from siklus.deploy.images.locks import LOOP_LOCK, SERVE_LOCK, loop_lock, serve_lock
from siklus.deploy.images.released import BUNDLE, Released
from siklus.deploy.images.words import PROJECT, TRUSTED, sealed_words
from siklus.deploy.rendering import render
from siklus.errors import DeployError
from siklus.project.file import FILE_NAME, OpenProject

DOCKERFILE = "Dockerfile"
LOOP_DOCKERFILE = "loop.Dockerfile"
GLOB = frozenset("*?[")


class Building(Struct, frozen=True, kw_only=True):
    """``directory``: where the files go, below the project. ``with_data``: [data] path goes along."""

    directory: Path
    with_data: bool = False


def image_of(project: OpenProject) -> str:
    return project.settings.deploy.image or project.settings.project.name


def docker_drafts(
    project: OpenProject, building: Building, *, released: Released, manifest: Manifest
) -> tuple[Draft, ...]:
    """DeployError DP010 to DP012 for what no image can be built of."""
    settings = project.settings
    how = installing(project)
    here = folder_in_context(building.directory, project.paths.root)
    keys = trusted_keys(project)
    data = data_file(project)
    if building.with_data and data is None:
        wanted = "a file below the project, not a query, a URL or several files"
        raise DeployError("DP012", "--with-data: [data] names no file that can be copied", expected=wanted)
    files = [*project_files(project), *keys, *([data] if building.with_data and data else ())]
    words = {
        "name": settings.project.name,
        "image": image_of(project),
        "base": settings.deploy.base,
        "here": here,
        "requirement": how.requirement,
        "wheel": how.wheel and in_context(how.wheel, what="the wheel"),
        "wheel_name": how.wheel and Path(how.wheel).name,
        "released": released,
    }
    command = sealed_words(settings, trusted=[Path(key).name for key in keys])
    serving = render("docker/Dockerfile", **words, trusted=keys, command=json.dumps(command))
    looping = render("docker/loop.Dockerfile", **words, files=files, data=data, with_data=building.with_data)
    wheel = [how.wheel] if how.wheel else []
    seen = [f"{here}/{BUNDLE}", f"{here}/{SERVE_LOCK}", *wheel, *keys]
    seen_by_loop = [f"{here}/{LOOP_LOCK}", *wheel, *files]
    return (
        Draft(path=DOCKERFILE, text=serving),
        Draft(path=f"{DOCKERFILE}.dockerignore", text=_ignore(DOCKERFILE, seen)),
        Draft(path=SERVE_LOCK, text=serve_lock(manifest, signatures=bool(keys))),
        Draft(path=LOOP_DOCKERFILE, text=looping),
        Draft(path=f"{LOOP_DOCKERFILE}.dockerignore", text=_ignore(LOOP_DOCKERFILE, seen_by_loop)),
        Draft(path=LOOP_LOCK, text=loop_lock(settings.train.candidates)),
        Draft(path=".gitignore", text=f"# Made by `siklus deploy docker` for each version.\n/{BUNDLE}/\n"),
    )


def trusted_keys(project: OpenProject) -> tuple[str, ...]:
    """The files of [serve] trusted_keys below the project. DP012 for another, or two of one name."""
    keys = tuple(in_context(key, what="the key") for key in project.settings.serve.trusted_keys)
    if len({Path(key).name for key in keys}) < len(keys):
        raise DeployError("DP012", f"two keys of one name would meet in {TRUSTED}", expected="other names")
    return keys


def project_files(project: OpenProject) -> tuple[str, ...]:
    """What trainings read of the project beside its rows; DP012 for a path that cannot be copied."""
    settings = project.settings
    return tuple(_project_files(FILE_NAME, settings.data.contract, settings.train.candidates))


def data_file(project: OpenProject) -> str | None:
    """The one file of [data] path below the project; None where rows come from elsewhere, or several.

    DP012 for one below it that a Dockerfile cannot name.
    """
    path = project.settings.data.path
    if path is None or Path(path).is_absolute() or GLOB & set(path):
        return None
    if os.path.normpath(path).startswith("../"):
        return None
    return in_context(path, what="[data] path")


def way_of_rows(project: OpenProject) -> str:
    """How the loop gets the rows that its image does not hold, in words."""
    path, inside = project.settings.data.path, data_file(project)
    if inside is not None:
        return f"mount {inside} at {PROJECT}/{inside}, or --with-data"
    if path is not None and not GLOB & set(path):
        return f"mount {path} at {os.path.normpath(Path(PROJECT) / path)}"
    return "what [data] names must be reached from its container, or be mounted there"


def _project_files(file: str, contract: str, candidates: tuple[str, ...]) -> Iterator[str]:
    yield file
    yield in_context(contract, what="[data] contract")
    # Own modules may import each other, and which is not seen before they run.
    if any(":" in name for name in candidates):
        yield "*.py"


def _ignore(dockerfile: str, files: list[str]) -> str:
    return render("docker/dockerignore", dockerfile=dockerfile, files=files)
