"""What a build sees of a project: paths below it, of which a Dockerfile can make nothing else."""

import re
from pathlib import Path, PurePosixPath

from siklus.errors import DeployError

PLAIN = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*(/[A-Za-z0-9._][A-Za-z0-9._-]*)*")


def in_context(path: str, *, what: str) -> str:
    """A path from the project on, as it is; DeployError DP012 for one that a Dockerfile cannot name."""
    parts = PurePosixPath(path).parts
    if PLAIN.fullmatch(path) is None or ".." in parts or "." in parts:
        raise DeployError(
            "DP012",
            f"{what} {path!r} cannot stand in a Dockerfile",
            expected="a path below the project, of letters, digits, '.', '_' and '-'",
        )
    return path


def folder_in_context(directory: Path, root: Path) -> str:
    """The directory of the files, seen from the project, which the build is given. DP012 likewise."""
    try:
        below = directory.resolve().relative_to(root.resolve())
    except ValueError as exc:
        raise DeployError(
            "DP012", f"{directory} is not below {root}, which the build is given", expected="another --to"
        ) from exc
    return in_context(below.as_posix(), what="the folder")
