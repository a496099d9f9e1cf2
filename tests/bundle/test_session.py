"""Sessions: a graph gets what the contract gives, reads no other file, and runs no foreign operator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from siklus.bundle.manifest import read_manifest
from siklus.bundle.papers import Golden
from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.session import open_session
from siklus.contract.columns import Contract, Number, Target, Tensor, Text
from siklus.contract.decode import decode_records
from siklus.errors import BundleError
from tests.bundle.sealed import INSTANCES, MINUTES, WEIGHTS, filled, graph, sealed

NO_GOLDEN = Golden(instances=[], outputs=[])


def opened(path: Path, model: bytes, contract: Contract = MINUTES) -> Bundle:
    return open_bundle(sealed(path, contract, model=model, golden=NO_GOLDEN))


def refusal(path: Path, model: bytes, contract: Contract = MINUTES) -> str:
    with pytest.raises(BundleError) as caught:
        opened(path, model, contract)
    return caught.value.code


def test_a_session_answers_one_row_and_many_alike(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    session = open_session(path / "model.onnx", manifest=read_manifest(path), contract=MINUTES)
    rows = decode_records(INSTANCES, MINUTES).accepted()
    together = session.run(rows).values
    alone = [session.run(rows.take(slice(i, i + 1))).values[0] for i in range(len(rows))]
    assert together.tolist() == alone


def test_texts_and_tensors_are_inputs_of_their_own(tmp_path: Path) -> None:
    contract = Contract(
        columns=(Number(name="x"), Text(name="note", nullable=True), Tensor(name="image", shape=(2, 2))),
        target=Target(name="y"),
    )
    scores = {"keys_strings": ["good", "None"], "values_floats": [10.0, 500.0], "default_float": 0.0}
    nodes = [
        helper.make_node("LabelEncoder", ["note"], ["known"], domain="ai.onnx.ml", **scores),
        helper.make_node("ReduceSum", ["image", "axes"], ["ink"], keepdims=0),
        helper.make_node("Unsqueeze", ["ink", "one"], ["column"]),
        helper.make_node("Sum", ["rows", "known", "column"], ["value"]),
    ]
    model = graph(
        nodes,
        "value",
        1,
        {"axes": np.array([1, 2]), "one": np.array([1])},
        [
            helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 1]),
            helper.make_tensor_value_info("note", TensorProto.STRING, [None, 1]),
            helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 2, 2]),
        ],
    )
    instances: list[dict[str, Any]] = [
        {"x": 1, "note": "good", "image": [[0.25, 0.25], [0, 0]]},
        {"x": 2, "note": None, "image": [[0, 0], [0, 0.5]]},
    ]
    predictions = opened(tmp_path / "b", model, contract).predict(
        decode_records(instances, contract).accepted()
    )
    assert predictions.values.tolist() == [11.5, 2.5]


def regressing(
    nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]], rows: onnx.ValueInfoProto
) -> bytes:
    return graph(nodes, "value", 1, constants, [rows])


FIRST = [helper.make_node("Slice", ["rows", "from", "to", "axis"], ["value"])]
BOUNDS: dict[str, NDArray[Any]] = {"from": np.array([0]), "to": np.array([1]), "axis": np.array([1])}


@pytest.mark.parametrize(
    "rows",
    [
        helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 6]),
        helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 7, 1]),
        helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, 7]),
        helper.make_tensor_value_info("other", TensorProto.FLOAT, [None, 7]),
    ],
    ids=["narrower", "deeper", "double", "another name"],
)
def test_a_graph_that_takes_other_rows_is_refused(tmp_path: Path, rows: onnx.ValueInfoProto) -> None:
    nodes = [helper.make_node("Slice", [rows.name, "from", "to", "axis"], ["sliced"])]
    nodes += [helper.make_node("Cast", ["sliced"], ["value"], to=TensorProto.FLOAT)]
    assert refusal(tmp_path / "b", regressing(nodes, BOUNDS, rows)) == "BN008"


def test_a_graph_with_an_open_width_is_taken(tmp_path: Path) -> None:
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["rows", "columns"])
    bundle = opened(tmp_path / "b", regressing(FIRST, BOUNDS, rows))
    assert bundle.predict(decode_records(INSTANCES[:1], MINUTES).accepted()).values.tolist() == [100.5]


def test_a_graph_without_the_task_s_output_is_refused(tmp_path: Path) -> None:
    model = graph([*filled(), helper.make_node("Identity", ["filled"], ["answer"])], "answer", 7, {})
    assert refusal(tmp_path / "b", model) == "BN008"


def test_an_operator_of_an_unknown_domain_is_refused(tmp_path: Path) -> None:
    foreign = helper.make_node("Anything", ["rows"], ["value"], domain="com.example")
    assert refusal(tmp_path / "b", graph([foreign], "value", 1, {})) == "BN007"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a model at all", b"\x08\x09"])
def test_bytes_that_are_no_graph_are_refused(tmp_path: Path, data: bytes) -> None:
    assert refusal(tmp_path / "b", data) == "BN007"


def external(name: str, location: str) -> TensorProto:
    """Weights that lie in another file: the graph only names it."""
    tensor = numpy_helper.from_array(WEIGHTS.reshape(-1, 1), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(WEIGHTS.nbytes)}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def in_the_graph(location: str) -> onnx.GraphProto:
    made = skeleton([helper.make_node("MatMul", ["rows", "w"], ["value"])])
    made.initializer.append(external("w", location))
    return made


def in_a_constant(location: str) -> onnx.GraphProto:
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.add(name="value", type=AttributeProto.TENSOR).t.CopyFrom(external("w", location))
    return skeleton([constant, helper.make_node("MatMul", ["rows", "w"], ["value"])])


def in_a_branch(location: str) -> onnx.GraphProto:
    inner = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [7, 1])
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["inner"])], "branch", [], [inner])
    branch.initializer.append(external("w", location))
    always = helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
    either = helper.make_node("If", ["yes"], ["weights"], then_branch=branch, else_branch=branch)
    return skeleton([always, either, helper.make_node("MatMul", ["rows", "weights"], ["value"])])


def skeleton(nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
    return helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 7])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, 1])],
    )


@pytest.mark.parametrize(
    "place", [in_the_graph, in_a_constant, in_a_branch], ids=lambda place: place.__name__
)
@pytest.mark.parametrize("location", ["secret.bin", "absolute", "../secret.bin", "b/secret.bin"])
def test_weights_in_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Callable[[str], onnx.GraphProto], location: str
) -> None:
    (tmp_path / "inside").mkdir()
    for folder in (tmp_path, tmp_path / "inside"):
        (folder / "secret.bin").write_bytes(WEIGHTS.tobytes())
    monkeypatch.chdir(tmp_path / "inside")
    where = str(tmp_path / "secret.bin") if location == "absolute" else location
    model = helper.make_model(place(where), opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    assert refusal(tmp_path / "b", model.SerializeToString()) == "BN007"
