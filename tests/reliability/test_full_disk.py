"""A full disk below a whole server: it answers on, counts what it drops, and acknowledges no lost outcome."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from siklus.records.layout import Layout
from siklus.records.query import query
from tests.figures import Figure
from tests.serve.bundles import regressor
from tests.serve.published import eventually
from tests.serve.servers import START_SECONDS, Server, serving_bundle, start

DISK = "4m"
FULL_SECONDS = 1.0
DROPPED, WRITTEN = "ml_log_dropped_total", "ml_log_written_total"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(filler: Path) -> None:
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


class Client:
    """Predictions and outcomes, one after the other, over a connection each time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.answered: list[str] = []
        self.acknowledged: dict[str, int] = {}
        self.refusals: list[tuple[int, str]] = []

    def ask(self, count: int) -> None:
        self.answered += [self._server.predict([8, 9])["prediction_id"] for _ in range(count)]

    def tell(self, count: int) -> None:
        """An outcome for each of the latest predictions."""
        for i, name in enumerate(self.answered[-count:]):
            response = self._server.client.post("/feedback", json={"prediction_id": name, "outcome": i})
            if response.status_code == 200:
                self.acknowledged[name] = i
            else:
                self.refusals.append((response.status_code, response.json()["error"]["code"]))


def test_a_server_on_a_full_disk_answers_and_what_it_acknowledged_is_kept(
    small_disk: Path, tmp_path: Path, figure: Figure
) -> None:
    with serving_bundle(regressor(tmp_path / "bundle"), "--state", str(small_disk)) as server:
        client = Client(server)
        client.ask(100)
        client.tell(20)
        eventually(lambda: counted(server, WRITTEN) == 100, what="the log did not keep up")
        fill(small_disk / "filler")
        until = time.monotonic() + FULL_SECONDS
        while time.monotonic() < until:
            client.ask(100)
            client.tell(2)
        full = len(client.answered) - 100
        assert settled(server, client)[DROPPED] > 0
        replaced(server)
        client.ask(100)
        (small_disk / "filler").unlink()
        eventually(lambda: lands(client, server), what="the log did not go on")
        client.tell(20)
        counts = settled(server, client)
    layout = Layout(small_disk / "records")
    names = {str(row[0]) for row in query(layout, "SELECT prediction_id FROM predictions").rows}
    kept = dict(query(layout, "SELECT prediction_id, outcome_number FROM outcomes").rows)
    lost = [name for name, outcome in client.acknowledged.items() if kept.get(name) != outcome]
    figure("full disk: requests answered", f"{len(client.answered)} of {len(client.answered)}")
    figure("full disk: predictions dropped, as counted", f"{counts[DROPPED]:.0f} of {len(client.answered)}")
    figure("full disk: predictions said to be written and lost", int(counts[WRITTEN]) - len(names))
    figure("full disk: acknowledged outcomes lost", f"{len(lost)} of {len(client.acknowledged)}")
    assert full > 200
    assert set(client.refusals) <= {(503, "RC005")}
    assert client.refusals, "the disk was never full"
    assert lost == []
    assert len(client.acknowledged) >= 40
    assert counts[WRITTEN] == len(names)
    assert counts[WRITTEN] + counts[DROPPED] == len(client.answered)


def counted(server: Server, name: str) -> float:
    return server.series()[name]


def replaced(server: Server) -> None:
    """Its worker is killed, and the next one finds the disk full."""
    [worker] = psutil.Process(server.process.pid).children()
    worker.kill()
    eventually(lambda: answers(server, but_for=worker.pid), what="no worker came back")


def answers(server: Server, *, but_for: int) -> bool:
    with suppress(httpx.HTTPError):
        there = [each.pid for each in psutil.Process(server.process.pid).children()]
        return but_for not in there and server.client.get("/ready").status_code == 200
    return False


def lands(client: Client, server: Server) -> bool:
    before = counted(server, WRITTEN)
    client.ask(1)
    time.sleep(1.1)
    return counted(server, WRITTEN) > before


def settled(server: Server, client: Client) -> dict[str, float]:
    """The counts of the log once they say of each prediction what became of it."""
    eventually(
        lambda: counted(server, WRITTEN) + counted(server, DROPPED) >= len(client.answered),
        what="some predictions are neither written nor dropped",
    )
    return {name: counted(server, name) for name in (WRITTEN, DROPPED)}


@pytest.mark.slow
def test_a_server_starts_again_on_a_full_disk_but_not_for_the_first_time(
    small_disk: Path, tmp_path: Path
) -> None:
    bundle = regressor(tmp_path / "bundle")
    with serving_bundle(bundle, "--state", str(small_disk / "known")) as server:
        server.predict([8, 9])
    fill(small_disk / "filler")
    with serving_bundle(bundle, "--state", str(small_disk / "known")) as server:
        assert server.predict([8, 9])["prediction"] == 5.0
    new = ["--bundle", str(bundle), "--port", "0", "--state", str(small_disk / "new")]
    process = start("-m", "siklus.serve", *new)
    assert "FS001" in process.communicate(timeout=START_SECONDS)[1]
    assert process.returncode == 2
