"""Clients that ask a server without a pause, and tell what became of each request."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

BODY = b'{"features": [8, 9]}'
JSON = {"Content-Type": "application/json"}


class Load:
    """``clients`` threads, each with a connection that it keeps as long as the server lets it.

    A client connects again when it was told `Connection: close`, as HTTP asks of it, and when it was refused.
    ``outcomes``: counts of answered, refused (no connection) and lost requests (sent, but not answered).
    """

    def __init__(self, port: int, *, clients: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port = port
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(clients)]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()
        self.wait_for(10)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Until so many more requests are answered."""
        wanted = self.outcomes["answered"] + more
        give_up = time.monotonic() + 30
        while self.outcomes["answered"] < wanted:
            assert time.monotonic() < give_up, self.outcomes
            time.sleep(0.005)

    def _ask_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stop.is_set():
            outcome = self._ask(connection)
            with self._lock:
                self.outcomes[outcome] += 1
            if outcome == "refused":
                time.sleep(0.01)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        try:
            if connection.sock is None:
                connection.connect()
        except OSError:
            return "refused"
        try:
            connection.request("POST", "/predict", BODY, JSON)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return "lost"
        return "answered" if response.status == 200 else f"status {response.status}"


@contextmanager
def asked_by(clients: int, *, port: int) -> Iterator[Load]:
    load = Load(port, clients=clients)
    load.begin()
    try:
        yield load
    finally:
        load.end()
