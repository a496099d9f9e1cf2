"""Following a database elsewhere: what is decided there is published here, through every outage."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from siklus.bundle.write import place
from siklus.project.file import FILE_NAME, OpenProject, open_project
from siklus.registry.control import control_uri, open_control
from siklus.registry.follow import follow
from siklus.registry.published import PUBLISHED, found_policy
from siklus.registry.traffic import Traffic
from tests.bundle.sealed import sealed
from tests.registry.policies import NOW, allotment, arm
from tests.tracking.stores import new_name

WAIT_SECONDS = 60
NOBODY = "http://127.0.0.1:1"  # where no registry listens
LIGHT_BYTES = 120_000_000  # with MLflow loaded it is twice as much


def project_at(root: Path, *, name: str, control: str) -> OpenProject:
    root.mkdir(exist_ok=True)
    (root / FILE_NAME).write_text(
        f'[project]\nname = "{name}"\ntask = "regression"\n'
        f'[data]\npath = "rows.csv"\ntarget = "y"\n[state]\ncontrol = "{control}"\n'
        f'tracking_uri = "{NOBODY}"\n'
    )
    return open_project(root, environment={})


def bundle_of(project: OpenProject, folder: Path, **changes: Any) -> str:
    """The digest of a bundle that is in the project's cache."""
    return place(sealed(folder / new_name(), **changes), project.paths.bundles).name


def decided(project: OpenProject, digest: str) -> int:
    url = control_uri(project.settings.state.control, project.paths.root)
    with open_control(url, file=project.paths.control_database) as control:
        traffic = Traffic(control, project.settings.project.name)
        made = allotment(arm(digest=digest))
        return traffic.append(made, follows=traffic.revision(), by="elsewhere", now=NOW).revision


def published(project: OpenProject) -> int | None:
    policy = found_policy(project.paths.run / PUBLISHED)
    return None if policy is None else policy.revision


def eventually(holds: Callable[[], object], *, what: str) -> None:
    give_up = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


@contextmanager
def running(project: OpenProject, told: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "siklus.registry.follow", "--project", str(project.paths.root)]
    environment = {**os.environ, "HOME": "/nonexistent"}
    with told.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=WAIT_SECONDS)


def test_a_process_publishes_what_is_decided_in_postgresql(postgres: str, tmp_path: Path) -> None:
    project = project_at(tmp_path / "here", name=new_name(), control=postgres)
    digest, told = bundle_of(project, tmp_path), tmp_path / "told"
    with running(project, told) as process:
        eventually(lambda: b'"following"' in told.read_bytes(), what="it never began")
        assert published(project) is None
        assert decided(project, digest) == 1
        eventually(lambda: published(project) == 1, what="the first revision was not published")
        assert decided(project, digest) == 2
        eventually(lambda: published(project) == 2, what="the second revision was not published")
        assert psutil.Process(process.pid).memory_info().rss < LIGHT_BYTES
    assert process.returncode == 0
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(line["event"], line.get("revision")) for line in lines] == [
        ("following", None),
        ("published", 1),
        ("published", 2),
    ]


class Script:
    """Stands for the waiting: at each turn the next of the world's changes happens, then it is over."""

    def __init__(self, *changes: Callable[[], object]) -> None:
        self.changes = list(changes)
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> bool:
        self.waits.append(seconds)
        if not self.changes:
            return True
        self.changes.pop(0)()
        return False


def nothing() -> None:
    """What happens while nothing does."""


def events_of(project: OpenProject, script: Script) -> list[tuple[str, Any]]:
    told: list[tuple[str, Any]] = []

    def tell(event: str, *, level: str = "info", **fields: Any) -> None:
        told.append((event, fields.get("code") or fields.get("revision")))

    follow(project, tell=tell, waited=script)
    return told


def test_a_database_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    project = project_at(tmp_path / "here", name="flights", control="sqlite:///shared.db")
    digest, database = bundle_of(project, tmp_path), tmp_path / "here" / "shared.db"
    decided(project, digest)
    away = database.rename(tmp_path / "away")
    database.write_bytes(b"no database at all " * 100)
    script = Script(nothing, nothing, nothing, lambda: shutil.move(away, database))
    assert events_of(project, script) == [
        *[("control_unreachable", "RG010")] * 4,
        ("following", None),
        ("published", 1),
    ]
    assert script.waits == [2.0, 4.0, 8.0, 16.0, 2.0]
    assert published(project) == 1


@pytest.mark.slow
def test_a_bundle_that_cannot_be_had_is_asked_for_again(tmp_path: Path) -> None:
    project = project_at(tmp_path / "here", name="flights", control="sqlite:///shared.db")
    digest = bundle_of(project, tmp_path)
    away = (project.paths.bundles / digest).rename(tmp_path / "away")
    decided(project, digest)
    script = Script(nothing, lambda: shutil.move(away, project.paths.bundles / digest))
    assert events_of(project, script) == [
        ("following", None),
        ("publish_failed", 1),
        ("publish_failed", 1),
        ("published", 1),
    ]
    assert script.waits == [4.0, 8.0, 2.0]


@pytest.mark.parametrize("module", ["follow", "publish"])
def test_a_folder_that_is_no_project_is_told(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"siklus.registry.{module}", "--project", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:5]) == (2, "PJ001")
