"""Runs: what is noted in MLflow can be read back by anybody's MLflow client."""

import math
import time
from pathlib import Path
from typing import Any

import pytest

from siklus.errors import TrackingError
from siklus.tracking.mlflow import PARENT_TAG, Tracking, Trial
from tests.tracking.stores import new_name, store


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    return store(tmp_path_factory.mktemp("project"))


@pytest.fixture
def experiment() -> str:
    return new_name()


def read(tracking: Tracking, run_id: str) -> Any:
    with tracking.calling():
        return tracking.client.get_run(run_id)


def download(tracking: Tracking, run_id: str, name: str, folder: Path) -> Path:
    with tracking.calling():
        return Path(tracking.client.download_artifacts(run_id, name, str(folder)))


def test_a_run_keeps_parameters_metrics_and_tags(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="train", tags={"siklus.trigger": "a test"}) as run:
        run.parameters({"candidate": "random-forest", "trees": 100, "depth": None, "hidden": (64, 32)})
        run.metrics({"mae": 9.25, "rows": 3})
        run.tags({"siklus.passed": "true"})
    found = read(tracking, run.id)
    assert found.data.params == {
        "candidate": "random-forest",
        "trees": "100",
        "depth": "null",
        "hidden": "[64, 32]",
    }
    assert found.data.metrics == {"mae": 9.25, "rows": 3.0}
    assert found.data.tags["siklus.trigger"] == "a test"
    assert found.data.tags["siklus.passed"] == "true"
    assert found.info.run_name == "train"
    with tracking.calling():
        assert tracking.client.get_experiment(found.info.experiment_id).name == experiment


def test_runs_of_one_experiment_stand_together(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="one") as one:
        pass
    with tracking.run(experiment=experiment, name="two") as two:
        pass
    assert read(tracking, one.id).info.experiment_id == read(tracking, two.id).info.experiment_id


@pytest.mark.parametrize("foreign", ["0123456789abcdef0123456789abcdef", "../../etc", "x" * 300, ""])
def test_a_run_stands_below_the_one_that_it_is_a_part_of_where_this_store_has_it(
    tracking: Tracking, experiment: str, foreign: str
) -> None:
    """`mlflow run` may keep its own run in another store, and hand its number on all the same."""
    with tracking.run(experiment=experiment, name="outer") as outer:
        with tracking.run(experiment=experiment, name="inner", parent=outer.id) as inner:
            pass
        with tracking.run(experiment=experiment, name="alone", parent=foreign) as alone:
            pass
    assert read(tracking, inner.id).data.tags[PARENT_TAG] == outer.id
    assert PARENT_TAG not in read(tracking, alone.id).data.tags


@pytest.mark.parametrize(
    ("ending", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_ends_as_its_block_ends(
    tracking: Tracking, experiment: str, ending: type[BaseException] | None, status: str
) -> None:
    try:
        with tracking.run(experiment=experiment, name="train") as run:
            if ending is not None:
                raise ending
    except (ValueError, KeyboardInterrupt):
        pass
    assert read(tracking, run.id).info.status == status


def test_numbers_that_are_none_are_left_out(tracking: Tracking, experiment: str) -> None:
    values = {"mae": 1.0, "gone": None, "nan": math.nan, "up": math.inf, "down": -math.inf}
    with tracking.run(experiment=experiment, name="train") as run:
        run.metrics(values)
    assert read(tracking, run.id).data.metrics == {"mae": 1.0}


def test_a_metric_has_a_history_by_step(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="train") as run:
        for step, value in enumerate([3.0, 2.0, 1.5]):
            run.metrics({"loss": value}, step=step)
    with tracking.calling():
        history = tracking.client.get_metric_history(run.id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 3.0), (1, 2.0), (2, 1.5)]


def test_a_long_parameter_is_shortened_and_says_so(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="train") as run:
        run.parameters({"query": "SELECT " + "x" * 6993, "fits": "y" * 6000})
    found = read(tracking, run.id).data.params
    assert len(found["query"]) == 6000
    assert found["query"].endswith("x … (7000 characters)")
    assert found["fits"] == "y" * 6000


def test_more_entries_than_one_call_takes_are_kept(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="train") as run:
        run.parameters({f"p{i}": i for i in range(101)})
        run.metrics({f"m{i}": float(i) for i in range(201)})
    found = read(tracking, run.id)
    assert len(found.data.params) == 101
    assert found.data.metrics == {f"m{i}": float(i) for i in range(201)}


def test_a_name_that_mlflow_does_not_take_is_mended(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="train") as run:
        run.metrics({"mae where origin=JFK (é%)": 1.0})
    assert read(tracking, run.id).data.metrics == {"mae where origin_JFK ____": 1.0}


def test_artifacts_are_kept_under_their_names(tracking: Tracking, experiment: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("from a file")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "b.txt").write_text("from a folder")
    with tracking.run(experiment=experiment, name="train") as run:
        run.artifact("pictures/residuals.png", b"\x89PNG")
        run.artifact("card.md", "# flights é\n")
        run.artifact("other name.txt", tmp_path / "a.txt")
        run.artifact("folder", tmp_path / "folder")
    kept = {
        name: download(tracking, run.id, name, tmp_path).read_bytes()
        for name in ("pictures/residuals.png", "card.md", "other name.txt", "folder/deep/b.txt")
    }
    assert kept == {
        "pictures/residuals.png": b"\x89PNG",
        "card.md": "# flights é\n".encode(),
        "other name.txt": b"from a file",
        "folder/deep/b.txt": b"from a folder",
    }


def test_the_data_is_the_run_s_dataset(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="train") as run:
        run.dataset("flights", digest="ab" * 32, source="data/flights.csv", rows=336_776)
        run.dataset("flights-february", digest="cd" * 32, source="feb.csv", rows=1, context="evaluation")
    used = {entry.dataset.name: entry for entry in read(tracking, run.id).inputs.dataset_inputs}
    flights = used["flights"]
    # MLflow has room for 36 characters of a digest; the whole one stands in the source.
    assert flights.dataset.digest == ("ab" * 32)[:36]
    assert "ab" * 32 in flights.dataset.source
    assert "data/flights.csv" in flights.dataset.source
    assert "336776" in flights.dataset.profile
    assert {tag.value for tag in flights.tags} == {"training"}
    assert {tag.value for tag in used["flights-february"].tags} == {"evaluation"}


def test_trials_are_children_with_all_they_had(tracking: Tracking, experiment: str) -> None:
    trials = [
        Trial(
            name="0 linear", parameters={"alpha": 0.5}, metrics={"mae": 9.0}, seconds=90, tags={"kind": "a"}
        ),
        Trial(name="1 forest", parameters={}, metrics={"mae": None}, status="FAILED"),
        Trial(name="2 forest", parameters={}, metrics={"mae": 12.0}, status="KILLED", seconds=0.5),
    ]
    with tracking.run(experiment=experiment, name="train") as run:
        run.log_batch(trials)
    place = read(tracking, run.id).info.experiment_id
    with tracking.calling():
        children = tracking.client.search_runs([place], f"tags.mlflow.parentRunId = '{run.id}'")
    found = {child.info.run_name: child for child in children}
    assert {name: child.info.status for name, child in found.items()} == {
        "0 linear": "FINISHED",
        "1 forest": "FAILED",
        "2 forest": "KILLED",
    }
    linear = found["0 linear"]
    assert (linear.data.params, linear.data.metrics) == ({"alpha": "0.5"}, {"mae": 9.0})
    assert linear.data.tags["kind"] == "a"
    assert linear.info.end_time - linear.info.start_time == 90_000


def test_thirty_trials_are_noted_within_seconds(tracking: Tracking, experiment: str) -> None:
    trials = [Trial(name=f"t{i}", parameters={"i": i}, metrics={"mae": float(i)}) for i in range(30)]
    with tracking.run(experiment=experiment, name="train") as run:
        started = time.process_time()
        run.log_batch(trials)
        spent = time.process_time() - started
    assert spent < 3  # seconds of this process alone, whatever else the machine does; about 0.3


def test_what_mlflow_refuses_is_said_with_a_code(tracking: Tracking, experiment: str) -> None:
    with tracking.run(experiment=experiment, name="train") as run:
        run.parameters({"seed": 1})
        with pytest.raises(TrackingError, match="seed") as caught:
            run.parameters({"seed": 2})
    assert caught.value.code == "TK002"
