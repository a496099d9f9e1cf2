"""`release.sh`: what it asks of the machine or the cluster that it releases to, and what it takes back."""

import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.golden_pipelines import BY_SSH, IN_A_CLUSTER, drawn

# `ssh` runs what it is given in a shell of this machine, in the folder that stands for the other one's.
SSH = """#!/bin/sh
for last; do :; done
echo "ssh $*" | head -1 | cut -c1-60 >> "$LOG"
exec sh -c "$(printf '%s' "$last" | sed "s#/srv/flights#$OVER_THERE#")"
"""
DOCKER = """#!/bin/sh
echo "docker $*" >> "$LOG"
case "$*" in
  *" push "*) cat > "$OVER_THERE/arrived.tar" ;;
esac
case "$*" in "$FAILS"*) exit 1 ;; esac
"""
KUBECTL = """#!/bin/sh
shift 2
echo "kubectl $*" >> "$LOG"
case "$*" in
  *" push "*) cat > "$OVER_THERE/arrived.tar" ;;
  *jsonpath*) cat "$OVER_THERE/annotation" 2> /dev/null; exit 0 ;;
  annotate*) for last; do :; done; printf %s "${last#*=}" > "$OVER_THERE/annotation" ;;
esac
case "$*" in "$FAILS"*) exit 1 ;; esac
"""
NOTHING_FAILS = "nothing"


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
        """What a program was asked since the last time, in order."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith(f"{program} ")]
        self.log.write_text("")
        return [line.removeprefix(f"{program} ") for line in lines]


def site(folder: Path, more: str) -> Site:
    project = drawn(folder / "project", "github", more)
    bundle = project / "deploy" / "docker" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text("{}")
    (folder / "bin").mkdir()
    for name, text in (("ssh", SSH), ("docker", DOCKER), ("kubectl", KUBECTL)):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    (folder / "there").mkdir()
    (folder / "log").write_text("")
    return Site(project=project, there=folder / "there", log=folder / "log")


@pytest.fixture
def machine(tmp_path: Path) -> Site:
    made = site(tmp_path, BY_SSH)
    (made.there / ".env").write_text("IMAGE=ghcr.io/acme/flights\nTAG=before\nAPI_MEMORY=1g\n")
    return made


@pytest.fixture
def cluster(tmp_path: Path) -> Site:
    return site(tmp_path, IN_A_CLUSTER)


def test_a_machine_runs_the_images_and_then_the_version(machine: Site) -> None:
    assert machine.release("deploy", "abc123") == 0
    settings = (machine.there / ".env").read_text().splitlines()
    assert sorted(settings) == ["API_MEMORY=1g", "IMAGE=ghcr.io/acme/flights", "TAG=abc123"]
    assert machine.asked("docker") == [
        "compose pull --quiet api loop",
        "compose up --detach --wait --no-build",
        "compose exec -T loop siklus push --bundle - --stage production",
    ]
    with tarfile.open(machine.there / "arrived.tar") as arrived:
        assert "./manifest.json" in arrived.getnames()


def test_what_failed_on_a_machine_is_taken_back(machine: Site) -> None:
    assert machine.release("deploy", "abc123") == 0
    machine.asked("docker")
    assert machine.release("rollback", "abc123") == 0
    assert "TAG=before" in (machine.there / ".env").read_text()
    assert machine.asked("docker") == [
        "compose exec -T loop siklus rollback --reason release abc123 failed",
        "compose up --detach --wait --no-build",
    ]


@pytest.mark.parametrize("fails", ["compose pull", "compose up", "compose exec -T loop siklus push"])
def test_only_what_came_is_taken_back(machine: Site, fails: str) -> None:
    """A version that never arrived must not cost the one before it its place."""
    assert machine.release("deploy", "abc123", fails=fails) != 0
    assert f"{fails}" in machine.asked("docker")[-1], "nothing after it was done"
    assert machine.release("rollback", "abc123") == 0
    assert "TAG=before" in (machine.there / ".env").read_text()
    assert machine.asked("docker") == ["compose up --detach --wait --no-build"]


def test_an_offer_is_tried_by_the_loop(machine: Site) -> None:
    assert machine.release("offer", "abc123") == 0
    assert machine.asked("docker")[-2:] == [
        "compose exec -T loop siklus push --bundle - --stage staging",
        "compose exec -T loop siklus rollout start staging",
    ]


def test_a_cluster_runs_the_images_and_then_the_version(cluster: Site) -> None:
    assert cluster.release("deploy", "abc123") == 0
    asked = cluster.asked("kubectl")
    image = "registry.gitlab.com/acme/flights"
    assert f"set image deployment/flights-api api={image}:abc123" in asked
    assert f"set image deployment/flights-loop loop={image}-loop:abc123" in asked
    assert "rollout status deployment/flights-api --timeout 5m" in asked
    push = "exec -i deployment/flights-loop --container loop -- siklus push --bundle - --stage production"
    assert asked.index(push) > asked.index("rollout status deployment/flights-loop --timeout 10m")
    with tarfile.open(cluster.there / "arrived.tar") as arrived:
        assert "./manifest.json" in arrived.getnames()


def test_what_failed_in_a_cluster_is_taken_back(cluster: Site) -> None:
    back = (
        "exec -i deployment/flights-loop --container loop -- siklus rollback --reason release abc123 failed"
    )
    assert cluster.release("deploy", "abc123") == 0
    cluster.asked("kubectl")
    assert cluster.release("rollback", "abc123") == 0
    asked = cluster.asked("kubectl")
    assert {back, "rollout undo deployment/flights-api", "rollout undo deployment/flights-loop"} <= set(asked)
    assert cluster.release("deploy", "other1", fails="set image") != 0
    assert cluster.release("rollback", "other1") == 0
    assert back.replace("abc123", "other1") not in cluster.asked("kubectl"), "no version came with it"


def test_a_cluster_without_a_loop_serves_what_is_sealed_in(cluster: Site) -> None:
    no_loop = "get deployment/flights-loop"
    assert cluster.release("deploy", "abc123", fails=no_loop) == 0
    assert cluster.release("rollback", "abc123", fails=no_loop) == 0
    asked = [line for line in cluster.asked("kubectl") if not line.startswith("get ")]
    assert not any("loop" in line for line in asked)


@pytest.mark.parametrize("tag", ["", "a b", "a;touch x", "$(touch x)", "`x`", "a'b", 'a"b', "a\nb", "../x"])
def test_a_hostile_tag_goes_nowhere(machine: Site, tag: str) -> None:
    assert machine.release("deploy", tag) == 2
    assert machine.release("rollback", tag) == 2
    assert machine.log.read_text() == ""


def test_another_word_is_no_release(machine: Site) -> None:
    assert machine.release("destroy", "abc123") == 2
    assert machine.release("deploy") == 2
    assert machine.log.read_text() == ""
