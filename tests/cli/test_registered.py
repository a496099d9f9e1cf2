"""A registered version: its stage, its papers, its rows, and the same answers whoever is asked."""

import csv
import io
import json
import shutil
import subprocess
import warnings
from pathlib import Path

import duckdb
import joblib
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.linear_model import LinearRegression

from siklus.bundle.read import open_bundle
from siklus.contract.decode import decode_table
from siklus.data.frames import table_of
from siklus.data.snapshot import open_snapshot
from siklus.data.sources import open_source
from siklus.project.file import open_project
from tests.cli.conftest import LATER_ROWS, ROWS
from tests.cli.projects import answered, new_project, siklus, straight_rows


def test_the_first_goes_to_production_and_the_next_to_staging(registered: Path) -> None:
    listed = answered("models", "-C", registered)
    assert [(version["number"], version["stage"]) for version in listed] == [
        (2, "staging"),
        (1, "production"),
    ]
    shown = siklus("models", "-C", registered).out.splitlines()
    assert shown[0].split() == ["version", "stage", "mae", "created", "digest", "notes"]
    assert shown[1].split()[:2] == ["2", "staging"]
    assert shown[1].split()[2] == f"{listed[0]['metrics']['mae']:.4g}"


def test_a_project_without_versions_says_so_and_makes_no_database(tmp_path: Path) -> None:
    project = new_project(tmp_path / "empty", straight_rows(60))
    assert answered("models", "-C", project) == []
    assert "No version yet" in siklus("models", "-C", project).out
    for words in (["promote", "1"], ["annotate", "1", "x"], ["compare", "1", "2"], ["data", "checkout", "1"]):
        found = siklus(*words, "-C", project)
        assert found.code == 2
        assert found.err.startswith("siklus: RG001 no version of 'empty'")
    assert not (project / ".siklus").exists()


def test_what_was_trained_here_is_known_whatever_was_registered_since(
    registered: Path, tmp_path: Path
) -> None:
    second, first = (each["digest"] for each in answered("models", "-C", registered))
    project = Path(shutil.copytree(registered, tmp_path / "line"))
    assert answered("verify", "trained", "-C", project)["digest"] == second
    rows = (project / "rows.csv").read_text().splitlines(keepends=True)
    (project / "rows.csv").write_text("".join(rows[: ROWS + 1]))
    assert answered("train", "-C", project)["version"] == 1, "found to be finished"
    assert answered("verify", "trained", "-C", project)["digest"] == first
    assert answered("verify", "latest", "-C", project)["digest"] == second
    shutil.rmtree(project / ".siklus" / "steps")
    assert "RG001 no version of 'line' was trained here" in siklus("verify", "trained", "-C", project).err


@pytest.mark.parametrize(("which", "code"), [("3", "RG002"), ("prodction", "RG002"), ("archived", "RG003")])
def test_a_version_that_is_not_there_is_told(registered: Path, which: str, code: str) -> None:
    found = siklus("promote", which, "-C", registered)
    assert found.code == 2
    assert found.err.startswith(f"siklus: {code} line: no version ")


def test_stages_and_annotations_are_given_and_taken(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "stages", straight_rows(120), store=store)
    answered("train", "-C", project)
    assert answered("annotate", "1", "Trained on spring.", "-C", project)["annotations"] == [
        "Trained on spring."
    ]
    said = siklus("annotate", "production", "Holds in autumn.", "-C", project).out
    assert said == "Version 1: Trained on spring. / Holds in autumn.\n"
    assert answered("promote", "latest", "--stage", "none", "-C", project)["stage"] is None
    assert siklus("promote", "1", "-C", project).out == "Version 1 of stages is in production.\n"
    assert siklus("promote", "1", "--stage", "archived", "-C", project).out.endswith("is in archived.\n")
    assert "Trained on spring. / Holds in autumn." in siklus("models", "-C", project).out


def test_a_training_without_work_knows_what_became_of_its_version(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "became", straight_rows(120), store=store)
    assert siklus("train", "-C", project).out.endswith("Version 1 is registered, in production.\n")
    answered("promote", "1", "--stage", "staging", "-C", project)
    assert answered("train", "-C", project)["stage"] == "staging"
    answered("promote", "1", "--stage", "none", "-C", project)
    assert siklus("train", "-C", project).out.endswith("Version 1 is registered, in no stage.\n")
    MlflowClient(store).delete_model_version("became", "1")
    assert [answered("train", "-C", project)["version"] for _ in range(2)] == [2, 2]


@pytest.mark.parametrize("which", ["1", "production", "2", "staging"])
def test_a_checkout_gives_back_the_very_rows(registered: Path, tmp_path: Path, which: str) -> None:
    to = tmp_path / "rows.parquet"
    found = answered("data", "checkout", which, "--to", to, "-C", registered)
    rows = ROWS if which in ("1", "production") else ROWS + LATER_ROWS
    assert found["rows"] == rows
    project = open_project(registered, environment={})
    source = open_source(project.settings.data, directory=registered).read().table
    snapshot = open_snapshot(found["digest"], project.paths.snapshots)
    assert snapshot == source.take(np.arange(rows))
    assert table_of(duckdb.execute(f"FROM '{to}'").df()) == snapshot


def test_a_checkout_has_a_name_of_its_own(
    registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert siklus("data", "checkout", "1", "-C", registered).out.startswith(f"{ROWS:,} rows of version 1")
    assert [file.name for file in tmp_path.iterdir()] == ["line-1.parquet"]
    found = siklus("data", "checkout", "1", "--to", "rows.xlsx", "-C", registered)
    assert (found.code, found.err[:14]) == (2, "siklus: DA006 ")


def test_the_papers_say_where_the_model_comes_from(registered: Path) -> None:
    [second, first] = answered("models", "-C", registered)
    bundle = open_bundle(registered / ".siklus" / "bundles" / second["digest"])
    provenance = bundle.provenance()
    assert provenance.data_digest == second["data_digest"]
    assert provenance.data_digest != first["data_digest"]
    assert (provenance.data_rows, provenance.seed, provenance.model_kind) == (ROWS + LATER_ROWS, 0, "linear")
    assert (provenance.parent_version, provenance.triggered_by) == ("1", "siklus train")
    assert provenance.environment["numpy"] == np.__version__
    evidence = bundle.document("evaluation.json")
    assert set(evidence) == {"split", "evaluation", "search", "export", "gates"}
    assert evidence["split"]["key"] == "id"
    assert evidence["search"]["candidate"] == "linear"
    assert [trial["candidate"] for trial in evidence["search"]["trials"][:2]] == ["dummy", "linear"]
    assert evidence["evaluation"]["metrics"]["mae"]["value"] == second["metrics"]["mae"]
    card = (bundle.path / "card.md").read_text()
    for part in ("# line", "Predicts `y`", provenance.data_digest, "| mae |", "`a`", "ONNX, certified"):
        assert part in card


def test_the_commit_is_noted_where_there_is_one(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "committed", straight_rows(60), store=store)
    found = answered("train", "-C", project)
    assert open_bundle(Path(found["bundle"])).provenance().git_commit is None
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A project"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    found = answered("train", "-C", project, "--from", "register")
    provenance = open_bundle(Path(found["bundle"])).provenance()
    assert (provenance.git_commit, provenance.git_dirty) == (head, False)
    assert MlflowClient(store).get_run(found["run_id"]).data.tags["mlflow.source.git.commit"] == head


def test_mlflow_has_what_one_looks_for_there(registered: Path, store: str) -> None:
    [second, _] = answered("models", "-C", registered)
    client = MlflowClient(store)
    run = client.get_run(second["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.tags["siklus.passed"] == "true"
    assert run.data.params["candidate"] == "linear"
    assert run.data.params["model.penalty"]
    assert run.data.metrics["mae"] == second["metrics"]["mae"]
    [dataset] = run.inputs.dataset_inputs
    assert second["data_digest"].startswith(dataset.dataset.digest)
    pictures = {file.path for file in client.list_artifacts(run.info.run_id, "bundle/pictures")}
    assert "bundle/pictures/residuals.png" in pictures
    children = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'", max_results=50
    )
    assert sorted(child.data.params["candidate"] for child in children) == ["dummy", "linear", "linear"]


def test_everybody_answers_the_same(
    registered: Path, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle in process, MLflow, and `siklus predict`; a server's answers are held in tests/serve."""
    [second, _] = answered("models", "-C", registered)
    frame = pd.read_csv(registered / "rows.csv")
    bundle = open_bundle(registered / ".siklus" / "bundles" / second["digest"])
    own = bundle.predict(decode_table(table_of(frame), bundle.contract).accepted()).values

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    # How MLflow treats what it imports is not ours to hold.
    with warnings.catch_warnings(action="ignore"):
        model = mlflow.pyfunc.load_model("models:/line/2")
        answers = model.predict(frame[["a", "b", "side"]])
    assert np.array_equal(answers, own.astype(np.float64))

    file = registered / "rows.csv"
    document = answered("predict", file, "--version", "2", "-C", registered)
    assert document["version"] == "2"
    assert document["prediction"] == own.tolist()
    rows = list(csv.DictReader(io.StringIO(siklus("predict", file, "--version", "2", "-C", registered).out)))
    assert [float(row["prediction"]) for row in rows] == own.tolist()
    for suffix in ("csv", "parquet"):
        to = tmp_path / f"scored.{suffix}"
        found = siklus("predict", file, "--version", "2", "-o", to, "-C", registered)
        assert (found.code, found.out) == (0, "")
        assert duckdb.execute(f"SELECT prediction FROM '{to}'").df()["prediction"].tolist() == own.tolist()


def test_a_packaged_version_lives_among_the_trained(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "packaged", straight_rows(120), "--drop", "side,id", store=store)
    frame = pd.read_csv(project / "rows.csv")[["a", "b", "y"]]
    frame.to_csv(tmp_path / "learned.csv", index=False)
    model = LinearRegression().fit(frame[["a", "b"]], frame["y"])
    joblib.dump(model, tmp_path / "model.joblib")
    words = ["--data", tmp_path / "learned.csv", "--target", "y", "--name", "brought", "--register"]
    answered("package", tmp_path / "model.joblib", *words, "--trust-pickle", "-C", project)
    found = siklus("data", "checkout", "1", "-C", project)
    assert (found.code, found.err[:14]) == (2, "siklus: DA050 ")
    compared = answered("compare", "1", "1", "-C", project)
    assert compared["verdict"].endswith("version 1 names no snapshot.")

    trained = answered("train", "-C", project, GATES__CHAMPION="mae")
    [gate] = trained["gates"]
    assert (trained["version"], gate["passed"]) == (2, True)
    assert gate["why"].endswith("the champion may have been fitted on some of them")
    assert answered("compare", "1", "2", "-C", project)["difference"]["rows"] == trained["parity"]["rows"]


def test_a_damaged_bundle_is_fetched_again(registered: Path) -> None:
    [_, first] = answered("models", "-C", registered)
    model = registered / ".siklus" / "bundles" / first["digest"] / "model.onnx"
    sound = model.read_bytes()
    for content in (sound[:-1] + b"!", b""):
        model.write_bytes(content)
        assert (
            len(answered("predict", registered / "rows.csv", "-C", registered)["prediction"])
            == ROWS + LATER_ROWS
        )
        assert model.read_bytes() == sound


def test_a_project_goes_on_in_another_place(registered: Path, tmp_path: Path) -> None:
    """What it serves from is beside it: only MLflow knows absolute paths."""
    moved = tmp_path / "moved"
    subprocess.run(["cp", "-r", str(registered), str(moved)], check=True)
    text = (moved / "siklus.toml").read_text()
    assert str(registered) not in text
    assert answered("predict", moved / "rows.csv", "-C", moved)["version"] == "1"
    assert json.loads((moved / "contract.json").read_text())["target"]["name"] == "y"
