"""The stack as podman-compose runs it: compose.yaml as it was rendered, and images under its names."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from siklus.deploy.stack.images import IMAGES
from tests.architecture.source import ROOT
from tests.cli.projects import answered
from tests.deploy.containers.engine import CERTIFICATES, build, podman, require_podman
from tests.deploy.programs import Prometheus, free_port
from tests.registry.postgres import REQUIRE

T = TypeVar("T")
HERE = Path(__file__).parent
SECONDS = 600  # to build an image, or to begin, on a machine that does other things too
SERVERS, SINK = "localhost/siklus-servers:test", "localhost/siklus-sink:test"
PORTS = ("API", "MLFLOW_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT")
STANDING_IN = {
    "proxy": IMAGES.proxy,
    "prometheus": IMAGES.prometheus,
    "alertmanager": IMAGES.alertmanager,
    "node_exporter": IMAGES.node_exporter,
    "postgres": IMAGES.postgres,
    "objects": IMAGES.objects,
    "sink": SINK,
}
# Beside what was rendered: somebody who takes mails.
MAILS = f"services: {{sink: {{image: {SINK}, networks: [outside]}}}}\n"


@dataclass(frozen=True)
class Stack:
    """A running one. ``name``: of its project, which begins its containers' names."""

    name: str
    project: Path
    ports: Mapping[str, int]

    @property
    def folder(self) -> Path:
        return self.project / "deploy" / "compose"

    def compose(self, *words: str) -> None:
        command = ["podman-compose", "-f", "compose.yaml", "-f", "mails.yaml", *words]
        own = {key: str(port) for key, port in self.ports.items()} | {"API": f"127.0.0.1:{self.ports['API']}"}
        environment = {**os.environ, **own}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"

    def up(self, *services: str, scale: str | None = None) -> None:
        """Without those that they depend on: podman's health checks need systemd, and would be waited for."""
        more = [] if scale is None else ["--scale", scale]
        self.compose("up", "--detach", "--no-deps", *more, *services)

    def container(self, service: str, number: int = 1) -> str:
        return f"{self.name}_{service}_{number}"

    def within(self, service: str, *words: str, number: int = 1) -> str:
        return podman("exec", self.container(service, number), *words, seconds=SECONDS).stdout

    def healthy(self, service: str, number: int = 1) -> None:
        """Wait until its own health check says so."""
        words = ("healthcheck", "run", self.container(service, number))
        ask = partial(podman, *words, check=False)
        eventually(ask, lambda done: done.returncode == 0, what=f"{service} is not healthy")

    def inspected(self, service: str, number: int = 1) -> Any:
        return json.loads(podman("inspect", self.container(service, number)).stdout)[0]

    def mails(self) -> str:
        return self.within("sink", "sh", "-c", "cat /mails/* 2>/dev/null || true")

    def client(self) -> httpx.Client:
        """Of the proxy."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.ports['API']}", timeout=60)

    @contextmanager
    def prometheus(self) -> Iterator[Prometheus]:
        url = f"http://127.0.0.1:{self.ports['PROMETHEUS_PORT']}"
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Prometheus(client)


def eventually(ask: Callable[[], T], good: Callable[[T], object], *, what: str) -> T:
    give_up = time.monotonic() + SECONDS
    while not good(found := ask()):
        assert time.monotonic() < give_up, f"{what}: {found!r}"
        time.sleep(1)
    return found


def require_compose() -> None:
    """Skips, or fails where servers are a must, where the images of others cannot be made or run together."""
    require_podman()
    missing = [name for name in ("podman-compose", "mmdebstrap") if shutil.which(name) is None]
    if missing:
        reason = f"{' and '.join(missing)}: not installed (`make containers` installs them where it may)"
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(reason)


def make_images(project: Path, name: str) -> None:
    """Those of the project by its Dockerfiles, and stand-ins of the others, which stay as they are there."""
    if podman("image", "exists", SERVERS, check=False).returncode:
        subprocess.run([HERE / "stack" / "make-servers", SERVERS], check=True, timeout=SECONDS)
    trust = [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.exists() else []
    for target, tag in STANDING_IN.items():
        if podman("image", "exists", tag, check=False).returncode:
            words = (
                "build",
                "--format=docker",
                "--pull=never",
                "--network=host",
                *trust,
                f"--target={target}",
            )
            podman(*words, "--tag", tag, str(HERE / "stack"), seconds=SECONDS)
    build(f"localhost/{name}:latest", "deploy/docker/Dockerfile", project)
    build(f"localhost/{name}-loop:latest", "deploy/docker/loop.Dockerfile", project)
    build(f"localhost/{name}-mlflow:{IMAGES.mlflow}", "mlflow.Dockerfile", project / "deploy" / "compose")


def make_wheel(folder: Path) -> str:
    """Of these sources, in the folder; its name."""
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*words, "--wheel-dir", folder, ROOT], check=True, timeout=SECONDS)
    return next(folder.glob("siklus-*.whl")).name


@contextmanager
def running(project: Path, name: str) -> Iterator[Stack]:
    """The whole stack but for Grafana and cAdvisor, of which there is no package; seeded by `siklus push`."""
    stack = Stack(name, project, {key: free_port() for key in PORTS})
    (stack.folder / "mails.yaml").write_text(MAILS)
    try:
        stack.up("sink", "postgres", "objects")
        stack.healthy("postgres")
        stack.healthy("objects")
        stack.up("mlflow")
        stack.healthy("mlflow")
        answered("push", "--tracking-uri", f"http://127.0.0.1:{stack.ports['MLFLOW_PORT']}", "-C", project)
        stack.up("alertmanager", "prometheus", "node-exporter", "loop")
        stack.up("api", scale="api=2")
        stack.up("proxy")
        for service in ("loop", "proxy", "prometheus", "alertmanager"):
            stack.healthy(service)
        for number in (1, 2):
            stack.healthy("api", number)
        with stack.client() as client:
            eventually(lambda: client.get("/ready").status_code, lambda code: code == 200, what="not ready")
        yield stack
    finally:
        # Whatever compose.yaml says of their number: podman-compose forgets replicas beyond it.
        left = podman("ps", "--all", "--quiet", "--filter", f"name=^{name}_api_").stdout.split()
        podman("rm", "--force", "--time", "5", *left, check=False)
        stack.compose("down", "--volumes", "--timeout", "5")
