"""A retraining's process: bounded, outlived by nobody's forgetting, and ended when it is told to."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pytest

from siklus.automation.retraining.retrained import RESULT_FILE, Retrained, folder_of
from siklus.automation.retraining.workshop import ALIVE, Workshop
from siklus.project.file import OpenProject, open_project

PATIENCE_SECONDS = 60.0
MEMORY = 3_000_000_000
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
# Rows that take for ever to read, so that the process is at work for as long as a test looks.
FILE = f"""
[project]
name = "endless"
task = "regression"

[data]
query = "SELECT sum(a.range * b.range) AS y FROM range(100000000) a, range(100000000) b"
target = "y"

[retrain]
memory_bytes = {MEMORY}
"""

KILLED_LOOP = """
import os, sys
from pathlib import Path
from siklus.automation.retraining.workshop import Workshop
from siklus.project.file import open_project
project = open_project(Path(sys.argv[1]), environment={})
print(Workshop(project.paths, environment=os.environ).start(1, trigger="drift"), flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def project(tmp_path: Path) -> OpenProject:
    (tmp_path / "siklus.toml").write_text(FILE)
    return open_project(tmp_path, environment={})


@pytest.fixture
def workshop(project: OpenProject) -> Iterator[Workshop]:
    made = Workshop(project.paths, environment=os.environ)
    yield made
    made.end()


def soon(holds: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def process_of(project: OpenProject) -> psutil.Process:
    return psutil.Process(int((project.paths.run / ALIVE).read_text()))


def test_the_process_is_the_last_to_be_served_and_has_its_bound(
    project: OpenProject, workshop: Workshop
) -> None:
    assert workshop.start(1, trigger="drift")
    process = process_of(project)
    soon(lambda: process.nice() >= 15)
    soon(lambda: process.rlimit(resource.RLIMIT_AS) == (MEMORY, MEMORY))
    assert process.environ()["OMP_NUM_THREADS"] == "1"


def test_one_works_at_a_time(project: OpenProject, workshop: Workshop) -> None:
    assert not workshop.busy
    assert workshop.start(1, trigger="drift")
    assert workshop.busy
    assert not workshop.start(2, trigger="drift")
    assert not folder_of(project.paths, 2).exists()


def test_it_outlives_a_loop_that_is_killed_and_the_next_one_knows(
    project: OpenProject, workshop: Workshop
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_LOOP, str(project.paths.root)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.stdout, done.returncode) == ("True\n", -signal.SIGKILL)
    assert workshop.busy, "at once, however long a process takes to begin"
    workshop.end()
    assert not workshop.busy


def test_one_that_was_killed_is_known_to_be_dead(project: OpenProject, workshop: Workshop) -> None:
    workshop.start(1, trigger="drift")
    process_of(project).kill()
    soon(lambda: not workshop.busy)
    assert workshop.result(1) is None
    assert workshop.start(1, trigger="drift"), "and may be started again"


OTHERS = Retrained(number=2, trigger="drift", verdict="accepted", reason="", began=NOW, ended=NOW)


@pytest.mark.parametrize(
    "content",
    [b'{"number": 1, "verd', msgspec.json.encode(OTHERS), b" " * 20_000_001, b'{"reason": "\xff"}'],
    ids=["half", "of another job", "without end", "no text"],
)
def test_a_damaged_result_is_none(project: OpenProject, workshop: Workshop, content: bytes) -> None:
    file = folder_of(project.paths, 1) / RESULT_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert workshop.result(1) is None
    assert [path.name for path in file.parent.iterdir()] == ["result.damaged"]


def test_a_result_that_cannot_be_read_is_put_aside(project: OpenProject, workshop: Workshop) -> None:
    file = folder_of(project.paths, 1) / RESULT_FILE
    file.mkdir(parents=True)
    assert workshop.result(1) is None
    assert not file.exists()


def test_another_process_of_the_same_number_is_left_alone(project: OpenProject, workshop: Workshop) -> None:
    """Its id may have been given to anybody since it died."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        project.paths.run.mkdir(parents=True)
        (project.paths.run / ALIVE).write_text(str(stranger.pid))
        workshop.end()
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_what_it_says_is_kept_beside_its_result(project: OpenProject, workshop: Workshop) -> None:
    (project.paths.root / "siklus.toml").write_text("no project")
    workshop.start(1, trigger="drift")
    log = folder_of(project.paths, 1) / "retraining.log"
    soon(lambda: log.read_text().strip())
    assert "siklus.toml" in log.read_text()
