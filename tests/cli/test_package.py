"""`siklus package`: a model's file becomes a bundle, and a pickle only when its reader says so."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

from siklus.bundle.read import open_bundle
from siklus.cli.main import main
from siklus.contract.decode import decode_records
from siklus.train.export import to_onnx
from tests.cli.flowers import SPECIES, TARGET, fitted, flowers, rows

CODES = flowers()[TARGET].map({name: code for code, name in enumerate(SPECIES)}).to_numpy()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "flowers.csv"
    flowers().to_csv(file, index=False)
    return file


def package(file: Path, data: Path, *options: str) -> int:
    return main(["package", str(file), "--data", str(data), "--target", TARGET, "--name", "flowers", *options])


def boosted() -> Any:
    return xgb.XGBClassifier(n_estimators=5, n_jobs=1).fit(rows(), CODES)


def as_joblib(file: Path) -> np.ndarray:
    joblib.dump(fitted(), file)
    return fitted().predict_proba(rows())


def as_pickle(file: Path) -> np.ndarray:
    file.write_bytes(pickle.dumps(fitted()))
    return fitted().predict_proba(rows())


def as_graph(file: Path) -> np.ndarray:
    file.write_bytes(to_onnx(fitted(), width=4, task="classification", classes=SPECIES))
    return fitted().predict_proba(rows())


def as_xgboost(file: Path) -> np.ndarray:
    boosted().save_model(file)
    return boosted().predict_proba(rows())


def as_booster(file: Path) -> np.ndarray:
    boosted().get_booster().save_model(file)
    return boosted().predict_proba(rows())


def as_lightgbm(file: Path) -> np.ndarray:
    model = lgb.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1).fit(rows(), flowers()[TARGET])
    model.booster_.save_model(file)
    return model.predict_proba(rows())


FILES: dict[str, tuple[Callable[[Path], np.ndarray], tuple[str, ...]]] = {
    "model.joblib": (as_joblib, ("--trust-pickle",)),
    "model.pkl": (as_pickle, ("--trust-pickle",)),
    "model.onnx": (as_graph, ()),
    "model.json": (as_xgboost, ()),
    "model.ubj": (as_booster, ()),
    "model.txt": (as_lightgbm, ()),
}


@pytest.mark.parametrize("name", FILES)
def test_a_model_s_file_answers_from_its_bundle(name: str, data: Path, tmp_path: Path) -> None:
    write, options = FILES[name]
    wanted = write(tmp_path / name)
    assert package(tmp_path / name, data, *options, "--out", str(tmp_path / "bundle")) == 0
    bundle = open_bundle(tmp_path / "bundle")
    found = bundle.predict(decode_records(rows().to_dict("records"), bundle.contract).accepted())
    assert np.abs(found.raw - wanted).max() <= 1e-5


class Burglar:
    """What a hostile pickle does: a program of its own, when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl", "model.pickle", "model.joblib.gz"])
def test_nothing_of_a_pickle_runs_unless_it_is_trusted(
    name: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "was here"
    (tmp_path / name).write_bytes(pickle.dumps(Burglar(trace)))
    assert package(tmp_path / name, data) == 2
    assert not trace.exists()
    said = capsys.readouterr().err
    assert "EX016" in said
    assert "--trust-pickle" in said


def test_a_pickle_under_another_name_is_not_read_as_one(data: Path, tmp_path: Path) -> None:
    trace = tmp_path / "was here"
    for suffix in (".onnx", ".json", ".ubj", ".txt", ".model", ""):
        file = tmp_path / f"model{suffix}"
        file.write_bytes(pickle.dumps(Burglar(trace)))
        assert package(file, data) == 2
    assert not trace.exists()


def test_json_tells_what_came_of_it(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_graph(tmp_path / "model.onnx")
    assert package(tmp_path / "model.onnx", data, "-C", str(tmp_path), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == "onnx"
    assert told["task"] == "classification"
    assert told["version"] is None
    assert told["metrics"]["accuracy"] == pytest.approx(fitted().score(rows(), flowers()[TARGET]))
    assert Path(told["bundle"]) == tmp_path / ".siklus" / "bundles" / told["digest"]


def test_rows_that_it_was_not_fitted_on_judge_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_joblib(tmp_path / "model.joblib")
    flowers()[100:].to_csv(tmp_path / "late.csv", index=False)
    options = ("--trust-pickle", "--test", str(tmp_path / "late.csv"), "--out", str(tmp_path / "b"), "--json")
    assert package(tmp_path / "model.joblib", data, *options) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"]["accuracy"] == pytest.approx(fitted().score(rows()[100:], flowers()[TARGET][100:]))
    assert "may have been fitted" not in told["judged_on"]


def test_columns_and_rows_that_the_model_does_not_take_are_left_out(data: Path, tmp_path: Path) -> None:
    as_graph(tmp_path / "model.onnx")
    wide = flowers().assign(note="by hand")
    wide.loc[3, TARGET] = None
    wide.to_csv(data, index=False)
    assert package(tmp_path / "model.onnx", data, "--drop", "note", "--out", str(tmp_path / "b")) == 0
    bundle = open_bundle(tmp_path / "b")
    assert (len(bundle.contract.names), bundle.provenance().data_rows) == (4, 149)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("model.joblib", b"half a fi", "EX017"),
        ("model.h5", b"another library", "EX017"),
        ("model.json", b'{"no": "booster"}', "EX017"),
        ("model.txt", b"a letter", "EX017"),
        ("model.onnx", b"no graph", "EX014"),
    ],
)
def test_a_file_without_a_model_is_told(
    name: str, content: bytes, code: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert package(tmp_path / name, data, "--trust-pickle", "--out", str(tmp_path / "b")) == 2
    assert code in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_a_missing_file_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert package(tmp_path / "nowhere.joblib", data) == 2
    assert "EX017" in capsys.readouterr().err
