"""Small bundles to seal and to damage. Their models are weighted sums: each answer follows from a formula."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from siklus.bundle.golden import golden_answers
from siklus.bundle.papers import Golden, Provenance
from siklus.bundle.write import Contents, manifest_of, seal
from siklus.contract.columns import Boolean, Category, Contract, Datetime, Integer, Number, Target
from siklus.stats.profile import Profile, profile_numbers

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

COLUMNS = (
    Number(name="distance", nullable=True),
    Integer(name="seats", nullable=True),
    Category(name="carrier", vocabulary=("AA", "UA", "DL"), nullable=True),
    Boolean(name="is late", nullable=True),
    Datetime(name="time_hour", parts=("weekday", "hour")),
    Number(name="wind", optional=True, default=5.0),
)
MINUTES = Contract(columns=COLUMNS, target=Target(name="minutes"), ignored=("id",))
LATE = Contract(columns=COLUMNS, target=Target(name="late", classes=("no", "yes")))

# Powers of two: each cell can be read off the sum.
WEIGHTS = np.array([1, 2, 4, 8, 16, 32, 64], dtype=np.float32)

INSTANCES: list[dict[str, Any]] = [
    {
        "distance": 100.5,
        "seats": 3,
        "carrier": "UA",
        "is late": True,
        "time_hour": "2013-01-02T05:00:00",
        "wind": 1.0,
    },
    {
        "distance": None,
        "seats": None,
        "carrier": None,
        "is late": None,
        "time_hour": "2013-01-07T23:00:00",
        "wind": 0.0,
    },
    {
        "distance": -2,
        "seats": 0,
        "carrier": "ZZ",
        "is late": False,
        "time_hour": "2013-01-06T00:00:00Z",
        "wind": 2.5,
    },
]
# What decode makes of them, a missing cell read as 0: 2013-01-02 was a Wednesday, an unseen carrier is -1.
DECODED = np.array(
    [
        [100.5, 3, 1, 1, 2, 5, 1],
        [0, 0, 0, 0, 0, 23, 0],
        [-2, 0, -1, 0, 6, 0, 2.5],
    ],
    dtype=np.float32,
)
SUMS: NDArray[np.float64] = (DECODED @ WEIGHTS).astype(np.float64)


def logistic(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of (no, yes), shape (rows, 2): those of the classifier, on sums over 1024."""
    yes = 1 / (1 + np.exp(-sums / 1024))
    return np.stack([1 - yes, yes], axis=1)


def contents(contract: Contract = MINUTES, **changes: Any) -> Contents:
    """What is sealed, with golden rows when the model can answer them."""
    made = Contents(
        name="flights",
        contract=contract,
        model=regressor() if contract.task == "regression" else classifier(),
        model_format="onnx",
        golden=Golden(instances=[], outputs=[]),
        provenance=Provenance(
            siklus="0",
            trained="2026-01-31",
            model_kind="by hand",
            triggered_by="a test",
            data_digest="d" * 64,
            environment={"python": "3.11.7", "numpy": "2.0.0", "scikit_learn": "1.6.0"},
        ),
        profile=Profile(rows=1, columns={}, prediction=profile_numbers(np.arange(10.0))),
        evaluation={"mae": 9.5},
        pictures={"residuals.png": b"\x89PNG"},
        card="# flights\n",
    )
    if "model" not in changes:
        manifest = manifest_of(made, now=NOW)
        made = replace(
            made, golden=golden_answers(made.model, INSTANCES, manifest=manifest, contract=contract)
        )
    return replace(made, **changes)


def sealed(path: Path, contract: Contract = MINUTES, **changes: Any) -> Path:
    seal(contents(contract, **changes), path, now=NOW)
    return path


def regressor(weights: NDArray[np.float32] = WEIGHTS) -> bytes:
    """value = filled rows · weights."""
    sums = helper.make_node("MatMul", ["filled", "weights"], ["value"])
    return graph([*filled(), sums], "value", 1, {"weights": weights.reshape(-1, 1)})


def classifier() -> bytes:
    """probabilities = softmax(0, filled rows · weights / 1024), which is `logistic` of the sums."""
    weights = np.stack([np.zeros_like(WEIGHTS), WEIGHTS / 1024], axis=1)
    nodes = [
        *filled(),
        helper.make_node("MatMul", ["filled", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    return graph(nodes, "probabilities", 2, {"weights": weights})


def filled() -> list[onnx.NodeProto]:
    """A missing cell is 0."""
    return [
        helper.make_node("IsNaN", ["rows"], ["gaps"]),
        helper.make_node("Where", ["gaps", "zero", "rows"], ["filled"]),
    ]


def graph(
    nodes: Sequence[onnx.NodeProto],
    output: str,
    width: int,
    constants: dict[str, NDArray[Any]],
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
) -> bytes:
    """A model over `rows` (or other ``inputs``) with one output of ``width`` columns."""
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, len(WEIGHTS)])
    made = helper.make_graph(
        nodes,
        "by hand",
        [rows] if inputs is None else inputs,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, width])],
        [
            numpy_helper.from_array(values, name)
            for name, values in {"zero": np.zeros(1, dtype=np.float32), **constants}.items()
        ],
    )
    domains = sorted({node.domain for node in nodes} - {""})
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 3) for domain in domains)]
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())


def files_of(path: Path) -> list[str]:
    """All files of a bundle, the manifest too."""
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
