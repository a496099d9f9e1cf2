"""Askers: clients that ask anything by chance, and remember what they were answered."""

import random
import threading
import time
from collections import Counter

import httpx

from tests.serve.published import ROW
from tests.serve.servers import START_SECONDS

MOST_ROWS = 20  # of a batch
PAUSE_SECONDS = 0.01  # between two requests of a client, so that the machine has room for everything else
JUNK = [b"", b"{", b'{"features": [NaN]}', b'{"features": {"a": 1}}', b"[" * 1000, b'{"instances": 7}']
PATHS = ["/predict", "/predict/batch", "/feedback", "/nowhere"]


class Asker:
    """``named``: the answered predictions, and when (monotonic); ``acknowledged``: those with outcomes."""

    def __init__(self, port: int, seed: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.named: dict[str, float] = {}
        self.acknowledged: set[str] = set()
        self._chance = random.Random(seed)
        self._url = f"http://127.0.0.1:{port}"
        self._latest: list[str] = []

    def ask_until(self, over: threading.Event) -> None:
        while not over.is_set():
            try:
                with httpx.Client(base_url=self._url, timeout=START_SECONDS) as client:
                    while not over.is_set():
                        self._ask(client)
                        time.sleep(PAUSE_SECONDS)
            except httpx.TransportError:  # its worker was killed
                self.outcomes["broken"] += 1

    def _ask(self, client: httpx.Client) -> None:
        draw = self._chance.random()
        if draw < 0.7:
            answer = self._counted(client.post("/predict", json={"features": ROW})).json()
            self._remember([answer["prediction_id"]])
        elif draw < 0.8:
            rows = [ROW] * self._chance.randrange(1, MOST_ROWS + 1)
            answer = self._counted(client.post("/predict/batch", json={"instances": rows})).json()
            self._remember(answer["prediction_ids"])
        elif draw < 0.9:
            told = [{"prediction_id": name, "outcome": 1.0} for name in self._latest]
            if self._counted(client.post("/feedback", json=told)).status_code == 200:
                self.acknowledged.update(self._latest)
        else:
            self._counted(client.post(self._chance.choice(PATHS), content=self._chance.choice(JUNK)))

    def _remember(self, names: list[str]) -> None:
        self._latest = names
        self.named.update(dict.fromkeys(names, time.monotonic()))

    def _counted(self, response: httpx.Response) -> httpx.Response:
        self.outcomes[f"{response.status_code // 100}xx"] += 1
        return response
