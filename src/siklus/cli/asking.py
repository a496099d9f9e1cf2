"""Asking a server of one's own: started on a free port, asked over HTTP, stopped."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from siklus.errors import ServeError

START_SECONDS = 30.0


@contextmanager
def serving(bundle: Path, version: str) -> Iterator[int]:
    """`python -m siklus.serve` on a free port of this machine, ready to answer; ended with the block."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    words = ["--bundle", str(bundle), "--version", version, "--port", str(port)]
    server = subprocess.Popen([sys.executable, "-m", "siklus.serve", *words], stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(server, port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def post(port: int, path: str, body: object) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer: dict[str, Any] = json.loads(response.read())
    if response.status != 200:
        raise ServeError("SV010", f"{path} answered {response.status}: {answer}", expected="an answer")
    return answer


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise ServeError("SV011", "the server did not become ready", expected="`siklus serve` shows why")
