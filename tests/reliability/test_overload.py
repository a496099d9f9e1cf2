"""Overload: ten times what a server can do makes it refuse politely, not work for nobody."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.figures import Figure
from tests.reliability.crowds import REFUSED_PAUSE_SECONDS, Crowd
from tests.serve.bundles import slow_regressor
from tests.serve.servers import Server, serving_bundle
from tests.serve.wire import exchange, features, request

TIMES = 10
MANY = 1.3 * TIMES  # because a client waits for its refusal too
PEAK_CLIENTS = 16
WAITING = 64  # who may wait for the model; a row takes it some milliseconds
SECONDS = 1.5
LEAST_SHARE = 0.8  # of the peak
TRIES = 5  # other programs share this machine, and may have taken it between the two measurements
LIVE_SECONDS = 0.1
ANSWERED = 'ml_predictions_total{endpoint="/predict",status="success",version="7"}'


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a hundred or two rows a second."""
    bundle = slow_regressor(tmp_path_factory.mktemp("bundles") / "slow", rounds=20_000, cells=4096)
    with serving_bundle(bundle, "--version", "7", "--max-waiting", str(WAITING)) as server:
        yield server


@contextmanager
def looked_after(port: int) -> Iterator[list[float]]:
    """Seconds that `/live` took, again and again meanwhile."""
    waits: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            began = time.monotonic()
            [answer] = exchange(port, request(b"", path="/live", method="GET"))
            assert answer.status == 200
            waits.append(time.monotonic() - began)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield waits
    finally:
        over.set()
        looking.join()


@pytest.mark.parametrize("patience_ms", [None, 250])
def test_ten_times_too_many_requests_cost_little_of_what_is_answered(
    patience_ms: int | None, small: Server, figure: Figure
) -> None:
    for _ in range(TRIES):
        peak = Crowd(PEAK_CLIENTS)
        asyncio.run(peak.ask(small.port, seconds=SECONDS))
        # Each refused client comes back ten times a second.
        crowd = Crowd(
            WAITING + PEAK_CLIENTS + int(MANY * peak.goodput * REFUSED_PAUSE_SECONDS), patience_ms=patience_ms
        )
        with looked_after(small.port) as waits:
            asyncio.run(crowd.ask(small.port, seconds=SECONDS))
        if crowd.goodput >= LEAST_SHARE * peak.goodput:
            break
    said = "" if patience_ms is None else ", clients say how long they wait"
    figure(f"overload{said}: goodput of the peak", f"{crowd.goodput / peak.goodput:.0%}")
    figure(f"overload{said}: asked, of what can be answered", f"× {crowd.offered / peak.goodput:.1f}")
    figure(f"overload{said}: /live answers in", f"{1000 * sorted(waits)[len(waits) // 2]:.1f} ms")
    assert crowd.goodput >= LEAST_SHARE * peak.goodput
    assert crowd.refused.keys() <= {429, 503, 504}
    assert crowd.refused.total() > crowd.good
    assert (crowd.without_advice, crowd.broken) == (0, 0)
    assert sorted(waits)[len(waits) // 2] < LIVE_SECONDS


def test_nobody_works_for_those_who_have_hung_up(small: Server) -> None:
    """A busy machine may let the server answer before all have hung up; then they hang up once more."""
    assert any(answered_though_they_hung_up(small) < WAITING // 4 for _ in range(5))


def answered_though_they_hung_up(server: Server) -> float:
    """Of half as many requests as may wait."""
    before = server.series()[ANSWERED]
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(WAITING // 2)]
    for connection in connections:
        connection.sendall(request(features(3)))
    for connection in connections:
        connection.close()
    assert server.predict([3])["prediction"] == 3.0
    return server.series()[ANSWERED] - before
