"""`siklus package`: a model's file becomes a bundle, and a pickle only when its reader says so."""

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
from siklus.contract.decode import decode_records
from siklus.train.export import to_onnx
from tests.cli.flowers import SPECIES, TARGET, Burglar, fitted, flowers, measures, probabilities
from tests.cli.projects import Answer, siklus

CODES = np.repeat([0, 1, 2], 50)  # of the species, as the flowers are ordered


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "flowers.csv"
    flowers().to_csv(file, index=False)
    return file


def package(file: Path, data: Path, *options: str | Path) -> Answer:
    return siklus("package", file, "--data", data, "--target", TARGET, "--name", "flowers", *options)


def boosted() -> Any:
    return xgb.XGBClassifier(n_estimators=5, n_jobs=1).fit(measures(), CODES)


def as_joblib(file: Path) -> Any:
    joblib.dump(fitted(), file)
    return fitted()


def as_pickle(file: Path) -> Any:
    file.write_bytes(pickle.dumps(fitted()))
    return fitted()


def as_graph(file: Path) -> Any:
    file.write_bytes(to_onnx(fitted(), width=4, task="classification", classes=SPECIES))
    return fitted()


def as_xgboost(file: Path) -> Any:
    boosted().save_model(file)
    return boosted()


def as_booster(file: Path) -> Any:
    boosted().get_booster().save_model(file)
    return boosted()


def as_lightgbm(file: Path) -> Any:
    model = lgb.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1).fit(measures(), flowers()[TARGET])
    model.booster_.save_model(file)
    return model


FILES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
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
    model = write(tmp_path / name)
    assert package(tmp_path / name, data, *options, "--out", tmp_path / "b").code == 0
    bundle = open_bundle(tmp_path / "b")
    rows = decode_records(measures().to_dict("records"), bundle.contract).accepted()
    assert bundle.contract.target.classes == tuple(SPECIES)
    assert np.abs(bundle.predict(rows).raw - probabilities(model)).max() <= 1e-5


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl", "model.pickle", "model.joblib.gz"])
def test_nothing_of_a_pickle_runs_unless_it_is_trusted(name: str, data: Path, tmp_path: Path) -> None:
    trace = tmp_path / "was here"
    (tmp_path / name).write_bytes(pickle.dumps(Burglar(trace)))
    found = package(tmp_path / name, data)
    assert (found.code, trace.exists()) == (2, False)
    assert "EX016" in found.err
    assert "--trust-pickle" in found.err


@pytest.mark.parametrize("name", ["model.onnx", "model.json", "model.ubj", "model.txt", "model.bin", "model"])
def test_a_pickle_under_another_name_is_not_read_as_one(name: str, data: Path, tmp_path: Path) -> None:
    trace = tmp_path / "was here"
    (tmp_path / name).write_bytes(pickle.dumps(Burglar(trace)))
    assert (package(tmp_path / name, data).code, trace.exists()) == (2, False)


def test_json_tells_what_came_of_it(data: Path, tmp_path: Path) -> None:
    as_graph(tmp_path / "model.onnx")
    told = package(tmp_path / "model.onnx", data, "-C", tmp_path, "--json").document
    assert (told["format"], told["task"], told["version"]) == ("onnx", "classification", None)
    assert told["metrics"]["accuracy"] == pytest.approx(fitted().score(measures(), flowers()[TARGET]))
    assert Path(told["bundle"]) == tmp_path / ".siklus" / "bundles" / told["digest"]


def test_without_json_it_says_how_good_the_model_is_and_what_to_do_next(data: Path, tmp_path: Path) -> None:
    as_graph(tmp_path / "model.onnx")
    said = package(tmp_path / "model.onnx", data, "--out", tmp_path / "b").out
    for words in ("may have been fitted on", "accuracy", "Sealed as onnx", "siklus serve --bundle"):
        assert words in said


def test_rows_that_it_was_not_fitted_on_judge_it(data: Path, tmp_path: Path) -> None:
    as_joblib(tmp_path / "model.joblib")
    late = flowers()[100:]
    late.to_csv(tmp_path / "late.csv", index=False)
    options = ("--trust-pickle", "--test", tmp_path / "late.csv", "--out", tmp_path / "b", "--json")
    told = package(tmp_path / "model.joblib", data, *options).document
    assert told["metrics"]["accuracy"] == pytest.approx(
        fitted().score(late.drop(columns=TARGET), late[TARGET])
    )
    assert "may have been fitted on" not in told["judged_on"]


def test_columns_and_rows_that_the_model_does_not_take_are_left_out(data: Path, tmp_path: Path) -> None:
    as_graph(tmp_path / "model.onnx")
    wide = flowers().assign(note="by hand")
    wide.loc[3, TARGET] = None
    wide.to_csv(data, index=False)
    assert package(tmp_path / "model.onnx", data, "--drop", "note", "--out", tmp_path / "b").code == 0
    bundle = open_bundle(tmp_path / "b")
    assert (len(bundle.contract.names), bundle.provenance().data_rows) == (4, 149)


def test_a_model_that_knows_its_columns_takes_them_from_a_wider_file(data: Path, tmp_path: Path) -> None:
    as_joblib(tmp_path / "model.joblib")
    flowers().iloc[:, ::-1].assign(note="by hand").to_csv(data, index=False)
    assert package(tmp_path / "model.joblib", data, "--trust-pickle", "--out", tmp_path / "b").code == 0
    assert list(open_bundle(tmp_path / "b").contract.names) == list(measures().columns)


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
    name: str, content: bytes, code: str, data: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    found = package(tmp_path / name, data, "--trust-pickle", "--out", tmp_path / "b")
    assert (found.code, found.err.split()[1], (tmp_path / "b").exists()) == (2, code, False)


def test_a_missing_file_is_told(data: Path, tmp_path: Path) -> None:
    found = package(tmp_path / "nowhere.joblib", data)
    assert (found.code, found.err.split()[1]) == (2, "EX017")
