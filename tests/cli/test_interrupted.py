"""What ends a training from outside leaves what was finished, nothing half-written, and no process behind."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.projects import (
    STEPS,
    answered,
    files_below,
    new_project,
    siklus,
    spawned,
    straight_rows,
    would_run,
)

SECONDS = 60.0  # for a process to start on a machine that has much else to do
SLEEPER = """
import time
from pathlib import Path
from sklearn.linear_model import LinearRegression

class Sleeper(LinearRegression):
    def fit(self, X, y):
        Path({started!r}).touch()
        while not Path({wake!r}).exists():
            time.sleep(0.05)
        return super().fit(X, y)

def make():
    return Sleeper()
"""


@pytest.fixture
def asleep(tmp_path: Path) -> Path:
    """A project one of whose candidates sleeps until there is a file `wake`, and says so by `started`."""
    project = new_project(tmp_path / "asleep", straight_rows(60), more='\n[data.split]\nby = "random"\n')
    module = SLEEPER.format(started=str(project / "started"), wake=str(project / "wake"))
    (project / "sleeper.py").write_text(module)
    return project


@pytest.fixture
def begun() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test began: whatever happens, none of them outlives it."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            child.kill()
        process.kill()
        process.communicate()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + SECONDS
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def train(project: Path, *, jobs: int, **options: Any) -> subprocess.Popen[str]:
    settings = {
        "SIKLUS_TRAIN__CANDIDATES": '["sleeper:make"]',
        "SIKLUS_TRAIN__TRIALS": "2",
        "SIKLUS_TRAIN__JOBS": str(jobs),
    }
    return spawned("train", "-C", project, "--until", "evaluate", env=settings, **options)


def finished_steps(project: Path) -> set[str]:
    below = files_below(project / ".siklus" / "steps")
    assert not [name for name in below if name.startswith(".")]
    return {name.partition("-")[0] for name in below if "/" not in name} - {"trials"}


@pytest.mark.parametrize(
    ("number", "jobs", "code"),
    [
        (signal.SIGINT, 2, 130),
        pytest.param(signal.SIGINT, 1, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 2, 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_the_training_and_all_its_processes(
    asleep: Path, begun: list[subprocess.Popen[str]], number: signal.Signals, jobs: int, code: int
) -> None:
    process = train(asleep, jobs=jobs)
    begun.append(process)
    wait_for(asleep / "started", process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= (jobs if jobs > 1 else 0)
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert err.endswith("the same command goes on from there\n")
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert finished_steps(asleep) == {"ingest", "check", "split", "prepare"}

    (asleep / "wake").touch()
    settings = {"TRAIN__CANDIDATES": '["sleeper:make"]', "TRAIN__TRIALS": "2"}
    assert would_run(asleep, "--until", "evaluate", **settings) == ["search", "evaluate"]
    assert siklus("train", "-C", asleep, "--until", "evaluate", **settings).code == 0


@pytest.mark.slow
def test_ctrl_c_on_a_terminal_reaches_all_processes_and_only_one_speaks(
    asleep: Path, begun: list[subprocess.Popen[str]]
) -> None:
    process = train(asleep, jobs=2, start_new_session=True)
    begun.append(process)
    parent = psutil.Process(process.pid)
    until = time.monotonic() + SECONDS
    while len(parent.children()) < 3:  # two workers that are still importing, and Python's resource tracker
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("the same command goes on from there\n")


@pytest.mark.slow
def test_the_processes_of_a_training_that_was_killed_end_by_themselves(
    asleep: Path, begun: list[subprocess.Popen[str]]
) -> None:
    process = train(asleep, jobs=2)
    begun.append(process)
    wait_for(asleep / "started", process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait(SECONDS)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_an_interruption_inside_a_candidate_keeps_what_was_fitted(tmp_path: Path) -> None:
    project = new_project(tmp_path / "inside", straight_rows(60))
    log = project / "log"
    (project / "interrupts_inside.py").write_text(
        "from pathlib import Path\n"
        "from sklearn.linear_model import LinearRegression\n"
        "class Fickle(LinearRegression):\n"
        "    def fit(self, X, y):\n"
        f"        with Path({str(log)!r}).open('a') as file: file.write('.')\n"
        f"        if len(Path({str(log)!r}).read_text()) == 3: raise KeyboardInterrupt\n"
        "        return super().fit(X, y)\n"
        "def make(): return Fickle()\n"
    )
    settings = {"TRAIN__CANDIDATES": '["interrupts_inside:make"]'}
    found = siklus("train", "-C", project, "--until", "search", **settings)
    assert (found.code, found.out) == (130, "")
    assert "Traceback" not in found.err
    assert finished_steps(project) == {"ingest", "check", "split", "prepare"}
    assert answered("train", "-C", project, "--until", "search", **settings)["until"] == "search"
    # Five folds: the two that were finished are not fitted again, and at most the choice is once more.
    assert len(log.read_text()) in (6, 7)
    assert not list((project / ".siklus" / "steps").glob("trials-*"))


def test_two_trainings_do_not_run_at_once(asleep: Path, begun: list[subprocess.Popen[str]]) -> None:
    process = train(asleep, jobs=1)
    begun.append(process)
    wait_for(asleep / "started", process)
    found = siklus("train", "-C", asleep)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("siklus: FS002 ")
    assert siklus("train", "-C", asleep, "--plan").code == 0


@pytest.mark.parametrize(
    ("kilobytes", "last"),
    [
        (24, "prepare"),
        pytest.param(1, "ingest", marks=pytest.mark.slow),
        pytest.param(60, "register", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, kilobytes: int, last: str) -> None:
    """A file may grow to so many kilobytes and no further, which the system says as it says a full disk."""
    # Many rows of few values: the snapshot is small, and the decoded rows are not.
    rows = [{"a": i % 7, "b": i % 11, "c": i % 5, "d": i % 3, "y": (3 * i) % 13} for i in range(2000)]
    project = new_project(tmp_path / "full", rows, "--task", "regression")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    process = spawned("train", "-C", project, preexec_fn=limit)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (2, ""), err
    said = err.splitlines()[-3:]
    assert said[0].startswith("siklus: FS001 ")
    assert said[1].startswith("        expected a writable disk")
    assert "Traceback" not in err
    assert finished_steps(project) == set(STEPS[: STEPS.index(last)])
    assert answered("train", "-C", project, "--until", last)
