"""`siklus ci`: the stages here, in their order, until one says no."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from siklus.cli.main import main
from siklus.deploy.pipelines.record import kept
from tests.cli.projects import QUICK, SIKLUS, new_project, straight_rows
from tests.deploy.golden_pipelines import BY_SSH, PLAIN, drawn
from tests.deploy.pipelines.saying import saying
from tests.deploy.projects import project

# Counts its calls, instead of building, scanning and releasing.
FAKE = """#!/bin/sh
called="$(basename "$0") $*"
echo "$called" >> "$LOG"
case "$called" in "$FAILS"*) exit 3 ;; esac
"""
PROGRAMS = ("docker", "trivy", "ssh", "tar")
ALL = [
    *("lint", "test", "data", "train", "gates", "bundle", "papers"),
    *("image", "scan", "push", "deploy", "smoke"),
]


@dataclass(frozen=True)
class Machine:
    """A machine with programs that do nothing, and a project on it."""

    project: Path
    log: Path

    def asked(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line != "docker info"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(FAKE)
        (programs / name).chmod(0o755)
    tools = Path(sys.executable).parent
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), str(tools), "/usr/bin", "/bin"]))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAILS", "nothing")
    folder = drawn(tmp_path / "project", "github", BY_SSH)
    docker = folder / "deploy" / "docker"
    (docker / "bundle").mkdir(parents=True)
    for name in ("Dockerfile", "loop.Dockerfile"):
        (docker / name).write_text("FROM scratch\n")
    return Machine(project=folder, log=tmp_path / "log")


def ran(machine: Machine, capfd: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, str]:
    """Stage → verdict."""
    capfd.readouterr()
    assert main(["ci", "-C", str(machine.project), "--json", *words]) == code
    document = json.loads(capfd.readouterr().out)
    assert document["passed"] == (code == 0)
    return {each["stage"]: each["verdict"] for each in document["stages"]}


def test_all_stages_stand_in_their_order(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert main(["ci", "-C", str(machine.project), "--dry-run", "--json"]) == 0
    plan: list[dict[str, Any]] = json.loads(capfd.readouterr().out)
    assert [each["stage"] for each in plan] == ALL
    left_out = {each["stage"]: each["left_out"] for each in plan if each["left_out"]}
    assert left_out == {
        "test": "nothing to test: there is no folder tests",
        **dict.fromkeys(("push", "deploy", "smoke"), "it changes what others use: --deploy"),
    }
    assert machine.asked() == [], "nothing was run"


def test_one_that_says_no_is_the_last(
    machine: Machine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "docker build --file deploy/docker/loop.Dockerfile")
    found = ran(machine, capfd, "--stage", "lint", "--stage", "image", "--stage", "scan", code=1)
    assert found == {"lint": "yes", "image": "no", "scan": "not reached"}
    assert [line.split()[3] for line in machine.asked()] == [
        "deploy/docker/Dockerfile",
        "deploy/docker/loop.Dockerfile",
    ]


def test_both_images_are_scanned(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    assert ran(machine, capfd, "--from", "image", "--until", "scan") == {"image": "yes", "scan": "yes"}
    names = [line.split()[-1].partition(":")[0] for line in machine.asked() if line.startswith("trivy")]
    assert names == ["ghcr.io/acme/flights", "ghcr.io/acme/flights-loop"]


def test_what_is_not_here_is_said(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    (machine.log.parent / "bin" / "trivy").unlink()
    assert ran(machine, capfd, "--from", "image", "--until", "scan") == {"image": "yes", "scan": "left out"}
    (machine.project / "deploy" / "docker" / "Dockerfile").unlink()
    assert ran(machine, capfd, "--stage", "image") == {"image": "left out"}
    main(["ci", "-C", str(machine.project), "--stage", "image"])
    assert "`siklus deploy docker` writes it" in capfd.readouterr().out


def test_tests_that_cannot_be_run_are_no_yes(
    machine: Machine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.project / "tests").mkdir()
    monkeypatch.setenv("PATH", f"{machine.log.parent / 'bin'}:/usr/bin:/bin")
    assert ran(machine, capfd, "--stage", "test", code=1) == {"test": "no"}


def test_a_project_s_own_tests_are_run(
    machine: Machine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    coverage = machine.log.parent / "bin" / "coverage"
    coverage.write_text(FAKE)
    coverage.chmod(0o755)
    (machine.project / "tests").mkdir()
    assert ran(machine, capfd, "--stage", "test") == {"test": "yes"}
    assert machine.asked() == ["coverage run --source=. -m pytest tests", "coverage report"]
    monkeypatch.setenv("FAILS", "coverage run")
    assert ran(machine, capfd, "--stage", "test", code=1) == {"test": "no"}


def test_a_release_that_fails_is_taken_back(
    machine: Machine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for status, code in ((200, 0), (401, 1)):
        machine.log.unlink(missing_ok=True)
        with saying({"/ready": (status, {}), "/health": (200, {"version": "3"})}) as url:
            monkeypatch.setenv("SIKLUS_DEPLOY__URL", url)
            found = ran(machine, capfd, "--from", "push", "--deploy", "--offer", code=code)
        assert found == {"push": "yes", "deploy": "yes", "smoke": "no" if code else "yes"}
        told = machine.asked()
        assert sum(line.startswith("docker push") for line in told) == 2
        assert sum("cat .release" in line for line in told) == code, (
            "what came is asked for, to be taken back"
        )
        assert sum("rollout start staging" in line for line in told) == 1


def test_a_release_that_could_not_begin_takes_nothing_back(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    (machine.project / "deploy" / "pipeline" / "release.sh").unlink()
    assert main(["ci", "-C", str(machine.project), "--from", "push", "--deploy"]) == 1
    said = capfd.readouterr()
    assert "no deploy/pipeline/release.sh" in said.out
    assert "rollback" not in said.err


def test_where_to_release_must_be_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project(tmp_path, PLAIN)
    for words in (["--deploy"], ["--stage", "deploy"], ["--from", "push"]):
        assert main(["ci", "-C", str(folder), *words]) == 2
        assert "DP043" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--stage", "lunch"], ["--from", "x; rm"], ["--from", "gates", "--until", "lint"]]
)
def test_stages_that_there_are_not(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ci", "-C", str(project(tmp_path, PLAIN)), *words]) == 2
    assert "DP042" in capsys.readouterr().err


def test_runs_are_kept(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    ran(machine, capfd, "--stage", "lint")
    ran(machine, capfd, "--stage", "image")
    runs = list(kept(machine.project / ".siklus"))
    assert [[each.stage for each in run.stages] for run in runs] == [["image"], ["lint"]]
    (machine.project / ".siklus" / "pipelines" / "9.json").write_text("no run")
    assert list(kept(machine.project / ".siklus")) == runs


def bound(project: Path, highest: float) -> None:
    """A gate: the mean absolute error is at most that."""
    settings = project / "siklus.toml"
    gate = f'\nmae = "<= {highest}"'
    settings.write_text(re.sub(r'\n(# )?mae = "<= [^"]*"', gate, settings.read_text(), count=1))


@pytest.mark.slow
def test_a_clean_clone_passes(tmp_path: Path) -> None:
    """Of a project that `siklus init` made: what was committed is all that it takes."""
    origin, clone = tmp_path / "line", tmp_path / "clone"
    bound(new_project(origin, straight_rows(240), "--key", "id"), 1.0)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(origin)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run(["git", "clone", "-q", str(origin), str(clone)], check=True)
    environment = {**os.environ, **QUICK, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def ci(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*SIKLUS, "ci", "--json", *words]
        return subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    done = ci("--until", "papers")
    assert done.returncode == 0, done.stderr
    verdicts = {each["stage"]: each["verdict"] for each in json.loads(done.stdout)["stages"]}
    assert verdicts == {**dict.fromkeys(ALL[:7], "yes"), "test": "left out"}
    assert (clone / "deploy" / "pipeline" / "papers" / "sbom.cdx.json").exists()
    bound(clone, 1e-6)
    done = ci("--until", "papers")
    assert done.returncode == 1
    verdicts = {each["stage"]: each["verdict"] for each in json.loads(done.stdout)["stages"]}
    assert (verdicts["train"], verdicts["gates"], verdicts["bundle"]) == ("yes", "no", "not reached")
