"""The MLflow project that `siklus deploy mlproject` writes, and `mlflow run` on it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from siklus.tracking.boundary import calling
from tests.architecture.source import ROOT
from tests.cli.projects import new_project, siklus, straight_rows
from tests.doctor.patients import patient

GOLDEN = ROOT / "tests" / "deploy" / "golden" / "mlproject"
FILES = ("MLproject", "python_env.yaml")
CONSTRAINTS = "deploy/mlproject/constraints.txt"
# What would break out of YAML, of a shell, of Jinja, of MLflow's own braces, or of the folder.
CORPUS = [
    "a\nb",
    "a;b",
    "$(id)",
    "`id`",
    "../up",
    'a"b',
    "a'b",
    "{{ x }}",
    "${{ x }}",
    "{x}",
    "a\u2028b",
    " ",
]
PUBLISHED = '[deploy]\nsiklus = "siklus==1.2.0"\n'
WITH_LIGHTGBM = {"TRAIN__CANDIDATES": '["linear", "lightgbm"]'}


def written(folder: Path, **settings: str) -> dict[str, str]:
    assert siklus("deploy", "mlproject", "-C", folder, **settings).code == 0
    return {name: (folder / name).read_text() for name in (*FILES, CONSTRAINTS)}


def test_the_files_are_those_that_were_read_and_found_good(tmp_path: Path) -> None:
    """Where they are meant to change: write them into the golden folder, and read what `git diff` says."""
    found = written(patient(tmp_path / "line", PUBLISHED), **WITH_LIGHTGBM)
    for name in FILES:
        assert found[name] == (GOLDEN / name).read_text(), name


def test_mlflow_is_told_which_entry_points_there_are(tmp_path: Path) -> None:
    found = yaml.safe_load(written(patient(tmp_path, PUBLISHED))["MLproject"])
    points = found["entry_points"]
    assert set(points) == {"train", "main", "evaluate", "serve", "retrain"}
    assert points["main"] == points["train"]
    for point in points.values():
        assert all(f"{{{name}}}" in point["command"] for name in point["parameters"])
        assert all({"type", "default"} == set(each) for each in point["parameters"].values())


def test_what_the_candidates_need_is_installed_at_tested_versions(tmp_path: Path) -> None:
    found = written(patient(tmp_path, PUBLISHED), **WITH_LIGHTGBM)
    environment = yaml.safe_load(found["python_env.yaml"])
    assert environment["dependencies"] == ["siklus[lightgbm]==1.2.0", f"-c {CONSTRAINTS}"]
    pinned = dict(line.split("==") for line in found[CONSTRAINTS].splitlines()[1:])
    assert {"lightgbm", "scikit-learn", "mlflow-skinny", "onnxruntime"} <= set(pinned)
    assert "xgboost-cpu" not in pinned


def test_a_wheel_of_the_project_is_installed_from_where_it_lies(tmp_path: Path) -> None:
    folder = patient(tmp_path, '[deploy]\nsiklus = "deploy/siklus-1.2.0-py3-none-any.whl"\n')
    (folder / "deploy").mkdir()
    (folder / "deploy" / "siklus-1.2.0-py3-none-any.whl").touch()
    environment = yaml.safe_load(written(folder)["python_env.yaml"])
    assert environment["dependencies"][0] == "./deploy/siklus-1.2.0-py3-none-any.whl"


def test_a_file_that_a_person_has_changed_is_left_alone(tmp_path: Path) -> None:
    folder = patient(tmp_path, PUBLISHED)
    written(folder)
    (folder / "MLproject").write_text("name: mine\n")
    assert "kept" in siklus("deploy", "mlproject", "-C", folder).out
    assert (folder / "MLproject").read_text() == "name: mine\n"
    assert "replaced" in siklus("deploy", "mlproject", "-C", folder, "--force").out
    assert (folder / "MLproject").read_text() != "name: mine\n"


@pytest.mark.parametrize("word", CORPUS)
@pytest.mark.parametrize("key", ["PROJECT__NAME", "DEPLOY__SIKLUS", "DEPLOY__BASE", "TRAIN__CANDIDATES"])
def test_words_that_would_break_out_are_refused_or_quoted(
    key: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of [project] and [deploy] are refused; of candidates only known extras stand in a file."""
    folder = patient(tmp_path / "p", PUBLISHED)
    value = f"[{_toml(word)}]" if key == "TRAIN__CANDIDATES" else _toml(word)
    found = siklus("deploy", "mlproject", "-C", folder, **{key: value})
    if key == "TRAIN__CANDIDATES":
        assert word.strip() == "" or word not in (folder / "python_env.yaml").read_text()
        return
    assert found.code == 2
    assert "siklus: PJ004" in found.err
    assert not (folder / "MLproject").exists()


def _toml(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def test_the_page_tells_of_every_entry_point() -> None:
    page = (ROOT / "docs" / "mlproject.md").read_text()
    points = yaml.safe_load((GOLDEN / "MLproject").read_text())["entry_points"]
    assert [name for name in points if f"`{name}`" not in page] == []


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A project in a git repository, as `mlflow run` finds it elsewhere."""
    folder = new_project(tmp_path / "line", straight_rows(240), "--key", "id", more=PUBLISHED)
    written(folder)
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "A line"]):
        identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_mlflow_runs_train_and_evaluate_and_both_runs_stand_in_one_store(
    committed: Path, tmp_path: Path
) -> None:
    store = f"sqlite:///{committed}/.siklus/mlflow.db"
    trained = mlflow_run(committed, ".", "-P", "trials=3", store=store, tmp=tmp_path)
    assert trained.returncode == 0, trained.stderr
    runs = _runs(store)
    outer = next(run for run in runs if run.data.tags.get("mlflow.project.entryPoint") == "main")
    inner = next(run for run in runs if run.info.run_name.startswith("train "))
    assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert "Version 1 is registered" in trained.stdout

    passing = mlflow_run(committed, ".", "-e", "evaluate", "-P", "trials=3", store=store, tmp=tmp_path)
    assert passing.returncode == 0, passing.stderr
    words = {"SIKLUS_GATES__MAE": '"<= 0.0001"'}
    failing = mlflow_run(
        committed, ".", "-e", "evaluate", "-P", "trials=3", store=store, tmp=tmp_path, more=words
    )
    assert failing.returncode == 1
    assert "A gate fails." in failing.stdout
    assert [run.info.status for run in _runs(store)].count("FAILED") == 1


@pytest.mark.slow
def test_mlflow_runs_a_repository_and_a_parameter_runs_nothing(committed: Path, tmp_path: Path) -> None:
    """Cloned to a folder of MLflow's own; what stands in a parameter is a word to the shell, no command."""
    state, mark = tmp_path / "state", tmp_path / "mark"
    store = f"sqlite:///{state}/mlflow.db"
    more = {"SIKLUS_STATE__DIRECTORY": str(state)}
    state.mkdir()
    address = f"file://{committed}"
    done = mlflow_run(committed, address, "-P", "trials=3", store=store, tmp=tmp_path, more=more)
    assert done.returncode == 0, done.stderr
    assert not (committed / ".siklus").exists()
    assert (state / "bundles").is_dir()

    sly = mlflow_run(committed, ".", "-P", f"trials=3; touch {mark}", store=store, tmp=tmp_path, more=more)
    assert sly.returncode == 1
    assert "PJ004" in sly.stderr
    assert not mark.exists()


def mlflow_run(
    folder: Path, *words: str, store: str, tmp: Path, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`mlflow run` of ``words`` with this very Siklus on the path."""
    bin_folder = tmp / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = bin_folder / "siklus"
    program = "import sys; from siklus.cli.main import main; sys.exit(main())"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}" "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "SIKLUS_TRAIN__CANDIDATES": '["linear"]',
        "SIKLUS_TRAIN__JOBS": "1",
        **(more or {}),
    }
    run = [sys.executable, "-m", "mlflow", "run", *words, "--env-manager=local"]
    return subprocess.run(
        run, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def _runs(store: str) -> list[Any]:
    with calling(store):
        client = MlflowClient(store)
        places = [each.experiment_id for each in client.search_experiments()]
        return list(client.search_runs(places))
