"""`siklus export`: a version's model as a file for somebody else."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime as ort
import pytest

from siklus.cli.main import main
from tests.cli.flowers import TARGET, fitted, joblib_of, project, rows

VERSIONED = ("package", "--target", TARGET, "--name", "flowers", "--trust-pickle", "--register")


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first version is a packaged pipeline."""
    directory = tmp_path_factory.mktemp("export")
    root = project(directory)
    model = joblib_of(fitted(), directory / "model.joblib")
    assert main([*VERSIONED, str(model), "--data", str(directory / "flowers.csv"), "-C", str(root)]) == 0
    return root


def export(garden: Path, out: Path, *options: str) -> int:
    return main(["export", "--out", str(out), "-C", str(garden), *options])


def scikit_learns(model: Any) -> np.ndarray:
    return np.asarray(model.predict_proba(rows()))


def test_the_first_packaged_version_is_in_production(garden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "-C", str(garden), "--json"]) == 0
    (version,) = json.loads(capsys.readouterr().out)
    assert (version["number"], version["stage"]) == (1, "production")
    assert version["metrics"]["accuracy"] == pytest.approx(fitted().score(rows(), fitted().predict(rows())), abs=0.1)


def test_the_next_packaged_version_waits_in_staging(garden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = garden.parent / "flowers.csv"
    arguments = [*VERSIONED, str(garden.parent / "model.joblib"), "--data", str(data), "-C", str(garden)]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["stage"]) == (2, "staging")


@pytest.mark.parametrize("form", ["joblib", "joblib-gz", "pickle"])
def test_the_estimator_comes_back_as_it_was_fitted(form: str, garden: Path, tmp_path: Path) -> None:
    assert export(garden, tmp_path / "model", "--format", form) == 0
    content = (tmp_path / "model").read_bytes()
    assert (content[:2] == b"\x1f\x8b") == (form == "joblib-gz")
    model = pickle.loads(content) if form == "pickle" else joblib.load(tmp_path / "model")
    assert np.array_equal(scikit_learns(model), scikit_learns(fitted()))


def test_the_graph_is_the_one_that_is_served(garden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(garden, tmp_path / "model.onnx", "1", "--format", "onnx", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    content = (tmp_path / "model.onnx").read_bytes()
    assert told == {"format": "onnx", "file": str(tmp_path / "model.onnx"), "bytes": len(content), "version": 1}
    (found,) = ort.InferenceSession(content).run(["probabilities"], {"rows": rows().to_numpy(np.float32)})
    assert np.abs(found - scikit_learns(fitted())).max() <= 1e-5


@pytest.mark.parametrize("form", ["torch", "torch-model"])
def test_only_a_network_is_written_as_one(
    form: str, garden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(garden, tmp_path / "model.pt", "--format", form) == 2
    assert "EX018" in capsys.readouterr().err
    assert not (tmp_path / "model.pt").exists()


def test_an_unknown_format_names_those_there_are(
    garden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(garden, tmp_path / "model.h5", "--format", "keras") == 2
    assert "joblib-gz" in capsys.readouterr().err


def test_an_estimator_that_somebody_has_exchanged_is_not_read(
    garden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "garden"
    shutil.copytree(garden, copied)
    (kept,) = (file for file in copied.rglob("model.joblib") if _of_version(file, 1, garden))
    trace = tmp_path / "was here"
    kept.write_bytes(pickle.dumps(_Burglar(trace)))
    assert export(copied, tmp_path / "model", "1", "--format", "pickle") == 2
    assert "EX019" in capsys.readouterr().err
    assert not trace.exists()
