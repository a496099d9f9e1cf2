"""Events: one JSON object a line for programs, words for a person at a terminal."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.serve.bundles import regressor
from tests.serve.servers import SRC, START_SECONDS, events, start

LIBRARIES = """
import logging, warnings
from siklus.serve.events import tell_events
tell_events(worker=3)
logging.getLogger("siklus.serve").info("model_loaded", extra={"version": "7"})
logging.getLogger("uvicorn.error").info("nobody needs to know")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
warnings.warn("something is old")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("siklus.serve").exception("worker_failed")
"""


def test_everything_that_is_logged_is_an_event() -> None:
    before = datetime.now(UTC)
    _, said = start("-c", LIBRARIES).communicate(timeout=START_SECONDS)
    loaded, invalid, old, failed = events(said)
    assert loaded.items() >= {"event": "model_loaded", "level": "info", "version": "7", "worker": 3}.items()
    assert before <= datetime.fromisoformat(loaded["time"]) <= datetime.now(UTC)
    assert loaded["pid"] > 0
    assert (invalid["level"], old["level"], failed["level"]) == ("warning", "warning", "error")
    assert "something is old" in old["event"]
    assert "ZeroDivisionError" in failed["exception"]


def test_the_life_of_a_server_is_told_in_order(tmp_path: Path) -> None:
    process = start("-m", "siklus.serve", "--bundle", str(regressor(tmp_path / "b")), "--port", "0")
    assert process.stderr is not None
    said = []
    while not said or said[-1]["event"] != "model_loaded":
        said.append(json.loads(process.stderr.readline()))
    process.terminate()
    said += events(process.communicate(timeout=START_SECONDS)[1])
    assert [event["event"] for event in said] == [
        *("listening", "started", "worker_started", "model_loaded"),
        *("draining", "worker_stopped", "stopped"),
    ]
    assert {event["level"] for event in said} == {"info"}


def test_a_person_at_a_terminal_reads_words(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["-m", "siklus.serve", "--bundle", str(regressor(tmp_path / "b")), "--port", "0"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SRC)}
    with (
        subprocess.Popen([sys.executable, *words], stderr=theirs, env=environment) as process,
        os.fdopen(ours, "rb") as terminal,
    ):
        os.close(theirs)
        first = terminal.readline().decode().strip()
        process.terminate()
        process.wait(timeout=START_SECONDS)
    port = first.rpartition(":")[2].removesuffix("/docs")
    assert first == f"siklus: listening on http://127.0.0.1:{port}, described at http://127.0.0.1:{port}/docs"
