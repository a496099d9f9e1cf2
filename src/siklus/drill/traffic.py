"""Traffic: a client that asks the sandbox's server as real ones do, tells it outcomes, and remembers all.

One connection at a time, as most callers have: with more, requests of the champion would wait behind those of
a slow challenger, and both would look alike.
"""

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from siklus.drill.world import World

TIMEOUT_SECONDS = 10.0
TOLD_AT_ONCE = 50  # outcomes in one /feedback
FAILED = 500  # HTTP statuses from here on are the server's fault
MOST_TROUBLES = 200  # that are kept in words


@dataclass(frozen=True, kw_only=True)
class Pace:
    """``rows``: in a request; 1 goes to /predict. ``pause``: seconds between two requests."""

    rows: int = 1
    pause: float = 0.002
    labels: bool = True


@dataclass(frozen=True)
class Trouble:
    """A request that was not answered as it should. ``at``: by `time.monotonic`; ``status``: 0 for none."""

    at: float
    status: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Requests so far. ``failed``: by the server's fault, or unanswered twice; ``broken``: asked again."""

    asked: int = 0
    failed: int = 0
    refused: int = 0
    broken: int = 0


class Traffic:
    """Asks from `running` on. Any thread may change what is asked, and look at what came of it."""

    def __init__(self, port: int, world: World, *, seed: int = 0) -> None:
        self._port = port
        self._chance = np.random.default_rng(seed)
        self._turn = threading.Lock()
        self._world, self._pace, self._tally = world, Pace(), Tally()
        self._troubles: list[Trouble] = []
        self._over = threading.Event()

    def ask_about(self, world: World, pace: Pace) -> None:
        with self._turn:
            self._world, self._pace = world, pace

    def tally(self) -> Tally:
        with self._turn:
            return self._tally

    def troubles(self) -> Sequence[Trouble]:
        with self._turn:
            return tuple(self._troubles)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask until the block ends."""
        thread = threading.Thread(target=self._ask, name="drill traffic", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(2 * TIMEOUT_SECONDS)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        waiting: list[dict[str, Any]] = []
        while not self._over.is_set():
            with self._turn:
                world, pace = self._world, self._pace
            places = self._chance.integers(len(world), size=pace.rows).tolist()
            names = self._predict(connection, world, places)
            if pace.labels:
                waiting += [
                    {"prediction_id": name, "outcome": world.outcomes[place]}
                    for name, place in zip(names, places, strict=False)
                ]
            else:
                waiting = []
            if len(waiting) >= TOLD_AT_ONCE:
                self._post(connection, "/feedback", waiting)
                waiting = []
            self._over.wait(pace.pause)
        connection.close()

    def _predict(
        self, connection: http.client.HTTPConnection, world: World, places: Sequence[int]
    ) -> list[str]:
        """The ids of what was answered; none where it was not."""
        rows = [world.row(place, self._chance.random()) for place in places]
        if len(rows) == 1:
            status, answer = self._post(connection, "/predict", {"features": rows[0]})
        else:
            status, answer = self._post(connection, "/predict/batch", {"instances": rows})
        with self._turn:
            self._tally = _counted(self._tally, status)
        if status != http.client.OK:
            return []
        return list(answer["prediction_ids"] if "prediction_ids" in answer else [answer["prediction_id"]])

    def _post(
        self, connection: http.client.HTTPConnection, path: str, body: object
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer; 0 without one at the second attempt too: a connection dies with its worker."""
        raw = msgspec.json.encode(body)
        found = self._once(connection, path, raw)
        if found is None:
            with self._turn:
                self._tally = replace(self._tally, broken=self._tally.broken + 1)
            found = self._once(connection, path, raw)
        if found is None:
            self._remember(0, f"{path}: no answer, twice")
        return found or (0, {})

    def _once(
        self, connection: http.client.HTTPConnection, path: str, raw: bytes
    ) -> tuple[int, dict[str, Any]] | None:
        try:
            connection.request("POST", path, body=raw)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        if response.status != http.client.OK:
            self._remember(response.status, f"{path}: {content[:300].decode(errors='replace')}")
        return response.status, msgspec.json.decode(content) if content[:1] == b"{" else {}

    def _remember(self, status: int, text: str) -> None:
        with self._turn:
            if len(self._troubles) < MOST_TROUBLES:
                self._troubles.append(Trouble(time.monotonic(), status, text))


def _counted(tally: Tally, status: int) -> Tally:
    return replace(
        tally,
        asked=tally.asked + 1,
        failed=tally.failed + (status == 0 or status >= FAILED),
        refused=tally.refused + (0 < status < FAILED and status != http.client.OK),
    )
