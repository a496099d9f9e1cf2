"""An ONNX graph under construction: float32 rows in, one float64 matrix after another, one answer out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from siklus.bundle.session import OUTPUTS, ROWS_INPUT
from siklus.contract.columns import Task
from siklus.errors import ExportError

# New enough for all operators in use, old enough for the oldest skl2onnx, onnx and onnxruntime that we take.
OPSET = 21
IR_VERSION = 10
# TreeEnsemble came with 5 and took the place of TreeEnsembleRegressor and -Classifier, which end with 4.
ML_OPSET = 5
OLD_ML_OPSET = 3
ML = "ai.onnx.ml"
OLD_TREES = {"TreeEnsembleRegressor", "TreeEnsembleClassifier"}

Arithmetic: TypeAlias = type[np.float32] | type[np.float64]
RowValues: TypeAlias = Sequence[float] | NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Matrix:
    """A value inside a graph: float64, shape (rows, width), by its name.

    float64, because the models were learned in it: a sum of 500 leaves, or a mean taken off a year,
    loses four digits in float32. It costs nothing that could be measured.
    """

    name: str
    width: int


class Graph:
    """Nodes and constants, in the order in which they are computed.

    ``entry``: the one input, float32 of shape (N, *shape); shape is (width,) for decoded rows.
    ``arithmetic``: what the model's own preparation computes in, which is what it was fitted on.
    """

    def __init__(
        self, *, shape: Sequence[int], entry: str = ROWS_INPUT, arithmetic: Arithmetic = np.float32
    ) -> None:
        self._shape = tuple(shape)
        self._entry = entry
        self._arithmetic = arithmetic
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._narrow: dict[str, str] = {}  # a matrix that holds float32 values → those values

    @cached_property
    def rows(self) -> Matrix:
        """The decoded rows, as they came."""
        return self.widened(self._entry, self._shape[0])

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
        *,
        domain: str = "",
    ) -> str:
        """Add a node with one output; its name. An attribute may be a ready AttributeProto (long ones)."""
        output = f"{operator.lower()}_{len(self._nodes)}"
        node = onnx.NodeProto(op_type=operator, domain=domain, name=output, input=inputs, output=[output])
        for name, value in (attributes or {}).items():
            ready = isinstance(value, onnx.AttributeProto)
            node.attribute.append(value if ready else helper.make_attribute(name, value))
        self._nodes.append(node)
        return output

    def constant(self, array: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def row(self, values: RowValues) -> str:
        """A constant float64 row of shape (1, len(values)), which meets every row of a matrix."""
        return self.constant(np.asarray(values, dtype=np.float64).reshape(1, -1))

    def numbers(self, name: str, width: int) -> Matrix:
        """A boolean value as a matrix of 0 and 1."""
        return Matrix(self.node("Cast", [name], {"to": TensorProto.DOUBLE}), width)

    def widened(self, name: str, width: int) -> Matrix:
        """A float32 value as a matrix."""
        matrix = self.numbers(name, width)
        self._narrow[matrix.name] = name
        return matrix

    def narrowed(self, matrix: Matrix) -> str:
        """A matrix as float32, for operators that know no other."""
        if matrix.name not in self._narrow:
            self._narrow[matrix.name] = self.node("Cast", [matrix.name], {"to": TensorProto.FLOAT})
        return self._narrow[matrix.name]

    def rounded(self, matrix: Matrix) -> Matrix:
        """A matrix of the nearest float32 values."""
        if matrix.name in self._narrow:
            return matrix
        return self.widened(self.narrowed(matrix), matrix.width)

    def kept(self, matrix: Matrix) -> Matrix:
        """A matrix as the model's own preparation would keep it: rounded, if that computes in float32."""
        return self.rounded(matrix) if self._arithmetic is np.float32 else matrix

    def stored(self, values: RowValues) -> NDArray[np.float64]:
        """What a preparation has learned, in the precision in which it uses it."""
        return np.asarray(values, dtype=self._arithmetic).astype(np.float64)

    def columns(self, matrix: Matrix, places: Sequence[int]) -> Matrix:
        """The columns at these places, in this order."""
        if list(places) == list(range(matrix.width)):
            return matrix
        chosen = self.constant(np.asarray(places, dtype=np.int64))
        return Matrix(self.node("Gather", [matrix.name, chosen], {"axis": 1}), len(places))

    def beside(self, matrices: Sequence[Matrix]) -> Matrix:
        """Matrices of the same rows, side by side."""
        if len(matrices) == 1:
            return matrices[0]
        names = [matrix.name for matrix in matrices]
        width = sum(matrix.width for matrix in matrices)
        return Matrix(self.node("Concat", names, {"axis": 1}), width)

    def scaled(self, matrix: Matrix, *, by: RowValues, plus: RowValues) -> Matrix:
        """``matrix * by + plus``, column by column."""
        name = matrix.name
        if np.any(np.asarray(by) != 1):
            name = self.node("Mul", [name, self.row(by)])
        if np.any(np.asarray(plus) != 0):
            name = self.node("Add", [name, self.row(plus)])
        return Matrix(name, matrix.width)

    def attach(self, part: onnx.ModelProto, given: str) -> list[str]:
        """Add all of another model, fed with the value ``given``; the names of its outputs."""
        part = compose.add_prefix(part, f"part_{len(self._nodes)}_")
        (entry,) = part.graph.input
        door = onnx.NodeProto(op_type="Identity", name=entry.name, input=[given], output=[entry.name])
        self._nodes.append(door)
        for node in part.graph.node:
            del node.metadata_props[:]  # exporters leave stack traces there, with paths of this machine
            self._nodes.append(node)
        self._constants.extend(part.graph.initializer)
        return [output.name for output in part.graph.output]

    def finished(self, answer: Matrix, *, task: Task) -> bytes:
        """The whole graph, its answer rounded to float32, in the shape that every server of it expects."""
        output = OUTPUTS[task]
        last = onnx.NodeProto(op_type="Cast", name=output, input=[answer.name], output=[output])
        last.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
        graph = helper.make_graph(
            [*self._nodes, last],
            "siklus",
            [helper.make_tensor_value_info(self._entry, TensorProto.FLOAT, ["N", *self._shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", answer.width])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, self._ml_opset())]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="siklus")
        content: bytes = model.SerializeToString()
        return content

    def _ml_opset(self) -> int:
        operators = {node.op_type for node in self._nodes}
        foreign = {node.domain for node in self._nodes} - {"", ML}
        if foreign:
            raise ExportError("EX001", f"operators of {sorted(foreign)}", expected="those of ONNX itself")
        if not operators & OLD_TREES:
            return ML_OPSET
        if "TreeEnsemble" in operators:
            raise ExportError(
                "EX001", "trees of two generations in one graph", expected="trees only at the end"
            )
        return OLD_ML_OPSET
