"""Small bundles with models written by hand, so that each expected answer follows from a formula."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from siklus.bundle.papers import Golden, Provenance
from siklus.bundle.write import Contents, seal
from siklus.contract.columns import Boolean, Category, Contract, Datetime, Integer, Label, Number, Target
from siklus.stats.profile import ColumnProfile, Profile, profile_numbers, profile_words

NOW = datetime(2026, 1, 31, tzinfo=UTC)

# Odd names on purpose: each must come through JSON, OpenAPI and the page as it is.
ODD = Contract(
    columns=(
        Number(name="petal length", minimum=0, maximum=10),
        Number(name="größe.cm", nullable=True),
        Integer(name="count", minimum=1, maximum=5, strict=True),
        Category(name="origin", vocabulary=("JFK", "LGA", "EWR")),
        Category(name="grade", vocabulary=(1, 2, 3), strict=True),
        Boolean(name="is_new", optional=True, default=False),
        Datetime(name="when", parts=("hour",)),
    ),
    target=Target(name="species", classes=("setosa", "versicolor", "virginica")),
)
ODD_ROW = {
    "petal length": 1.5,
    "größe.cm": None,
    "count": 2,
    "origin": "LGA",
    "grade": 3,
    "is_new": True,
    "when": "2024-01-31T08:00:00Z",
}
ODD_DECODED = [1.5, 0.0, 2.0, 1.0, 2.0, 1.0, 8.0]  # the model takes a missing number for 0

_CHANCE = np.random.default_rng(7)
ODD_WEIGHTS = _CHANCE.normal(size=(7, 3)).astype(np.float32) / 4


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def classifier(
    path: Path,
    *,
    contract: Contract = ODD,
    weights: np.ndarray = ODD_WEIGHTS,
    name: str = "irises",
    columns: Mapping[str, ColumnProfile] = MappingProxyType({}),
) -> Path:
    """Probabilities = softmax(rows · weights), a missing cell read as 0. ``columns``: of the profile."""
    nodes = [*_filled(), helper.make_node("MatMul", ["filled", "weights"], ["logits"])]
    nodes += [helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1)]
    classes = contract.target.classes or ()
    profile = profile_words(np.zeros(1), classes)
    model = _model(nodes, {"weights": weights}, contract.width, "probabilities", weights.shape[1])
    return _sealed(path, contract, model, profile, name, columns)


def numbers(*names: str) -> Contract:
    return Contract(columns=tuple(Number(name=name) for name in names), target=Target(name="minutes"))


def regressor(path: Path, *, reference: Sequence[float] = tuple(range(1, 101))) -> Path:
    """Value = √(2a + b), which is none below 0. ``reference``: what was predicted in training."""
    contract = numbers("a", "b")
    nodes = [*_filled(), helper.make_node("MatMul", ["filled", "weights"], ["sum"])]
    nodes += [helper.make_node("Sqrt", ["sum"], ["value"])]
    model = _model(nodes, {"weights": np.array([[2], [1]], dtype=np.float32)}, 2, "value", 1)
    return _sealed(path, contract, model, profile_numbers(np.array(reference)), "minutes")


def slow_regressor(path: Path, *, rounds: int, cells: int = 1) -> Path:
    """Value = a, after ``rounds`` turns of a loop that adds nothing (about a microsecond each).

    Each row takes so many ``cells`` through every turn: with many, rows cost as much together as alone.
    """
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still_on"]),
            helper.make_node("Add", ["before", "nothing"], ["after"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [None, cells]),
        ],
        [
            helper.make_tensor_value_info("still_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [None, cells]),
        ],
    )
    nodes = [
        helper.make_node("Add", ["rows", "wide"], ["spread"]),
        helper.make_node("Loop", ["rounds", "yes", "spread"], ["turned"], body=body),
        helper.make_node("Slice", ["turned", "first", "second", "second"], ["value"]),
    ]
    constants = {
        "wide": np.zeros(cells, dtype=np.float32),
        "first": np.array([0], dtype=np.int64),
        "second": np.array([1], dtype=np.int64),
        "rounds": np.array(rounds, dtype=np.int64),
        "yes": np.array(True),
        "nothing": np.zeros(1, dtype=np.float32),
    }
    model = _model(nodes, constants, 1, "value", 1)
    return _sealed(path, numbers("a"), model, profile_numbers(np.arange(10.0)), "slow")


def brittle_regressor(path: Path, *, first: int = 0) -> Path:
    """Value = a - first for it and the next two; for anything else the graph itself fails while it runs."""
    nodes = [
        *_filled(),
        helper.make_node("Sub", ["filled", "first"], ["moved"]),
        helper.make_node("Cast", ["moved"], ["place"], to=TensorProto.INT64),
        helper.make_node("GatherElements", ["values", "place"], ["value"]),
    ]
    constants = {
        "values": np.array([[0], [1], [2]], dtype=np.float32),
        "first": np.array([first], dtype=np.float32),
    }
    model = _model(nodes, constants, 1, "value", 1)
    return _sealed(path, numbers("a"), model, profile_numbers(np.arange(3.0)), "brittle")


def labelled(classes: tuple[Label, ...]) -> Contract:
    """One number that says, by its sign, which of two classes it is."""
    return Contract(columns=(Number(name="x"),), target=Target(name="y", classes=classes))


TWO_CLASSES = np.array([[-1, 1]], dtype=np.float32)


def _filled() -> list[onnx.NodeProto]:
    return [
        helper.make_node("IsNaN", ["rows"], ["gaps"]),
        helper.make_node("Where", ["gaps", "zero", "rows"], ["filled"]),
    ]


def _model(
    nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], width: int, output: str, outputs: int
) -> bytes:
    constants = {"zero": np.zeros(1, dtype=np.float32), **constants}
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def _sealed(
    path: Path,
    contract: Contract,
    model: bytes,
    prediction: ColumnProfile,
    name: str,
    columns: Mapping[str, ColumnProfile] = MappingProxyType({}),
) -> Path:
    contents = Contents(
        name=name,
        contract=contract,
        model=model,
        model_format="onnx",
        golden=Golden(instances=[], outputs=[]),
        provenance=Provenance(siklus="0", trained="2026-01-31", model_kind="by hand", triggered_by="a test"),
        profile=Profile(rows=1, columns=dict(columns), prediction=prediction),
    )
    seal(contents, path, now=NOW)
    return path
