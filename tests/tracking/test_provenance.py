"""Where a model came from: git's own words, and the installed versions."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from siklus.tracking.provenance import SourceState, environment_lock, source_state


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", "-C", str(root), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git(tmp_path, "init")
    (tmp_path / "train.py").write_text("a = 1\n")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit(repository: Path) -> None:
    assert source_state(repository) == SourceState(commit=git(repository, "rev-parse", "HEAD"), dirty=False)


def test_a_folder_inside_the_repository_has_the_same_state(repository: Path) -> None:
    (repository / "inner").mkdir()
    assert source_state(repository / "inner") == source_state(repository)


@pytest.mark.parametrize("change", ["edited", "staged", "new"])
def test_what_differs_from_the_commit_is_dirty(repository: Path, change: str) -> None:
    file = repository / ("other.py" if change == "new" else "train.py")
    file.write_text("a = 2\n")
    if change == "staged":
        git(repository, "add", "train.py")
    state = source_state(repository)
    assert state is not None
    assert state.dirty


def test_what_is_written_by_us_may_differ(repository: Path) -> None:
    inner = repository / "inner"
    inner.mkdir()
    (inner / "Dockerfile").write_text("ARG VERSION=1\n")
    git(repository, "add", "inner/Dockerfile")
    git(repository, "commit", "-m", "second")
    (inner / "Dockerfile").write_text("ARG VERSION=2\n")
    for root, name in ((repository, "inner/Dockerfile"), (inner, "Dockerfile")):
        found = source_state(root), source_state(root, besides=(name,))
        assert [each and each.dirty for each in found] == [True, False]
    (repository / "train.py").write_text("a = 2\n")
    state = source_state(inner, besides=("Dockerfile",))
    assert state is not None
    assert state.dirty, "another file counts, wherever it is"


def test_what_git_ignores_is_not_dirty(repository: Path) -> None:
    (repository / ".git" / "info" / "exclude").write_text(".siklus/\n")
    (repository / ".siklus").mkdir()
    (repository / ".siklus" / "mlflow.db").write_text("x")
    state = source_state(repository)
    assert state is not None
    assert not state.dirty


@pytest.mark.parametrize(
    ("remote", "kept"),
    [
        ("https://token:secret@example.com/team/flights.git", "https://example.com/team/flights.git"),
        ("https://example.com/team/flights.git", "https://example.com/team/flights.git"),
        ("git@example.com:team/flights.git", "git@example.com:team/flights.git"),
    ],
)
def test_the_remote_is_kept_without_its_password(repository: Path, remote: str, kept: str) -> None:
    git(repository, "remote", "add", "origin", remote)
    state = source_state(repository)
    assert state is not None
    assert state.remote == kept
    assert state.tags["mlflow.source.git.repoURL"] == kept


def test_the_state_is_tags_as_mlflow_names_them() -> None:
    assert SourceState(commit="abc", dirty=True).tags == {
        "mlflow.source.git.commit": "abc",
        "siklus.git_dirty": "true",
    }


def test_there_is_no_state_without_a_repository_or_a_commit(tmp_path: Path) -> None:
    assert source_state(tmp_path) is None
    assert source_state(tmp_path / "nowhere") is None
    git(tmp_path, "init")
    assert source_state(tmp_path) is None


def test_there_is_no_state_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository / "nothing here"))
    assert source_state(repository) is None


def test_a_repository_cannot_name_a_program_to_run(repository: Path) -> None:
    git(repository, "config", "core.fsmonitor", f"touch {repository}/.git/it-ran; false")
    assert source_state(repository) is not None
    assert not (repository / ".git" / "it-ran").exists()


def test_the_lock_names_what_is_installed() -> None:
    lock = environment_lock()
    assert lock["numpy"] == np.__version__
    assert lock["mlflow-skinny"] == version("mlflow-skinny")
    assert lock["python"] == platform.python_version()
    assert lock["platform"].startswith(platform.system().lower())
    assert all(lock.values())
