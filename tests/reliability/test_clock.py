"""The clock jumps, forth and back by hours and months: nothing is lost or repeated, nobody is stuck."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from siklus.project.paths import Paths
from siklus.project.sections import Records
from siklus.records.compact import compact
from siklus.records.ids import issued_ms
from siklus.records.layout import Layout
from siklus.records.query import query
from siklus.serve.access.keys import add_key
from tests.figures import Figure
from tests.serve.bundles import regressor
from tests.serve.published import eventually
from tests.serve.servers import Server, serving
from tests.serve.wire import exchange, features, request

HOUR, DAY = 3600, 86_400
# In seconds from the true time; all within the 90 days that records are kept.
JUMPS = [0, HOUR, -HOUR, 80 * DAY, -80 * DAY, 0]
ASKED = 200  # at each time
HEADER_SECONDS = 1.0
REQUIRE = "SIKLUS_REQUIRE_SERVERS"  # set to 1, a missing program is a failure and no reason to skip


class Clock:
    """The wall clock of processes that were started with ``variables``; their monotonic one runs on."""

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        self.variables = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """To so many seconds from the true time."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        draft.rename(self._file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clock")


@pytest.fixture(scope="module")
def clock(folder: Path) -> Clock:
    places = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
    if not places:
        reason = "libfaketime is not installed (Debian: apt-get install faketime)"
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(reason)
    return Clock(folder / "clock", places[0])


@pytest.fixture(scope="module")
def state(folder: Path) -> Path:
    return folder / "state"


@pytest.fixture(scope="module")
def server(clock: Clock, state: Path, folder: Path) -> Iterator[Server]:
    """One for all; the test that needs a key comes last, and has every request need one from then on."""
    words = ["--bundle", str(regressor(folder / "bundle")), "--state", str(state)]
    deadline = ["--header-seconds", str(HEADER_SECONDS)]
    with serving("-m", "siklus.serve", *words, *deadline, "--port", "0", more=clock.variables) as server:
        yield server


def test_a_clock_that_jumps_loses_nothing(clock: Clock, server: Server, state: Path, figure: Figure) -> None:
    layout, names = Layout(state / "records"), []
    for seconds in JUMPS:
        clock.jump(seconds)
        issued = [server.predict([8, 9])["prediction_id"] for _ in range(ASKED)]
        assert issued == sorted(issued)
        assert abs(issued_ms(issued[-1]) / 1000 - (time.time() + seconds)) < HOUR / 2
        names += issued
        told = [{"prediction_id": name, "outcome": 5} for name in issued]
        assert server.client.post("/feedback", json=told).json()["new"] == ASKED
        compact(layout, Records(), now=time.time() + seconds)
    found = [str(row[0]) for row in query(layout, "SELECT prediction_id FROM joined WHERE outcome = 5").rows]
    lost = set(names) - set(found)
    figure(
        f"the clock jumps {len(JUMPS) - 1} times: predictions with outcomes lost",
        f"{len(lost)} of {len(names)}",
    )
    assert len(set(names)) == len(names)
    assert sorted(found) == sorted(names)


def test_deadlines_and_heartbeats_do_not_hang_on_the_clock(
    clock: Clock, server: Server, figure: Figure
) -> None:
    half = request(features(8, 9))[:40]
    took = []
    for earlier, later in pairwise([0, HOUR, -HOUR]):
        clock.jump(earlier)
        began = time.monotonic()
        clock.jump(later)
        [answer] = exchange(server.port, half)
        took.append(time.monotonic() - began)
        assert answer.status == 408
        assert server.predict([8, 9])["prediction"] == 5.0
    figure(
        f"the clock jumps: a deadline of {HEADER_SECONDS:g} s came after",
        ", ".join(f"{each:.1f} s" for each in took),
    )
    assert min(took) > HEADER_SECONDS * 0.9
    series = server.series()
    starts = [count for name, count in series.items() if name.startswith('ml_worker_starts_total{worker="0"')]
    assert starts == [1]


def test_a_rate_does_not_hang_on_the_clock(clock: Clock, state: Path, server: Server) -> None:
    key = add_key(Paths.at(state).keys, "seldom", per_second=0.01, now=datetime.now(UTC))
    eventually(lambda: server.client.get("/version").status_code == 401, what="the key was not seen")
    server.client.headers["Authorization"] = f"Bearer {key}"
    responses = []
    for seconds in (0, HOUR, -HOUR, 0):
        clock.jump(seconds)
        responses.append(server.client.post("/predict", json={"features": [8, 9]}))
    assert [each.status_code for each in responses] == [200, 429, 429, 429]
    assert all(90 < int(each.headers["retry-after"]) <= 100 for each in responses[1:])
