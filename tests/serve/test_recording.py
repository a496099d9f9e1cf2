"""Recording: what a server has answered stands in its log, whatever way it came and whatever dies."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from siklus.records.reading import PredictionRecord, read_segment
from siklus.records.segments import all_segments
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


def test_killed_workers_lose_nothing_that_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    lost = len(names) - len(found)
    with capsys.disabled():
        sys.stdout.write(f"\nkilled workers: 3, {len(names)} answers, {lost} missing from the log\n")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_full_disk_the_server_goes_on_answering(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filler = small_disk / "filler"
    with serving_bundle(classifier(tmp_path / "bundle"), "--state", str(small_disk)) as server:
        before = [server.predict(ODD_ROW)["prediction_id"] for _ in range(20)]
        wait_for(small_disk, len(before))
        fill(filler)
        full = [server.predict(ODD_ROW)["prediction_id"] for _ in range(300)]
        feedback = server.client.post("/feedback", json={"prediction_id": before[0], "outcome": "setosa"})
        assert feedback.status_code in (200, 503), feedback.text
        time.sleep(0.2)
        filler.unlink()
        after = [server.predict(ODD_ROW)["prediction_id"] for _ in range(20)]
        found = wait_for(small_disk, 40)
        time.sleep(0.2)
        found = logged(small_disk)
        again = server.client.post("/feedback", json={"prediction_id": before[1], "outcome": "setosa"})
        assert again.status_code == 200, again.text
    assert {*before, *after} <= found.keys()
    lost = len(full) - len(found.keys() & set(full))
    with capsys.disabled():
        sys.stdout.write(
            f"\nserving on a full disk: {len(full)} of {len(full)} answered, {lost} dropped from the log, "
            f"feedback then {feedback.status_code}; afterwards {len(after)} of {len(after)} logged\n"
        )


def fill(filler: Path) -> None:
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
