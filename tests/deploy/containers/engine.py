"""Podman as these tests use it: own settings, a base image made here, builds, containers that go again."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.deploy.programs import eventually, free_port
from tests.registry.postgres import REQUIRE

BASE = "python:3.11-slim-bookworm"
BUILD_SECONDS, SECONDS = 1800, 120
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# As a container is run that is trusted with nothing.
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--memory=256m",
)
SETTINGS = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
netns = "host"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def podman(*words: str, seconds: float = SECONDS, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["podman", *words], capture_output=True, text=True, timeout=seconds, check=False)
    assert not check or done.returncode == 0, (
        f"podman {' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return done


def require_podman() -> None:
    """Where no container can run: skip, or fail where servers are a must. Makes a base that misses."""
    if shutil.which("podman") is None:
        _unable("podman is not installed (`make containers` installs it where it may)")
    if podman("image", "exists", BASE, check=False).returncode != 0:
        if shutil.which("mmdebstrap") is None:
            _unable(f"neither {BASE} nor mmdebstrap, which makes one like it")
        made = subprocess.run(
            [Path(__file__).with_name("make-base"), BASE],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if made.returncode != 0:
            _unable(f"{BASE} could not be made: {made.stderr[-300:]}")
    done = podman("run", "--rm", BASE, "python", "-V", check=False)
    if done.returncode != 0:
        _unable(f"podman runs nothing here: {done.stderr[-300:]}")


def _unable(reason: str) -> None:
    (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(reason)


def build(name: str, dockerfile: str, context: Path) -> None:
    """With this machine's certificates, which do not stay in it; in the format that has health checks."""
    trust = [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.exists() else []
    words = ["build", "--format=docker", "--pull=never", "--network=host", *trust, "--tag", name]
    podman(*words, "--file", str(context / dockerfile), str(context), seconds=BUILD_SECONDS)


@dataclass(frozen=True)
class Container:
    """One that runs, and who asks the port that it publishes on this machine alone."""

    name: str
    client: httpx.Client

    def ready(self) -> None:
        eventually(lambda: self.status("/ready"), lambda status: status == 200)

    def status(self, path: str) -> int | str:
        """Of the answer; in words where there is none."""
        try:
            return self.client.get(path).status_code
        except httpx.HTTPError as exc:
            return f"{exc}: {podman('logs', self.name, check=False).stderr[-1000:]}"

    def healthy(self) -> bool:
        """What the image's own health check says."""
        return podman("healthcheck", "run", self.name, check=False).returncode == 0

    def inspected(self) -> Any:
        return msgspec.json.decode(podman("inspect", self.name).stdout)[0]

    def stop(self) -> int:
        """The exit code after TERM."""
        podman("stop", "--time=60", self.name)
        code: int = self.inspected()["State"]["ExitCode"]
        return code


@contextmanager
def running(
    image: str, *words: str, options: tuple[str, ...] = HARDENED, environment: Mapping[str, str] = {}
) -> Iterator[Container]:
    """``words``: instead of the image's own command."""
    port = free_port()
    name = f"siklus-test-{port}"
    given = [f"--env={key}={value}" for key, value in environment.items()]
    published = ["--network=bridge", f"--publish=127.0.0.1:{port}:8000"]
    try:
        podman("run", "--detach", "--name", name, *published, *options, *given, image, *words)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as client:
            yield Container(name, client)
    finally:
        podman("rm", "--force", "--time=2", "--volumes", name, check=False)
