"""Prometheus and Alertmanager of the tests' own: on 127.0.0.1, with their data in a temporary directory."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.registry.postgres import REQUIRE

T = TypeVar("T")
SECONDS = 60  # a loaded machine may need ten times what a free one does


def program(*names: str) -> str:
    """The first of these that is on the path. Skips where none is, or fails where servers are a must."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        reason = f"{names[0]} is not installed (Debian: apt-get install prometheus prometheus-alertmanager)"
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(reason)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def check(*command: str, cwd: Path) -> str:
    """What promtool or amtool says of files that it must be content with."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def eventually(ask: Callable[[], T], good: Callable[[T], object]) -> T:
    """Ask until the answer is good, and give it back."""
    give_up = time.monotonic() + SECONDS
    while not good(found := ask()):
        assert time.monotonic() < give_up, f"still {found!r}"
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Prometheus:
    client: httpx.Client

    def ask(self, expression: str, *, at: float | None = None) -> list[dict[str, Any]]:
        """The series of an expression, now or at a moment in Unix time."""
        words = {"query": expression} | ({} if at is None else {"time": repr(at)})
        answer = self.client.get("/api/v1/query", params=words).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def values(self, expression: str, *, by: str, at: float | None = None) -> dict[str, float]:
        """The values of the series of an expression by one of their labels."""
        return {each["metric"].get(by, ""): float(each["value"][1]) for each in self.ask(expression, at=at)}

    def until(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression as soon as there are any."""
        return eventually(lambda: self.ask(expression), bool)


@contextmanager
def running_prometheus(directory: Path, data: Path) -> Iterator[Prometheus]:
    """With the `prometheus.yml` of a directory."""
    port = free_port()
    words = [
        program("prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with _running(words, f"http://127.0.0.1:{port}") as client:
        yield Prometheus(client)


@contextmanager
def running_alertmanager(directory: Path, data: Path, *, port: int) -> Iterator[httpx.Client]:
    """One with the `alertmanager.yml` of a directory."""
    words = [
        program("prometheus-alertmanager", "alertmanager"),
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _running(words, f"http://127.0.0.1:{port}") as client:
        yield client


@contextmanager
def _running(words: list[str], url: str) -> Iterator[httpx.Client]:
    """Who asks it, once it is ready."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def ready() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            return client.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False

    try:
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            eventually(ready, bool)
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)
