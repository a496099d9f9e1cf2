"""Companions: programs beside the server come back when they end, and end when it ends."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from siklus.project.sections import Records
from siklus.serve.supervision.companions import Errand, end, upkeep
from tests.serve.bundles import regressor
from tests.serve.servers import START_SECONDS, Server, serving_bundle

# It notes each of its starts, and ends by itself only the first time.
COMPANION = """
import os, pathlib, sys, time
notes = pathlib.Path(sys.argv[1])
with notes.open("a") as file:
    file.write(f"{os.getpid()}\\n")
if len(notes.read_text().split()) > 1:
    time.sleep(600)
"""


@contextmanager
def accompanied(folder: Path) -> Iterator[tuple[Server, psutil.Process]]:
    """A server and its companion, once that has come back."""
    notes = folder / "notes"
    notes.touch()
    companion = shlex.join([sys.executable, "-c", COMPANION, str(notes)])
    with serving_bundle(regressor(folder / "b"), "--companion", companion) as server:
        give_up = time.monotonic() + START_SECONDS
        while len(pids := notes.read_text().split()) < 2:
            assert time.monotonic() < give_up, "never came back"
            time.sleep(0.02)
        yield server, psutil.Process(int(pids[1]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_companion_comes_back_and_ends_with_the_server(number: signal.Signals, tmp_path: Path) -> None:
    with accompanied(tmp_path) as (server, companion):
        assert server.predict([8, 9])["prediction"] == 5.0
        server.client.close()
        server.process.send_signal(number)
        server.process.wait(timeout=START_SECONDS)
        gone, alive = psutil.wait_procs([companion], timeout=START_SECONDS)
    assert (len(gone), alive) == (1, [])


def test_a_terminals_interrupt_reaches_the_server_alone(tmp_path: Path) -> None:
    """It ends them; one that is still importing would answer an interrupt with a traceback."""
    with accompanied(tmp_path) as (server, companion):
        assert os.getpgid(companion.pid) == companion.pid != os.getpgid(server.process.pid)


def test_a_companion_that_cannot_be_started_harms_nobody(tmp_path: Path) -> None:
    with serving_bundle(regressor(tmp_path / "b"), "--companion", "/no/such/program") as server:
        assert server.predict([8, 9])["prediction"] == 5.0


def test_upkeep_runs_once_an_hour_though_nothing_is_sealed(tmp_path: Path) -> None:
    errand = upkeep(tmp_path, Records())
    hour = 3600.0
    began = 1000.0
    for now in (began, began + hour - 1):
        errand.look(now=now)
        assert errand.process is None
    errand.look(now=began + hour + 60)
    assert errand.process is not None
    assert errand.process.wait(timeout=START_SECONDS) == 0
    errand.look(now=began + 2 * hour)
    assert errand.process is None
    errand.look(now=began + 2 * hour + 120)
    assert errand.process is not None
    end([errand])


def test_an_errand_with_work_does_not_wait_for_the_hour() -> None:
    errand = Errand(argv=[sys.executable, "-c", ""], is_needed=lambda: True)
    errand.look(now=1000.0)
    assert errand.process is not None
    end([errand])
