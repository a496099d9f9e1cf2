"""The whole way, as a user goes it: init, train, serve, predict; every door gives the same answers."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from siklus.bundle.read import open_bundle
from siklus.contract.decode import decode_table
from siklus.data.frames import table_of
from siklus.table import Table

with warnings.catch_warnings(action="ignore"):
    import mlflow.pyfunc  # MLflow warns about its own type hints

QUICK = {"SIKLUS_TRAIN__TRIALS": "3", "SIKLUS_TRAIN__JOBS": "1"}
# Diabetes is the hard one: half of a disease's course is chance, as every published model of it shows.
LEAST = {
    "breast_cancer": ("accuracy", 0.9),
    "wine": ("accuracy", 0.9),
    "digits": ("accuracy", 0.9),
    "diabetes": ("r2", 0.3),
}


def siklus(
    *words: str, folder: Path, environment: Mapping[str, str] = QUICK
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from siklus.cli.main import main; sys.exit(main())", *words]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@contextmanager
def served(folder: Path) -> Iterator[httpx.Client]:
    """`siklus serve` on a free port, which it says on stderr."""
    command = [sys.executable, "-c", "from siklus.cli.main import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = json.loads(server.stderr.readline())["url"]
        try:
            with httpx.Client(base_url=address, timeout=60) as client:
                while client.get("/ready").status_code != 200:
                    pass
                yield client
        finally:
            server.terminate()


def mlflow_predicts(store: str, model: str, rows: pd.DataFrame) -> list[Any]:
    with warnings.catch_warnings(action="ignore"):  # of MLflow's own: deprecated SQL, its types
        mlflow.set_tracking_uri(store)
        mlflow.set_registry_uri(store)
        answers: list[Any] = np.asarray(mlflow.pyfunc.load_model(model).predict(rows)).tolist()
    return answers


def features_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=15))
    return rows


@pytest.mark.parametrize(
    "name",
    [
        "wine",
        pytest.param("breast_cancer", marks=pytest.mark.slow),
        pytest.param("diabetes", marks=pytest.mark.slow),
        pytest.param("digits", marks=pytest.mark.slow),
    ],
)
def test_a_table_becomes_answers_that_are_the_same_by_every_door(name: str, tmp_path: Path) -> None:
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    frame.to_csv(tmp_path / "rows.csv", index=False)
    siklus("init", "--data", "rows.csv", "--target", "target", "project", folder=tmp_path)
    project = tmp_path / "project"
    release = json.loads(siklus("train", "--json", folder=project).stdout)
    metric, least = LEAST[name]
    assert release["passed"]
    assert release["version"] == 1
    assert release["parity"]["holds"]
    assert release["metrics"][metric] >= least

    rows = frame.drop(columns="target")
    bundle = open_bundle(Path(release["bundle"]))
    decoded = decode_table(
        table_of(pd.read_csv(tmp_path / "rows.csv").drop(columns="target")), bundle.contract
    )
    in_process = bundle.labels(bundle.predict(decoded.accepted()))
    with served(project) as client:
        over_http = client.post("/predict/batch", json={"instances": features_of(rows)}).json()
        first = client.post("/predict", json={"features": features_of(rows.head(1))[0]}).json()
    by_mlflow = mlflow_predicts(f"sqlite:///{project}/.siklus/mlflow.db", "models:/project@champion", rows)

    assert over_http["version"] == "1"
    assert over_http["predictions"] == in_process
    assert first["prediction"] == in_process[0]
    assert by_mlflow == in_process
    scored = siklus("predict", "../rows.csv", "--json", folder=project).stdout
    assert json.loads(scored)["prediction"] == in_process


def test_a_version_gives_back_the_rows_that_it_was_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = Table({"x": rng.normal(size=200), "word": rng.choice(["a", "b"], size=200).astype(object)})
    target = rows["x"] * 2 + rng.normal(size=200)
    frame = pd.DataFrame({**rows.columns, "y": target})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    siklus("init", "--data", "rows.csv", "--target", "y", "--task", "regression", folder=tmp_path)
    siklus("train", folder=tmp_path)
    (tmp_path / "rows.csv").write_text("x,word,y\n1.0,a,2.0\n")  # the source moves on
    siklus("data", "checkout", "1", "--to", "back.csv", folder=tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "back.csv"), frame)
