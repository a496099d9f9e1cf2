"""`release.sh`: what it asks of the machine or the cluster that it releases to, and what it takes back."""

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.deploy.golden_pipelines import BY_SSH, IN_A_CLUSTER, drawn
from tests.registry.policies import policy_of

# `ssh` runs what it is given in a shell of this machine, in the folder that stands for the other one's.
SSH = """#!/bin/sh
if [ -e "$OVER_THERE/unreachable" ]; then exit 255; fi
for last; do :; done
exec sh -c "$(printf '%s' "$last" | sed "s#/srv/flights#$OVER_THERE#")"
"""
ELSEWHERE = Path(__file__).with_name("elsewhere.py").read_text()
NOTHING_FAILS = "nothing"
IMAGE = "registry.gitlab.com/acme/flights"
API, LOOP = "deployment/flights-api", "deployment/flights-loop"
BEFORE: dict[str, Any] = {
    "traffic": {"revision": 12, "champion": 6},
    "images": {API: f"{IMAGE}:before", LOOP: f"{IMAGE}-loop:before"},
    "notes": {},
}
PUSH = "siklus push --bundle - --stage"


@dataclass(frozen=True)
class Site:
    """A project with its release script, and a folder that stands for where it is released to."""

    project: Path
    there: Path
    log: Path

    def release(self, *words: str, fails: str = NOTHING_FAILS) -> int:
        programs = self.project.parent / "bin"
        environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "LOG": str(self.log),
            "OVER_THERE": str(self.there),
            "FAILS": fails,
        }
        command = ["sh", "deploy/pipeline/release.sh", *words]
        return subprocess.run(command, cwd=self.project, env=environment, check=False).returncode

    def asked(self, program: str) -> list[str]:
        """What a program was asked to do since the last time, in order."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith(f"{program} ")]
        self.log.write_text("")
        return [line.removeprefix(f"{program} ") for line in lines if "traffic show" not in line]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.there / "state.json").read_text())
        return found

    def champion(self) -> int:
        return int(self.state()["traffic"]["champion"])

    def settings(self) -> list[str]:
        return sorted((self.there / ".env").read_text().splitlines())


def site(folder: Path, more: str) -> Site:
    project = drawn(folder / "project", "github", more)
    bundle = project / "deploy" / "docker" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text("{}")
    elsewhere = f"#!{sys.executable} -IS\n{ELSEWHERE}"
    (folder / "bin").mkdir()
    for name, text in (("ssh", SSH), ("docker", elsewhere), ("kubectl", elsewhere)):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    there = folder / "there"
    there.mkdir()
    (there / "state.json").write_text(json.dumps(BEFORE))
    # As `siklus traffic show --json` prints it.
    (there / "policy.json").write_bytes(msgspec.json.encode({"policy": policy_of(1), "published": 1}))
    (folder / "log").write_text("")
    return Site(project=project, there=there, log=folder / "log")


@pytest.fixture
def machine(tmp_path: Path) -> Site:
    made = site(tmp_path, BY_SSH)
    (made.there / ".env").write_text("IMAGE=ghcr.io/acme/flights\nTAG=before\nAPI_MEMORY=1g")
    return made


@pytest.fixture
def cluster(tmp_path: Path) -> Site:
    return site(tmp_path, IN_A_CLUSTER)


def test_a_machine_runs_the_images_and_then_the_version(machine: Site) -> None:
    assert machine.release("deploy", "abc123") == 0
    assert machine.settings() == ["API_MEMORY=1g", "IMAGE=ghcr.io/acme/flights", "TAG=abc123"]
    assert machine.asked("docker") == [
        "compose pull --quiet api loop",
        "compose up --detach --wait --no-build",
        f"compose exec -T loop {PUSH} production",
    ]
    with tarfile.open(machine.there / "arrived.tar") as arrived:
        assert "./manifest.json" in arrived.getnames()


def test_what_failed_on_a_machine_is_taken_back_once(machine: Site) -> None:
    assert machine.release("deploy", "abc123") == 0
    machine.asked("docker")
    assert machine.release("rollback", "abc123") == 0
    assert "TAG=before" in machine.settings()
    assert machine.asked("docker") == [
        "compose exec -T loop siklus rollback --to 6 --reason release abc123 failed",
        "compose up --detach --wait --no-build",
    ]
    assert machine.release("rollback", "abc123") == 0
    assert machine.asked("docker") == [], "once more would go further back"


@pytest.mark.parametrize("fails", ["compose pull", "compose up", "compose exec -T loop siklus push"])
def test_only_what_came_is_taken_back(machine: Site, fails: str) -> None:
    """A version that never arrived must not cost the one before it its place."""
    assert machine.release("deploy", "abc123", fails=fails) != 0
    assert f"{fails}" in machine.asked("docker")[-1], "nothing after it was done"
    assert machine.release("rollback", "abc123") == 0
    assert "TAG=before" in machine.settings()
    assert machine.asked("docker") == ["compose up --detach --wait --no-build"]


def test_a_release_that_never_reached_the_machine_takes_nothing_back(machine: Site) -> None:
    """The one before it had come well, and stays."""
    assert machine.release("deploy", "first1") == 0
    (machine.there / "unreachable").touch()
    assert machine.release("deploy", "second") != 0
    assert machine.release("rollback", "second") != 0, "it cannot know"
    (machine.there / "unreachable").unlink()
    assert machine.release("rollback", "second") == 0
    assert "TAG=first1" in machine.settings()
    assert machine.champion() == 8


def test_a_version_that_answered_before_keeps_its_place(machine: Site) -> None:
    """The same bundle in other images decides nothing, so there is nothing to take back."""
    assert machine.release("deploy", "first1") == 0
    assert machine.release("deploy", "second") == 0
    assert machine.release("rollback", "second") == 0
    assert "TAG=first1" in machine.settings()
    assert machine.champion() == 8


@pytest.mark.parametrize("fails", ["compose exec -T loop siklus rollout start", NOTHING_FAILS])
def test_an_offer_never_costs_the_champion_its_place(machine: Site, fails: str) -> None:
    assert (machine.release("offer", "abc123", fails=fails) == 0) == (fails == NOTHING_FAILS)
    assert machine.asked("docker")[-2:] == [
        f"compose exec -T loop {PUSH} staging",
        "compose exec -T loop siklus rollout start staging",
    ]
    assert machine.release("rollback", "abc123") == 0
    assert machine.champion() == 6
    ended = "compose exec -T loop siklus rollback --to 6 --reason release abc123 failed"
    assert (ended in machine.asked("docker")) == (fails == NOTHING_FAILS), "the rollout, where one began"


def test_a_version_that_stays_is_told(machine: Site) -> None:
    assert machine.release("deploy", "abc123") == 0
    rollback = "compose exec -T loop siklus rollback"
    assert machine.release("rollback", "abc123", fails=rollback) == 1
    assert "TAG=before" in machine.settings()
    assert [line.startswith(rollback) for line in machine.asked("docker")[-3:]] == [True, False, True]
    assert machine.release("rollback", "abc123") == 0, "and is not forgotten"
    assert machine.champion() == 6


def test_a_cluster_runs_the_images_and_then_the_version(cluster: Site) -> None:
    assert cluster.release("deploy", "abc123") == 0
    asked = cluster.asked("kubectl")
    assert f"set image {API} api={IMAGE}:abc123 bundles={IMAGE}-loop:abc123" in asked
    assert f"set image {LOOP} loop={IMAGE}-loop:abc123" in asked
    assert f"rollout status {API} --timeout 5m" in asked
    push = f"exec -i {LOOP} --container loop -- {PUSH} production"
    assert asked.index(push) > asked.index(f"rollout status {LOOP} --timeout 10m")
    with tarfile.open(cluster.there / "arrived.tar") as arrived:
        assert "./manifest.json" in arrived.getnames()


def test_what_failed_in_a_cluster_is_taken_back_once(cluster: Site) -> None:
    back = f"exec -i {LOOP} --container loop -- siklus rollback --to 6 --reason release abc123 failed"
    assert cluster.release("deploy", "abc123") == 0
    cluster.asked("kubectl")
    assert cluster.release("rollback", "abc123") == 0
    assert back in cluster.asked("kubectl")
    assert cluster.state()["images"] == BEFORE["images"]
    assert cluster.release("rollback", "abc123") == 0
    assert back not in cluster.asked("kubectl")
    assert cluster.champion() == 6


@pytest.mark.parametrize("fails", ["get", "annotate", "set image", "rollout status", "exec -i"])
def test_only_what_came_to_a_cluster_is_taken_back(cluster: Site, fails: str) -> None:
    assert cluster.release("deploy", "first1") == 0
    before = cluster.state()
    assert cluster.release("deploy", "second", fails=fails) != 0
    assert cluster.release("rollback", "second") == 0
    assert cluster.state()["images"] == before["images"]
    assert cluster.state()["traffic"] == before["traffic"]


def test_a_cluster_without_a_loop_serves_what_is_sealed_in(cluster: Site) -> None:
    alone = {**BEFORE, "images": {API: f"{IMAGE}:before"}}
    (cluster.there / "state.json").write_text(json.dumps(alone))
    assert cluster.release("offer", "abc123") == 1, "nobody there could try it"
    assert cluster.release("deploy", "abc123") == 0
    assert cluster.state()["images"] == {API: f"{IMAGE}:abc123"}
    assert cluster.release("rollback", "abc123") == 0
    assert cluster.state()["images"] == alone["images"]
    assert not any("loop" in line for line in cluster.asked("kubectl") if not line.startswith("get "))


def test_a_hostile_tag_goes_nowhere(machine: Site) -> None:
    for tag in ("", "a b", "a;touch x", "$(touch x)", "`x`", "a'b", 'a"b', "a\nb", "../x"):
        assert machine.release("deploy", tag) == 2, tag
        assert machine.release("rollback", tag) == 2, tag
    assert machine.log.read_text() == ""


def test_another_word_is_no_release(machine: Site) -> None:
    assert machine.release("destroy", "abc123") == 2
    assert machine.release("deploy") == 2
    assert machine.log.read_text() == ""
