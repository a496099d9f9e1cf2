"""Standard error that nobody reads: a server cannot say anything any more, and answers as before."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from tests.figures import Figure
from tests.serve.bundles import regressor
from tests.serve.published import eventually
from tests.serve.servers import SRC, START_SECONDS
from tests.serve.wire import features, request

KILLS = 3


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    yield reading, writing
    os.close(reading)


def test_a_server_that_nobody_listens_to_answers(
    full_pipe: tuple[int, int], tmp_path: Path, figure: Figure
) -> None:
    reading, writing = full_pipe
    path = tmp_path / "socket"
    words = ["--bundle", str(regressor(tmp_path / "bundle")), "--uds", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "siklus.serve", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SRC)},
        stderr=writing,
    )
    os.close(writing)
    try:
        for _ in range(KILLS):
            eventually(lambda: answers(path), what="it does not answer")
            [worker] = psutil.Process(process.pid).children()
            worker.kill()
        eventually(lambda: answers(path), what="it does not answer")
        os.read(reading, 1_000_000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=START_SECONDS) == 0
    finally:
        process.kill()
    said = [json.loads(line) for line in os.read(reading, 1_000_000).splitlines()]
    lost = sum(event["count"] for event in said if event["event"] == "events_lost")
    figure("standard error is full: workers killed and replaced, events lost and counted", f"{KILLS}, {lost}")
    assert lost >= KILLS
    assert "stopped" in [event["event"] for event in said]


def answers(path: Path) -> bool:
    with suppress(OSError), closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(START_SECONDS)
        connection.connect(str(path))
        connection.sendall(request(features(8, 9)))
        return connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
    return False
