"""The demo's server: `siklus serve` as a process of its own, asked over HTTP like any other."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from siklus.demo.pace import BATCH_FLIGHTS
from siklus.demo.year import Label
from siklus.errors import ServeError
from siklus.project.file import OpenProject

START_SECONDS = 300.0  # a machine may be busy with much else
FOLLOW_SECONDS = 60.0  # from a published traffic policy to a server that answers by it
ANSWER_SECONDS = 30.0
LABELS = 2_000  # of one request
LOG = "demo-server.log"
OK = 200
# The loop is driven by the demo, turn after turn, and two would take each other's looks.
ENVIRONMENT = {"SIKLUS_MONITOR__ENABLED": "false"}
SIKLUS = "import sys; from siklus.cli.main import main; sys.exit(main())"


@dataclass
class Answers:
    """Of n flights: ``values`` in minutes, NaN where a request failed; ``ids`` are "" there.

    ``took``: ms, of each request about a single flight.
    """

    values: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)


@contextmanager
def serving(project: OpenProject) -> Iterator["Client"]:
    """The server on a free port, ready to answer; ended with the block. ServeError SV011 if it never is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    words = ["serve", "--project", str(project.paths.root.absolute()), "--port", str(port)]
    log = project.paths.run / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-c", SIKLUS, *words],
            stdout=said,
            stderr=said,
            env={**os.environ, **ENVIRONMENT},
        )
        client = Client(port)
        try:
            _wait_until_ready(server, client, log)
            yield client
        finally:
            client.close()
            server.terminate()
            server.wait(timeout=START_SECONDS)


class Client:
    """Asks one server over one connection. ``failed``: requests that were not answered with 200."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self.failed = 0

    def predict(self, flights: Sequence[dict[str, Any]]) -> Answers:
        """Each flight once, a few in each request."""
        found = Answers()
        for start in range(0, len(flights), BATCH_FLIGHTS):
            batch = flights[start : start + BATCH_FLIGHTS]
            answer = self._asked("POST", "/predict/batch", {"instances": batch})
            found.values += [float("nan")] * len(batch) if answer is None else answer["predictions"]
            found.ids += [""] * len(batch) if answer is None else answer["prediction_ids"]
        return found

    def singly(self, flights: Sequence[dict[str, Any]]) -> Answers:
        """Each flight in a request of its own."""
        found = Answers()
        for flight in flights:
            began = time.perf_counter()
            answer = self._asked("POST", "/predict", {"features": flight})
            found.took.append(1000 * (time.perf_counter() - began))
            found.values.append(float("nan") if answer is None else answer["prediction"])
            found.ids.append("" if answer is None else answer["prediction_id"])
        return found

    def tell(self, labels: Sequence[Label]) -> None:
        """What came true, for each prediction's id."""
        for start in range(0, len(labels), LABELS):
            some = labels[start : start + LABELS]
            self._asked(
                "POST", "/feedback", [{"prediction_id": name, "outcome": value} for name, value in some]
            )

    def health(self) -> dict[str, Any]:
        """Who answers which share, by which revision of the traffic policy; empty without an answer."""
        status, answer = self._sent("GET", "/health", None)
        return answer if status == OK else {}

    def ready(self) -> bool:
        return self._sent("GET", "/ready", None)[0] == OK

    def wait_for(self, revision: int) -> dict[str, Any]:
        """Until it answers by this revision of the traffic policy; ServeError SV011 if it never does."""
        until = time.monotonic() + FOLLOW_SECONDS
        while time.monotonic() < until:
            health = self.health()
            if health.get("revision", 0) >= revision:
                return health
            time.sleep(0.05)
        told = f"the server does not follow the traffic policy to revision {revision}"
        raise ServeError("SV011", told, expected="`siklus serve` shows why")

    def close(self) -> None:
        self._connection.close()

    def _asked(self, method: str, path: str, body: object) -> dict[str, Any] | None:
        status, answer = self._sent(method, path, body)
        if status == OK:
            return answer
        self.failed += 1
        return None

    def _sent(self, method: str, path: str, body: object) -> tuple[int, dict[str, Any]]:
        """Status and answer; 0 where there was none."""
        text = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, text, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        except (OSError, HTTPException, ValueError):
            self._connection.close()
            return 0, {}


def _wait_until_ready(server: subprocess.Popen[bytes], client: Client, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        if client.ready():
            return
        time.sleep(0.05)
    lines = log.read_text(errors="replace").strip().splitlines()
    said = f": {lines[-1]}" if lines else ""
    raise ServeError("SV011", f"the server did not become ready{said}", expected="`siklus serve` shows why")
