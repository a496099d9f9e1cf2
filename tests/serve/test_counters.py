"""Counters: each worker counts in its own rows, and the sums are right whatever becomes of the workers."""

import gc
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.bundle.read import Bundle, open_bundle, with_version
from siklus.bundle.session import Predictions
from siklus.ledgers.layouts import LATENCY_BUCKETS
from siklus.serve.counting.counters import FLUSH_ROWS, MOST_VERSIONS, Counters, supervising
from tests.serve.bundles import regressor
from tests.serve.counting import PROFILES, counted, flights, of_feature, parsed, value

WAIT_SECONDS = 30  # for what takes one, on a machine that has other things to do


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(flights(tmp_path_factory.mktemp("bundles") / "flights"), version="7")


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    opened = Counters(tmp_path)
    yield opened
    opened.close()


def answer(rows: Sequence[Sequence[float]]) -> tuple[np.ndarray, Predictions]:
    """Rows of distance and origin's index, with the model's answer by its formula."""
    matrix = np.array(rows, dtype=np.float32).reshape(-1, 2)
    yes = np.nan_to_num(matrix[:, 0], posinf=1, neginf=-1) > 0
    return matrix, Predictions("classification", np.stack([~yes, yes], axis=1).astype(np.float32))


def eventually(says: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WAIT_SECONDS
    while not says():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def rows_counted(counters: Counters) -> float:
    return sum(of_feature(counted(counters), "distance").values())


def test_answers_are_counted_by_endpoint_and_latency(counters: Counters, bundle: Bundle) -> None:
    version = counters.version(bundle)
    version.answered("/predict", 1, 0.0001)
    version.answered("/predict", 1, 0.00011)
    version.answered_each("/predict", [0.3, 11.0, 0.00005])
    version.answered("/predict/batch", 500, 0.02)
    version.failed("/predict", "refused")
    version.failed("/predict/batch", "error")
    counters.failed("/predict", "refused")
    series = counted(counters)
    predictions = {
        ("/predict", "success", "7"): 5,
        ("/predict", "refused", "7"): 1,
        ("/predict", "error", "7"): 0,
        ("/predict/batch", "success", "7"): 500,
        ("/predict/batch", "error", "7"): 1,
        ("/predict", "refused", "none"): 1,
        ("shadow", "success", "7"): 0,
    }
    for (endpoint, status, name), count in predictions.items():
        labels = {"endpoint": endpoint, "status": status, "version": name}
        assert value(series, "ml_predictions_total", **labels) == count
    one = {"endpoint": "/predict", "version": "7"}
    upto = {"0.0001": 2, "0.00025": 3, "0.25": 3, "0.5": 4, "10.0": 4, "+Inf": 5}
    for bound, count in upto.items():
        assert value(series, "ml_prediction_latency_seconds_bucket", le=bound, **one) == count
    assert value(series, "ml_prediction_latency_seconds_count", **one) == 5
    assert value(series, "ml_prediction_latency_seconds_sum", **one) == pytest.approx(11.30026, rel=1e-12)


@given(st.lists(st.floats(0, 20), max_size=80), st.integers(1, 9))
def test_latencies_add_up_whether_they_come_one_by_one_or_together(
    bundle: Bundle, seconds: list[float], together: int
) -> None:
    counters = Counters(None)
    version = counters.version(bundle)
    for at in range(0, len(seconds), together):
        version.answered_each("/predict", seconds[at : at + together])
        for took in seconds[at : at + together]:
            version.answered("/predict/batch", 1, took)
    series = counted(counters)
    for endpoint in ("/predict", "/predict/batch"):
        labels = {"endpoint": endpoint, "version": "7"}
        for bound in LATENCY_BUCKETS:
            expected = sum(took <= bound for took in seconds)
            found = value(series, "ml_prediction_latency_seconds_bucket", le=str(bound), **labels)
            assert found == expected
        total = value(series, "ml_prediction_latency_seconds_sum", **labels)
        assert total == pytest.approx(math.fsum(seconds), rel=1e-12, abs=1e-12)
    counters.close()


CELLS = st.tuples(
    st.floats(width=32) | st.sampled_from([0.0, -0.0, 100.0, 5.0, 50.0, 100.5, -1.0]),
    st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.0, math.nan]),
)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=30), max_size=8))
def test_features_and_predictions_are_counted_as_in_the_profile(
    bundle: Bundle, ticks: list[list[tuple[float, float]]]
) -> None:
    counters = Counters(None)
    version = counters.version(bundle)
    for tick in ticks:
        version.scored(*answer(tick))
    series = counted(counters)
    rows = np.array([row for tick in ticks for row in tick], dtype=np.float32).reshape(-1, 2)
    distance = PROFILES["distance"].count(rows[:, 0])
    found = of_feature(series, "distance")
    outside = (distance.missing, distance.non_finite, distance.below_minimum, distance.above_maximum)
    assert list(found.values()) == [*distance.bins, *outside]
    assert list(found)[-4:] == ["<missing>", "<non-finite>", "<below minimum>", "<above maximum>"]
    origin = PROFILES["origin"].count(rows[:, 1])
    names = ["JFK", "LGA", "EWR", "<<odd>>", "<other words>", "<missing>", "<unseen>"]
    expected = [*origin.bins, origin.missing, origin.unseen]
    assert of_feature(series, "origin") == dict(zip(names, expected, strict=True))
    unseen = value(series, "ml_unseen_category_total", feature="origin", version="7")
    assert unseen == (rows[:, 1] == -1).sum()
    yes = int((np.nan_to_num(rows[:, 0], posinf=1, neginf=-1) > 0).sum())
    for label, count in (("yes", yes), ("no", len(rows) - yes)):
        name = "ml_prediction_distribution_total"
        assert value(series, name, prediction_class=label, version="7") == count
    counters.close()


def test_a_large_batch_is_counted_too_without_holding_up_who_counts_it(
    counters: Counters, bundle: Bundle
) -> None:
    version, rows = counters.version(bundle), 40 * FLUSH_ROWS + 3
    version.scored(*answer([(1, 0)]))
    version.scored(*answer([(50, 1)] * rows))
    version.scored(*answer([(1, 0)]))
    assert rows_counted(counters) == rows + 2
    origins = of_feature(counted(counters), "origin")
    assert (origins["JFK"], origins["LGA"]) == (2, rows)


def test_what_waits_is_counted_within_a_second_without_anybody_asking(tmp_path: Path, bundle: Bundle) -> None:
    counting, asking = Counters(tmp_path), Counters(tmp_path, worker=1)
    version = counting.version(bundle)
    version.scored(*answer([(1, 0)] * 3))
    eventually(lambda: rows_counted(asking) == 3)
    version.scored(*answer([(1, 0)] * (3 * FLUSH_ROWS)))
    eventually(lambda: rows_counted(asking) == 3 + 3 * FLUSH_ROWS)
    for opened in (counting, asking):
        opened.close()


def test_nothing_is_lost_when_a_version_goes_before_its_rows_are_counted(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    gone = open_bundle(flights(tmp_path / "flights"), version="8")
    counters.version(gone).scored(*answer([(1, 0)] * 5))
    del gone
    gc.collect()
    assert sum(of_feature(counted(counters), "distance", version="8").values()) == 5
    counters.close()


def test_a_restart_goes_on_counting(tmp_path: Path, bundle: Bundle) -> None:
    for _ in range(3):
        opened = Counters(tmp_path)
        version = opened.version(bundle)
        version.answered("/predict", 2, 0.5)
        version.scored(*answer([(1, 0)] * 2))
        opened.feedback("new", 3)
        opened.close()
    opened = Counters(tmp_path, worker=5)
    opened.version(bundle)
    series = counted(opened)
    one = {"endpoint": "/predict", "version": "7"}
    assert value(series, "ml_predictions_total", status="success", **one) == 6
    assert value(series, "ml_prediction_latency_seconds_sum", **one) == 1.5
    assert value(series, "ml_feedback_total", result="new") == 9
    assert value(series, "ml_worker_starts_total", worker="0") == 3
    assert sum(of_feature(series, "distance").values()) == 6
    opened.close()


def test_another_model_under_the_same_version_begins_at_nothing(tmp_path: Path, bundle: Bundle) -> None:
    counters = Counters(tmp_path)
    counters.version(bundle).answered("/predict", 1, 0.1)
    other = open_bundle(regressor(tmp_path / "minutes"), version="7")
    counters.version(other).answered("/predict", 1, 0.1)
    labels = {"endpoint": "/predict", "status": "success", "version": "7"}
    assert value(counted(counters), "ml_predictions_total", **labels) == 1
    counters.close()


def test_only_the_newest_versions_keep_their_series_and_all_that_are_open(
    tmp_path: Path, bundle: Bundle
) -> None:
    counters = Counters(tmp_path)
    held = with_version(bundle, "champion")
    counters.version(held).answered("/predict", 1, 0.1)
    for number in range(2 * MOST_VERSIONS):
        passing = with_version(bundle, str(number))
        counters.version(passing).answered("/predict", 1, 0.1)
        del passing
        gc.collect()
    names = [path.name for path in tmp_path.glob("version-*")]
    assert len(names) <= MOST_VERSIONS + 1
    assert {"version-champion.ledger", f"version-{2 * MOST_VERSIONS - 1}.ledger"} <= set(names)
    counters.close()


@pytest.mark.parametrize("version", ["../../etc", "a b", "ö" * 200, ".", 'x"} 1'])
def test_any_version_has_its_file_and_its_label(tmp_path: Path, bundle: Bundle, version: str) -> None:
    directory = tmp_path / "run" / "counters"
    counters = Counters(directory)
    counters.version(with_version(bundle, version)).answered("/predict", 1, 0.1)
    labels = {"endpoint": "/predict", "status": "success", "version": version}
    assert value(counted(counters), "ml_predictions_total", **labels) == 1
    counters.close()
    assert {path.suffix for path in directory.iterdir()} <= {".ledger", ".lock", ""}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_other_parts_numbers_are_followed(counters: Counters) -> None:
    written, waiting = [5], [2]
    counters.log("written", lambda: written[0])
    counters.gauge("waiting", lambda: waiting[0])
    counters.gauge("waiting", lambda: 3)
    series = counted(counters)
    assert value(series, "ml_log_written_total") == 5
    assert value(series, "ml_requests_waiting", worker="0") == 5
    written[0], waiting[0] = 7, 0
    series = counted(counters)
    assert value(series, "ml_log_written_total") == 7
    assert value(series, "ml_log_dropped_total") == 0
    assert value(series, "ml_requests_waiting", worker="0") == 3


def test_a_copy_of_a_ledger_is_not_counted_again(tmp_path: Path, bundle: Bundle) -> None:
    counters = Counters(tmp_path)
    counters.version(bundle).answered("/predict", 1, 0.1)
    counters.feedback("new")
    for name in ("server", "version-7"):
        shutil.copy(tmp_path / f"{name}.ledger", tmp_path / f"{name} (copy).ledger")
    series = counted(counters)
    labels = {"endpoint": "/predict", "status": "success", "version": "7"}
    assert value(series, "ml_predictions_total", **labels) == 1
    assert value(series, "ml_feedback_total", result="new") == 1
    counters.close()


COUNT_WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
from siklus.serve.counting.counters import Counters
from siklus.serve.counting.metrics import Metrics
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
counters = Counters(Path(sys.argv[1]), worker=200)
counters.feedback("new", 4)
sys.stdout.buffer.write(Metrics(counters).page(accept="", lineup=None)[0])
"""


def test_a_worker_without_room_on_the_disk_shows_the_others_and_its_own(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    counters.feedback("new", 3)
    command = [sys.executable, "-c", COUNT_WITHOUT_ROOM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    series = parsed(done.stdout)
    assert value(series, "ml_feedback_total", result="new") == 7
    assert [value(series, "ml_worker_up", worker=name) for name in ("0", "200")] == [1, 1]
    assert value(counted(counters), "ml_feedback_total", result="new") == 3
    counters.close()


def test_a_directory_that_is_cleared_under_a_server_stops_nothing(tmp_path: Path, bundle: Bundle) -> None:
    counters = Counters(tmp_path / "counters")
    counters.feedback("new")
    shutil.rmtree(tmp_path / "counters")
    counters.version(bundle).answered("/predict", 1, 0.1)
    labels = {"endpoint": "/predict", "status": "success", "version": "7"}
    assert value(counted(counters), "ml_predictions_total", **labels) == 1
    counters.close()


DIE = """
import os, sys
from pathlib import Path
from siklus.serve.counting.counters import Counters
counters = Counters(Path(sys.argv[1]), worker=int(sys.argv[2]))
counters.limited("waiting")
counters.gauge("in_flight", lambda: 4)
counters.flush()
os.kill(os.getpid(), 9)
"""


def test_a_dead_worker_is_seen_and_the_next_supervisor_forgets_it(tmp_path: Path) -> None:
    for worker in (1, 1, 6):
        subprocess.run([sys.executable, "-c", DIE, str(tmp_path), str(worker)], check=False)
    asked = Counters(tmp_path, worker=0)
    series = counted(asked)
    assert value(series, "ml_limited_total", limit="waiting") == 3
    assert [value(series, "ml_worker_up", worker=name) for name in ("0", "1", "6")] == [1, 0, 0]
    assert value(series, "ml_worker_starts_total", worker="1") == 2
    assert ("ml_requests_in_flight", frozenset({("worker", "1")})) not in series, "it shows nothing any more"
    with supervising(tmp_path):
        series = counted(asked)
        up = {dict(labels)["worker"] for name, labels in series if name == "ml_worker_up"}
        assert up == {"0", "supervisor"}
        assert value(series, "process_resident_memory_bytes", worker="supervisor") > 1e6
        assert value(series, "process_open_fds", worker="supervisor") == pytest.approx(
            len(list(Path("/proc/self/fd").iterdir())), abs=3
        )
    assert value(counted(asked), "ml_limited_total", limit="waiting") == 3
    asked.close()
