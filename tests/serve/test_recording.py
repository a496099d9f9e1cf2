"""Recording: what a server has answered stands in its log, whatever way it came and whatever dies."""

import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from siklus.records.reading import PredictionRecord, read_segment
from siklus.records.segments import all_segments
from tests.figures import Figure
from tests.serve.bundles import ODD_ROW, classifier
from tests.serve.servers import Server, serving_bundle

ODD_LIST = list(ODD_ROW.values())


def logged(state: Path) -> dict[str, PredictionRecord]:
    paths = all_segments(state / "records" / "predictions")
    found = [entry for path in paths for entry in read_segment(path)]
    assert all(isinstance(entry, PredictionRecord) for entry in found)
    records = [entry for entry in found if isinstance(entry, PredictionRecord)]
    assert len({record.prediction_id for record in records}) == len(records)
    return {record.prediction_id: record for record in records}


def wait_for(state: Path, count: int) -> dict[str, PredictionRecord]:
    give_up = time.monotonic() + 20
    while len(found := logged(state)) < count:
        assert time.monotonic() < give_up, f"{len(found)} of {count} records"
        time.sleep(0.01)
    return found


def test_each_way_of_asking_is_logged_as_it_was_received(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []
    with serving_bundle(classifier(tmp_path / "bundle"), "--state", str(tmp_path / "state")) as server:
        answers += [server.predict(row) for row in (ODD_ROW, ODD_LIST)]  # the hot path
        answers += [server.predict(ODD_ROW, "?probabilities=all")]  # the app
        batch = server.batch([ODD_ROW, ODD_LIST])
        both = zip(batch["prediction_ids"], batch["predictions"], batch["probabilities"], strict=True)
        for name, prediction, probability in both:
            answers.append(
                {**batch, "prediction_id": name, "prediction": prediction, "probability": probability}
            )
        found = wait_for(tmp_path / "state", len(answers))
    assert found.keys() == {answer["prediction_id"] for answer in answers}
    for answer in answers:
        record = found[answer["prediction_id"]]
        assert record.features == ODD_ROW
        assert (record.prediction, record.version) == (answer["prediction"], answer["version"])
        assert record.probability == pytest.approx(answer["probability"], abs=1e-6)
        assert (record.arm, record.shadow) == ("champion", False)
        assert abs(record.time_us / 1e6 - time.time()) < 600
        assert 0 < record.latency_ms < 60_000
    # Told to stop, it has sealed what it wrote.
    assert {path.suffix for path in all_segments(tmp_path / "state" / "records" / "predictions")} == {".log"}


def test_what_was_refused_is_not_logged(tmp_path: Path) -> None:
    with serving_bundle(classifier(tmp_path / "bundle"), "--state", str(tmp_path / "state")) as server:
        for wrong in ({**ODD_ROW, "count": 6}, [1.5], {**ODD_ROW, "more": 1}):
            assert server.client.post("/predict", json={"features": wrong}).status_code == 422
        name = server.predict(ODD_ROW)["prediction_id"]
        assert list(wait_for(tmp_path / "state", 1)) == [name]


def test_without_records_enabled_nothing_is_logged(tmp_path: Path) -> None:
    options = ["--state", str(tmp_path / "state"), "--records-enabled", "false"]
    with serving_bundle(classifier(tmp_path / "bundle"), *options) as server:
        server.predict(ODD_ROW)
    assert not (tmp_path / "state" / "records").exists()


@pytest.mark.slow  # tests/reliability/test_killed_servers.py kills more in every run
def test_killed_workers_lose_nothing_that_was_written(tmp_path: Path, figure: Figure) -> None:
    """Killed a moment after its last answer; the worker that takes its place seals what it has left."""
    state, names = tmp_path / "state", []
    with serving_bundle(classifier(tmp_path / "bundle"), "--state", str(state)) as server:
        for _ in range(3):
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
                again = Server(server.process, client, server.port)
                again.wait_until_ready()
                names += [again.predict(ODD_ROW)["prediction_id"] for _ in range(50)]
            time.sleep(0.5)  # the log is at most a moment behind the answers
            for worker in psutil.Process(server.process.pid).children():
                worker.kill()
        found = wait_for(state, len(names))
    assert found.keys() == set(names)
    figure(
        "workers killed after their last answer, answers missing in the log",
        f"{len(names) - len(found)} of {len(names)}",
    )
