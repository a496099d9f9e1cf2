"""Living: a project under `siklus up`, in a world that has moved, asked and told outcomes all the while.

Its model learns within seconds: `y` is a straight line of `a` and `b`, which has another level than the rows
of the first training. What is trained later is no worse than what answers, so rollouts follow one another.
"""

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from siklus.project.file import OpenProject, open_project
from tests.cli.projects import QUICK, SIKLUS, new_project, straight_rows
from tests.serve.servers import START_SECONDS

# A training of some seconds, steps of two, and no rest in between.
SETTINGS = """
[monitor]
look = "1s"
default_alerts = false

[retrain]
on = ["labels:120"]
cooldown = "0s"
per_day = 100000
window = "sliding 400"
source = false
min_labels = 60

[rollout]
steps = ["shadow", 0.5, 1.0]
hold = "3s"
settle = "2s"
min_requests = 10
min_labels = 20
margin = 0.5
freeze = "0s"
"""
LEVEL = 3.0  # of the first training's: 0
PAUSE_SECONDS = 0.01  # between two requests
LABEL_AFTER = 5  # requests
FIRST_SECONDS = 600.0  # for the first version and the server's start, however busy the machine is


@dataclass
class World:
    """What clients ask and tell, and what became of it. ``failed``: what was not answered with 200, and
    when (monotonic)."""

    url: str
    answered: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    versions: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[float, str]] = field(default_factory=list)
    _waiting: deque[tuple[str, float]] = field(default_factory=deque)

    def go_on(self, over: threading.Event, *, seed: int) -> None:
        """Ask and tell until it is over; whatever fails is asked anew over another connection."""
        chance = random.Random(seed)
        while not over.is_set():
            try:
                with httpx.Client(base_url=self.url, timeout=START_SECONDS) as client:
                    while not over.is_set():
                        self._ask(client, chance)
                        self._tell(client)
                        time.sleep(PAUSE_SECONDS)
            except (httpx.TransportError, AssertionError) as exc:
                self.failed.append((time.monotonic(), repr(exc)))

    def _ask(self, client: httpx.Client, chance: random.Random) -> None:
        a, b = chance.gauss(), chance.gauss()
        row = {"a": a, "b": b, "side": chance.choice("lr")}
        response = client.post("/predict", json={"features": row})
        assert response.status_code == 200, response.text
        answer = response.json()
        self.answered.add(answer["prediction_id"])
        self.versions[answer["version"]] += 1
        self._waiting.append((answer["prediction_id"], 2 * a - b + LEVEL + chance.gauss(0, 0.1)))

    def _tell(self, client: httpx.Client) -> None:
        if len(self._waiting) <= LABEL_AFTER:
            return
        name, outcome = self._waiting[0]
        response = client.post("/feedback", json={"prediction_id": name, "outcome": outcome})
        assert response.status_code == 200, response.text
        self._waiting.popleft()
        self.told.add(name)


@dataclass
class Living:
    """``process``: the supervisor's; ``log``: what all of them say."""

    folder: Path
    process: subprocess.Popen[bytes]
    log: Path
    world: World

    @property
    def project(self) -> OpenProject:
        return open_project(self.folder, environment=QUICK)

    def workers(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [each for each in own.children() if _command(each) == _command(own)]

    def loops(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [each for each in own.children() if "siklus.automation.loop" in _command(each)]

    def is_looping(self) -> bool:
        """Whether the loop that lives has begun to look."""
        looping = {line["pid"] for line in self.said("looping")}
        return any(each.pid in looping for each in self.loops())

    def trainings(self) -> list[psutil.Process]:
        """The one that works, whoever has started it: it outlives the loop."""
        named = "siklus.automation.retraining.process"
        running = psutil.process_iter(["cmdline"])
        return [each for each in running if {named, str(self.folder)} <= set(each.info["cmdline"] or [])]

    def said(self, event: str) -> list[dict[str, object]]:
        """The lines of the log that tell of it."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if f'"event":"{event}"' in line.replace(": ", ":")]


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return list(process.cmdline())
    return []


def living_project(folder: Path, *, more: str = "") -> Path:
    return new_project(folder, straight_rows(300), more=SETTINGS + more)


@contextmanager
def living(folder: Path, *words: str, clients: int = 2) -> Iterator[Living]:
    """`siklus up` in the folder, asked all the while; told to end after the block."""
    log = folder / "up.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*SIKLUS, "up", "-C", str(folder), "--port", "0", "--workers", "2", *words],
            stdout=subprocess.DEVNULL,
            stderr=out,
            env={**os.environ, **QUICK},
        )
    over, threads = threading.Event(), []
    try:
        found = Living(folder=folder, process=process, log=log, world=World(_url_of(process, log)))
        threads = [
            threading.Thread(target=found.world.go_on, args=(over,), kwargs={"seed": seed})
            for seed in range(clients)
        ]
        for thread in threads:
            thread.start()
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=START_SECONDS)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _url_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Once it answers; what it has said until then, where it never does."""
    give_up = time.monotonic() + FIRST_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        found = re.findall(r'"url": "([^"]+)"', log.read_text())
        with suppress(httpx.HTTPError, IndexError):
            if httpx.get(f"{found[-1]}/ready", timeout=START_SECONDS).status_code == 200:
                return str(found[-1])
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def until(holds: Callable[[], object], *, seconds: float, what: Callable[[], str]) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, what()
        time.sleep(0.1)
