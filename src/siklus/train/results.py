"""What finished steps left behind, read back where a later step needs it."""

import io
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import joblib
import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.data.snapshot import open_snapshot
from siklus.data.split import By, Parts
from siklus.project.paths import Paths
from siklus.stats.agreement import Parity
from siklus.table import Table
from siklus.train.evaluate import Evaluation
from siklus.train.gates import GateResult
from siklus.train.own import import_own_from
from siklus.train.steps import newest_first

RESULT_FILE = "result.json"
PARTS_FILE = "parts.npz"
MATRIX_FILE = "matrix.npy"
TARGET_FILE = "target.npy"
MODEL_FILE = (
    "model.joblib"  # in this project's own working state: never in a bundle, never opened by a server
)
PREDICTIONS_FILE = "predictions.npy"

T = TypeVar("T")


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """``rows`` are kept; ``without_target`` were left out, and the rest of ``source_rows`` not sampled."""

    digest: str
    rows: int
    without_target: int
    source_rows: int
    source: str


class LeaderboardRow(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    candidate: str
    parameters: dict[str, Any]
    score: float | None
    seconds: float
    why: str = ""


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    metric: str
    candidate: str
    parameters: dict[str, Any]
    why: str
    best_of_each: list[LeaderboardRow]
    trials: list[LeaderboardRow]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """``format`` of the sealed model; ``parity`` of the ONNX graph, if there is one; ``why`` it is native."""

    format: str
    parity: Parity | None
    why: str = ""


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """``champion``: the digest of the bundle that it was compared with, where a gate asks for one."""

    passed: bool
    champion: str | None
    gates: tuple[GateResult, ...]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What a training came to: `siklus train --json` prints it. ``version`` is None when a gate failed.

    ``champion``: as in Gated. ``signers``: the ids of the keys that had signed it then.
    """

    version: int | None
    stage: str | None
    run_id: str
    passed: bool
    gates: tuple[GateResult, ...]
    metrics: dict[str, float | None]
    parity: Parity | None
    model: str
    bundle: str | None
    champion: str | None = None
    signers: tuple[str, ...] = ()


def save_array(path: Path, array: NDArray[Any]) -> None:
    """`numpy.save`, but with the reason when it fails: of a full disk numpy itself tells none."""
    with path.open("wb") as file:
        np.lib.format.write_array(_Chunks(file), array)


class _Chunks(io.RawIOBase):
    """A file that numpy does not take for one of the system's."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        return self._file.write(data)


def leave(draft: Path, result: msgspec.Struct) -> None:
    (draft / RESULT_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))


def read_result(directory: Path, kind: type[T]) -> T | None:
    """What a step left; None where there is no such result, or of another version of Siklus."""
    try:
        return msgspec.json.decode((directory / RESULT_FILE).read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def last_release(steps: Path) -> Release | None:
    """What the training that ended last came to, of those whose steps are kept there; None without one."""
    found = (read_result(directory, Release) for directory in newest_first(steps, "register"))
    return next(filter(None, found), None)


class Results:
    """The finished steps of one training, by name; each thing is read once."""

    def __init__(self, directories: Mapping[str, Path], *, paths: Paths) -> None:
        self.directories = directories
        self._snapshots = paths.snapshots
        self._root = paths.root

    def of(self, step: str, kind: type[T]) -> T:
        return msgspec.json.decode((self.directories[step] / RESULT_FILE).read_bytes(), type=kind)

    @cached_property
    def table(self) -> Table:
        return open_snapshot(self.of("ingest", Ingested).digest, self._snapshots)

    @cached_property
    def parts(self) -> Parts:
        with np.load(self.directories["split"] / PARTS_FILE) as kept:
            return Parts(
                by=msgspec.convert(str(kept["by"]), type=By),
                train=kept["train"],
                valid=kept["valid"],
                test=kept["test"],
            )

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """All decoded rows, (rows, contract.width)."""
        matrix: NDArray[np.float32] = np.load(self.directories["prepare"] / MATRIX_FILE, mmap_mode="r")
        return matrix

    @cached_property
    def target(self) -> NDArray[Any]:
        target: NDArray[Any] = np.load(self.directories["prepare"] / TARGET_FILE)
        return target

    @cached_property
    def model(self) -> Any:
        import_own_from(self._root)
        return joblib.load(self.directories["search"] / MODEL_FILE)

    @cached_property
    def predictions(self) -> NDArray[np.float64]:
        """The fitted model's own, of the test part."""
        predictions: NDArray[np.float64] = np.load(self.directories["evaluate"] / PREDICTIONS_FILE)
        return predictions

    @cached_property
    def evaluation(self) -> Evaluation:
        return self.of("evaluate", Evaluation)

    def pictures(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in sorted(self.directories["evaluate"].glob("*.png"))}
