"""ONNX files from elsewhere: fitted to what a bundle takes, or refused with what is in the way."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import siklus
from siklus.bundle.read import Bundle
from siklus.contract.decode import decode_records
from siklus.errors import ExportError

with warnings.catch_warnings(action="ignore"):
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 3)).astype(np.float32)
Y = RANDOM.integers(0, 3, 80)
WEIGHTS = np.array([[1.0, -1.0], [0.5, 0.5], [0.0, 2.0]], dtype=np.float32)


def written(model: Any, **options: Any) -> onnx.ModelProto:
    """By skl2onnx, as its users do."""
    with warnings.catch_warnings(action="ignore"):
        return skl2onnx.to_onnx(model, X[:1], **options)


def by_hand(
    nodes: list[onnx.NodeProto],
    outputs: dict[str, int],
    *,
    shape: tuple[int, ...] = (3,),
    weights: np.ndarray = WEIGHTS,
    external: bool = False,
) -> onnx.ModelProto:
    """A graph from "given" over "weights". ``outputs``: element types by name."""
    constant = numpy_helper.from_array(weights, "weights")
    if external:
        onnx.external_data_helper.set_external_data(constant, "weights.bin")
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [constant],
    )
    domains = {node.domain for node in nodes} - {""}
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


SUMS = node("MatMul", "given weights", "sums")
FLOAT = {"y": TensorProto.FLOAT}


def packaged(model: Any, tmp_path: Path, rows: Any = X, outcomes: Any = Y) -> Bundle:
    return siklus.package(model, rows, outcomes, name="graph", directory=tmp_path / "b")


def answers(bundle: Bundle, rows: Any = X) -> np.ndarray:
    return bundle.predict(decode_records(np.asarray(rows).tolist(), bundle.contract).accepted()).raw


@pytest.mark.parametrize("zipmap", [True, False])
def test_probabilities_are_found_however_they_are_wrapped(zipmap: bool, tmp_path: Path) -> None:
    model = RandomForestClassifier(10, random_state=0).fit(X, Y)
    bundle = packaged(written(model, options={"zipmap": zipmap}), tmp_path)
    assert np.abs(answers(bundle) - model.predict_proba(X)).max() <= 1e-5
    assert bundle.contract.target.classes == (0, 1, 2)


def test_labels_come_from_the_graph_and_the_file_from_a_path(tmp_path: Path) -> None:
    words = np.array(["u", "v", "w"])[Y]
    model = LogisticRegression().fit(X, words)
    file = tmp_path / "model.onnx"
    file.write_bytes(written(model).SerializeToString())
    bundle = packaged(str(file), tmp_path, outcomes=words)
    assert bundle.contract.target.classes == ("u", "v", "w")
    assert np.abs(answers(bundle) - model.predict_proba(X)).max() <= 1e-5


def test_a_column_may_have_an_input_of_its_own(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": X[:, 0], "s": RANDOM.choice(list("xyz"), 80), "k": RANDOM.integers(0, 5, 80)})
    spread = make_column_transformer(
        (StandardScaler(), ["a", "k"]), (OneHotEncoder(handle_unknown="ignore"), ["s"])
    )
    model = make_pipeline(spread, LogisticRegression()).fit(frame, Y)
    kinds = [
        ("k", Int64TensorType([None, 1])),
        ("a", FloatTensorType([None, 1])),
        ("s", StringTensorType([None, 1])),
    ]
    with warnings.catch_warnings(action="ignore"):
        graph = skl2onnx.to_onnx(model, initial_types=kinds)
    bundle = packaged(graph, tmp_path, rows=frame)
    strange = frame.assign(s="never seen")
    for rows in (frame, strange):
        assert np.abs(answers(bundle, rows.to_numpy()) - model.predict_proba(rows)).max() <= 1e-5


def test_a_value_a_row_is_a_regression_in_whatever_precision(tmp_path: Path) -> None:
    model = Ridge().fit(X, X[:, 0] * 3)
    with warnings.catch_warnings(action="ignore"):
        graph = skl2onnx.to_onnx(model, X[:1].astype(np.float64))
    bundle = packaged(graph, tmp_path, outcomes=X[:, 0] * 3)
    assert answers(bundle) == pytest.approx(model.predict(X), abs=1e-5)


def test_one_number_from_0_to_1_is_the_second_class(tmp_path: Path) -> None:
    graph = by_hand(
        [node("MatMul", "given weights", "sum"), node("Sigmoid", "sum", "y")], FLOAT, weights=WEIGHTS[:, :1]
    )
    bundle = packaged(graph, tmp_path, outcomes=Y > 0)
    second = 1 / (1 + np.exp(-(X @ WEIGHTS[:, 0])))
    assert answers(bundle) == pytest.approx(np.stack([1 - second, second], axis=1), abs=1e-6)
    assert bundle.contract.target.classes == (False, True)


def test_images_are_a_tensor_column(tmp_path: Path) -> None:
    images = RANDOM.random((40, 1, 2, 3)).astype(np.float32)
    flat = node("Flatten", "given", "flat", axis=1)
    weights = RANDOM.normal(size=(6, 2)).astype(np.float32)
    nodes = [flat, node("MatMul", "flat weights", "sums"), node("Softmax", "sums", "y", axis=1)]
    bundle = packaged(by_hand(nodes, FLOAT, shape=(1, 2, 3), weights=weights), tmp_path, images, Y[:40] % 2)
    sums = images.reshape(40, 6) @ weights
    wanted = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    found = answers(bundle, images[:, None])
    assert found == pytest.approx(wanted, abs=1e-5)


def test_without_the_model_nothing_is_proven_and_the_bundle_says_so(tmp_path: Path) -> None:
    bundle = packaged(written(LogisticRegression().fit(X, Y)), tmp_path)
    exported = bundle.document("evaluation.json")["export"]
    assert exported["parity"] is None
    assert "without the model" in exported["why"]
    assert "without the model" in (bundle.path / "card.md").read_text()


REFUSED: dict[str, tuple[str, Any, Any]] = {
    "no ONNX": ("EX014", b"\x89PNG no graph at all", X),
    "no file": ("EX017", "nowhere.onnx", X),
    "weights in another file": (
        "EX014",
        by_hand([SUMS, node("Softmax", "sums", "y")], FLOAT, external=True),
        X,
    ),
    "operators of one's own": (
        "EX014",
        by_hand([SUMS, node("Divine", "sums", "y", domain="my.own")], FLOAT),
        X,
    ),
    "operators of one's own in a branch": (
        "EX014",
        by_hand(
            [
                SUMS,
                node("Greater", "weights weights", "masks"),
                node("ReduceMax", "sums", "most", keepdims=0),
                node("Cast", "most", "yes", to=TensorProto.BOOL),
                node(
                    "If",
                    "yes",
                    "y",
                    then_branch=helper.make_graph(
                        [helper.make_node("Divine", ["sums"], ["a"], domain="my.own")],
                        "a",
                        [],
                        [helper.make_tensor_value_info("a", TensorProto.FLOAT, None)],
                    ),
                    else_branch=helper.make_graph(
                        [helper.make_node("Identity", ["sums"], ["b"])],
                        "b",
                        [],
                        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
                    ),
                ),
            ],
            FLOAT,
        ),
        X,
    ),
    "labels only": (
        "EX015",
        by_hand([SUMS, node("ArgMax", "sums", "y", axis=1)], {"y": TensorProto.INT64}),
        X,
    ),
    "scores that are no probabilities": ("EX015", by_hand([SUMS, node("Identity", "sums", "y")], FLOAT), X),
    "several answers": (
        "EX015",
        by_hand(
            [SUMS, node("Softmax", "sums", "y"), node("Identity", "sums", "z")],
            {"y": TensorProto.FLOAT, "z": TensorProto.FLOAT},
        ),
        X,
    ),
    "rows for images": ("EX015", by_hand([node("Flatten", "given", "y")], FLOAT, shape=(1, 2, 3)), X),
    "other columns": ("EX015", by_hand([SUMS, node("Softmax", "sums", "y")], FLOAT), X[:, :2]),
}


@pytest.mark.parametrize("why", REFUSED)
def test_it_is_refused_and_nothing_is_written(why: str, tmp_path: Path) -> None:
    code, graph, rows = REFUSED[why]
    with pytest.raises(ExportError) as refused:
        packaged(graph, tmp_path, rows=rows, outcomes=Y % 2)
    assert (refused.value.code, list(tmp_path.iterdir())) == (code, [])
