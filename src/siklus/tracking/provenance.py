"""Where a model's code and environment came from."""

import os
import platform
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

GIT_SECONDS = 10  # a repository on a dead network drive must not hold up a training


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """The commit that is checked out, and whether anything differs from it (new files count too)."""

    commit: str
    dirty: bool
    remote: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        """As MLflow's run tags."""
        tags = {"mlflow.source.git.commit": self.commit, "siklus.git_dirty": str(self.dirty).lower()}
        return tags if self.remote is None else {**tags, "mlflow.source.git.repoURL": self.remote}


def source_state(root: Path, *, besides: Sequence[str] = ()) -> SourceState | None:
    """The state of the repository around ``root``; None without git, a repository or a first commit.

    ``besides``: files below ``root`` in which a difference counts for nothing.
    """
    looked_at = [":/", *(f":(exclude,literal){name}" for name in besides)]
    status = _git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", *looked_at)
    if status is None:
        return None
    lines = status.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    if commit == "(initial)":
        return None
    remote = _git(root, "remote", "get-url", "origin")
    return SourceState(
        commit=commit,
        dirty=any(not line.startswith("#") for line in lines),
        remote=None if remote is None else _without_password(remote.strip()),
    )


def tracked(root: Path, names: Collection[str]) -> set[str]:
    """Which of these files of ``root`` git keeps; none without git or a repository."""
    found = _git(root, "ls-files", "-z", "--", *names)
    return set() if found is None else {name for name in found.split("\0") if name}


def environment_lock() -> dict[str, str]:
    """The version of every installed distribution by its name, beside `python` and `platform`."""
    papers = [dist.metadata for dist in distributions()]  # parsed anew whenever it is asked for
    found = {paper["Name"]: paper["Version"] for paper in papers if paper["Name"]}
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}".lower(),
        **dict(sorted(found.items(), key=lambda item: item[0].lower())),
    }


def _git(root: Path, *arguments: str) -> str | None:
    # A status neither locks the index nor starts the file-system monitor that a repository may name.
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _without_password(remote: str) -> str:
    if "://" not in remote:
        return remote  # git@host:path carries none
    parts = urlsplit(remote)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
