"""`siklus package --register` and `siklus export`: a model goes into the registry and comes out as a file."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime as ort
import pytest

from tests.cli.flowers import TARGET, Burglar, fitted, flowers, measures, probabilities
from tests.cli.projects import Answer, answered, new_project, siklus


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory, store: str) -> Path:
    """A project with two versions, both the same packaged pipeline."""
    folder = tmp_path_factory.mktemp("gardens") / "garden"
    new_project(folder, flowers().to_dict("records"), store=store)
    joblib.dump(fitted(), folder / "model.joblib")
    for stage in ("production", "staging"):
        assert registered_again(folder)["stage"] == stage
    return folder


def registered_again(folder: Path) -> Any:
    words = ("--target", TARGET, "--name", "flowers", "--trust-pickle", "--register", "-C", folder)
    return answered("package", folder / "model.joblib", "--data", folder / "rows.csv", *words)


def export(garden: Path, out: Path, *options: str) -> Answer:
    return siklus("export", "--out", out, "-C", garden, *options)


def test_packaged_versions_are_listed_with_what_they_are_worth(garden: Path) -> None:
    versions = answered("models", "-C", garden)
    assert [(version["number"], version["stage"]) for version in versions[-2:]] == [
        (2, "staging"),
        (1, "production"),
    ]
    accuracy = fitted().score(measures(), flowers()[TARGET])
    assert versions[-1]["metrics"]["accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize("form", ["joblib", "joblib-gz", "pickle"])
def test_the_estimator_comes_back_as_it_was_fitted(form: str, garden: Path, tmp_path: Path) -> None:
    assert export(garden, tmp_path / "model", "--format", form).code == 0
    content = (tmp_path / "model").read_bytes()
    assert content.startswith(b"\x1f\x8b") == (form == "joblib-gz")
    model = pickle.loads(content) if form == "pickle" else joblib.load(tmp_path / "model")
    assert np.array_equal(probabilities(model), probabilities(fitted()))


def test_a_trained_version_s_estimator_is_kept_too(registered: Path, tmp_path: Path) -> None:
    told = answered("export", "1", "--out", tmp_path / "m", "--format", "joblib", "-C", registered)
    assert told == {
        "format": "joblib",
        "file": str(tmp_path / "m"),
        "bytes": (tmp_path / "m").stat().st_size,
        "version": 1,
    }
    model = joblib.load(tmp_path / "m")
    assert model.predict(np.zeros((1, model.n_features_in_), dtype=np.float32)).shape == (1,)


def test_the_graph_is_the_one_that_is_served(garden: Path, tmp_path: Path) -> None:
    told = answered("export", "1", "--out", tmp_path / "m.onnx", "-C", garden)
    content = (tmp_path / "m.onnx").read_bytes()
    assert (told["format"], told["bytes"]) == ("onnx", len(content))
    (found,) = ort.InferenceSession(content).run(["probabilities"], {"rows": measures().to_numpy(np.float32)})
    assert np.abs(found - probabilities(fitted())).max() <= 1e-5


@pytest.mark.parametrize("form", ["torch", "torch-model"])
def test_only_a_network_is_written_as_one(form: str, garden: Path, tmp_path: Path) -> None:
    found = export(garden, tmp_path / "model.pt", "--format", form)
    assert (found.code, found.err.split()[1]) == (2, "EX018")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_names_those_there_are(garden: Path, tmp_path: Path) -> None:
    found = export(garden, tmp_path / "model.h5", "--format", "keras")
    assert found.code == 2
    assert "joblib-gz" in found.err


def test_an_estimator_that_somebody_has_exchanged_is_not_read(garden: Path, tmp_path: Path) -> None:
    before = set(garden.rglob("estimator/model.joblib"))
    number = registered_again(garden)["version"]
    (kept,) = set(garden.rglob("estimator/model.joblib")) - before
    trace = tmp_path / "was here"
    kept.write_bytes(pickle.dumps(Burglar(trace)))
    found = export(garden, tmp_path / "model", str(number), "--format", "pickle")
    assert (found.code, found.err.split()[1], trace.exists()) == (2, "EX019", False)


def test_a_graph_that_came_as_one_has_no_estimator(garden: Path, tmp_path: Path) -> None:
    assert export(garden, tmp_path / "m.onnx", "1").code == 0
    words = ("--target", TARGET, "--name", "flowers", "--register", "-C", garden)
    told = answered("package", tmp_path / "m.onnx", "--data", garden / "rows.csv", *words)
    found = export(garden, tmp_path / "m", str(told["version"]), "--format", "pickle")
    assert (found.code, found.err.split()[1]) == (2, "EX018")
