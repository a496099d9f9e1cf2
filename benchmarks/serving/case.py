"""The case: a forest of 100 trees on 20 features, as tutorials have it, in the forms that servers take.

Made once, into a cache: as joblib for BASELINE, as plain ONNX for those that take a graph, and as a bundle.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import joblib
import msgspec
import numpy as np
import sklearn
from onnx import ModelProto
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import siklus
from benchmarks.serving.failures import BenchmarkError

FEATURES = 20
TREES = 100
TRAINING_ROWS = 2000
ASKED_ROWS = 400
SEED = 7
DECIMALS = 4  # as a person would write them; the model learns from the same numbers
NEAR_A_TIE = 0.02  # there a row falls to either class by rounding alone, which is no error of a server


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Where the model's files are, and the rows that are asked with the class of each by scikit-learn."""

    directory: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    classes: tuple[int, ...]

    @property
    def pickle(self) -> Path:
        return self.directory / "forest.joblib"

    @property
    def graph(self) -> Path:
        return self.directory / "forest.onnx"

    @property
    def bundle(self) -> Path:
        return self.directory / "bundle"


@dataclass(frozen=True)
class _Forest:
    model: RandomForestClassifier
    X: np.ndarray
    y: np.ndarray


def default_cache() -> Path:
    """A directory for this user alone: a pickle that somebody else put there would be run."""
    path = Path(tempfile.gettempdir()) / f"siklus-benchmarks-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise BenchmarkError(f"{path} is not a directory of yours: name another one with --cache")
    return path


def open_case(cache: Path) -> Case:
    """The case of this version of the code, made now if the cache has none."""
    directory = cache / f"case-{_key()}"
    if not directory.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
        _make(unfinished, at=directory)
        try:
            unfinished.rename(directory)
        except OSError:  # another run was quicker
            shutil.rmtree(unfinished)
    return msgspec.json.decode((directory / "case.json").read_bytes(), type=Case, dec_hook=_path)


def _path(kind: type, text: str) -> Path:
    assert kind is Path
    return Path(text)


def _key() -> str:
    made_of = [Path(__file__).read_text(), sklearn.__version__, siklus.__version__]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]


def _make(directory: Path, *, at: Path) -> None:
    forest = _fitted()
    joblib.dump(forest.model, directory / "forest.joblib")
    graph = to_onnx(forest.model, forest.X[:1].astype(np.float32), options={"zipmap": False})
    assert isinstance(graph, ModelProto)
    (directory / "forest.onnx").write_bytes(graph.SerializeToString())
    bundle = siklus.package(forest.model, forest.X, forest.y, name="tutorial", directory=directory / "bundle")
    rows = _clear_rows(forest)
    case = Case(
        directory=at,
        columns=tuple(column.name for column in bundle.contract.columns),
        rows=tuple(tuple(row) for row in rows.tolist()),
        classes=tuple(forest.model.predict(rows).tolist()),
    )
    (directory / "case.json").write_bytes(msgspec.json.encode(case, enc_hook=str))


def _fitted() -> _Forest:
    X, y = make_classification(n_samples=TRAINING_ROWS, n_features=FEATURES, random_state=SEED)
    X = np.round(X, DECIMALS)
    return _Forest(RandomForestClassifier(n_estimators=TREES, random_state=SEED).fit(X, y), X, y)


def _clear_rows(forest: _Forest) -> np.ndarray:
    clear = np.abs(forest.model.predict_proba(forest.X)[:, 1] - 0.5) > NEAR_A_TIE
    return forest.X[clear][:ASKED_ROWS]
