"""An ONNX file that someone already has: read without running it, and fitted to what a bundle takes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, inliner

from siklus.bundle.golden import loaded_session
from siklus.contract.columns import Contract, Label, Task
from siklus.contract.decode import Rows
from siklus.errors import BundleError, ExportError
from siklus.train.imported.asking import Floats
from siklus.train.imported.given import Given, labels_of
from siklus.train.imported.graph_ends import Ends, fitted, graph_inputs, score_output
from siklus.train.imported.sealable import Sealable, unsealed
from siklus.train.imported.words import NOTHING_KNOWN, Known

KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # what ONNX Runtime itself brings
LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
SUM_OFF = 1e-3  # as far as a row of float16 probabilities may miss 1
TRIED_ROWS = 100  # are enough to see what a graph gives


@dataclass(frozen=True, kw_only=True)
class GraphFile:
    """There is no other model that the graph could be compared with: it is what it is."""

    proto: onnx.ModelProto
    scores: str
    task: Task
    classes: tuple[Label, ...] | None
    given: Given
    independent: bool = False
    kind: str = "ONNX"
    known: Known = NOTHING_KNOWN

    def answers(self, contract: Contract, rows: Rows) -> Floats:
        return _run(self._fitted(contract, rows), contract, rows)

    def rounded_answers(self, _contract: Contract, _rows: Rows) -> Floats | None:
        return None

    def graphs(self, contract: Contract, rows: Rows) -> Iterator[bytes]:
        yield self._fitted(contract, rows)

    def other_classes(self, _: Floats) -> int:
        return 0  # it names no classes, only probabilities

    def native(self, _contract: Contract, _rows: Rows) -> Sealable:
        raise ExportError("EX010", "an ONNX file is sealed as ONNX or not at all", expected="one that fits")

    def _fitted(self, contract: Contract, rows: Rows) -> bytes:
        """The graph with a bundle's inputs and output. One number for a classifier is the second class's."""
        ends = Ends(inputs=graph_inputs(self.proto, contract), scores=self.scores, task=self.task)
        graph = fitted(self.proto, ends, contract)
        few = rows.take(slice(0, TRIED_ROWS))
        found = _run(graph, contract, few)
        if self.task == "regression":
            return graph
        if found.ndim == 1 or found.shape[1] == 1:
            graph = fitted(self.proto, replace(ends, second_class_only=True), contract)
            found = _run(graph, contract, few)
        if found.ndim != 2 or found.min() < -SUM_OFF or np.abs(found.sum(axis=1) - 1).max() > SUM_OFF:
            raise ExportError(
                "EX015",
                f"its output {self.scores!r} does not add up to 1 in each row",
                expected="probabilities: with a Softmax or a Sigmoid at the graph's end",
            )
        return graph


def open_graph(model: Any, given: Given, *, task: Task | None, guessed: Task) -> GraphFile:
    """``model``: a path, the file's bytes, or a ModelProto.

    ExportError EX014 when it is no ONNX model, or one that reaches for other files or foreign operators;
    EX015 when no output of it is the answer.
    """
    proto = _read(model)
    _refuse_what_reaches_out(proto)
    labels = _class_labels(proto)
    chosen: Task = task or ("classification" if labels else guessed)
    return GraphFile(
        proto=proto,
        scores=score_output(proto, chosen),
        task=chosen,
        classes=labels if chosen == "classification" else None,
        given=given,
    )


def _read(model: Any) -> onnx.ModelProto:
    if isinstance(model, onnx.ModelProto):
        proto = model
    else:
        try:
            content = model if isinstance(model, bytes) else Path(model).read_bytes()
            proto = onnx.load_model_from_string(content)
            onnx.checker.check_model(proto)
        except FileNotFoundError as exc:
            raise ExportError("EX017", f"{model}: no such file", expected="the path of a model") from exc
        except Exception as exc:  # protobuf's and the checker's own classes have no other class in common
            why = next(iter(str(exc).strip().splitlines()), type(exc).__name__)[:200]
            raise ExportError(
                "EX014", f"no ONNX model: {why}", expected="a file that ONNX has written"
            ) from exc
    # Functions of the file's own are operators of a domain of its own until they are written out.
    return inliner.inline_local_functions(proto) if proto.functions else proto


def _refuse_what_reaches_out(proto: onnx.ModelProto) -> None:
    for tensor in _tensors(proto.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            what = f"its weights {tensor.name!r} lie in another file"
            raise ExportError(
                "EX014", what, expected="one file: onnx.save(onnx.load(path), path) makes it one"
            )
    foreign = {node.domain for node in _nodes(proto.graph)} - KNOWN_DOMAINS
    if foreign:
        what = f"operators of {', '.join(sorted(foreign))}"
        raise ExportError("EX014", what, expected="operators that ONNX Runtime itself brings")


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """All constants, also those of branches."""
    for part in [
        graph,
        *(inner for node in _nodes(graph) for a in node.attribute for inner in (a.g, *a.graphs)),
    ]:
        yield from part.initializer
        for sparse in part.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _nodes(graph):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)


def _class_labels(proto: onnx.ModelProto) -> tuple[Label, ...] | None:
    """The labels that the last classifier of the graph has in store."""
    found = [
        list(attribute.strings) or list(attribute.ints)
        for node in proto.graph.node
        for attribute in node.attribute
        if attribute.name in LABELS and (attribute.strings or attribute.ints)
    ]
    if not found:
        return None
    return labels_of([label.decode() if isinstance(label, bytes) else label for label in found[-1]])


def _run(graph: bytes, contract: Contract, rows: Rows) -> Floats:
    try:
        session = loaded_session(graph, manifest=unsealed(contract, "onnx"), contract=contract)
    except BundleError as exc:
        raise ExportError("EX015", exc.message, expected=exc.expected) from exc
    return np.asarray(session.run(rows).raw, dtype=np.float64)
