"""Broken graphs: a champion's own ONNX graph, made to fail on some rows, or to take its time. ONNX surgery.

Both give the champion's answers otherwise, to the last bit, so that nothing else than the fault can be found.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from siklus.bundle.session import OUTPUTS, ROWS_INPUT
from siklus.contract.columns import Task
from siklus.table import FloatRows

PREFIX = "drill_"  # of all names that are added
TRIES = 400  # of directions, until one hits about the wanted share
HALF_A_TURN = 0.5
NEAR = 0.2  # of the wanted share: 4 to 6 % where 5 % is wanted
WORK = 64  # numbers that each round of the loop works through


class NoSurgery(Exception):
    """This graph cannot be broken so; the words say why."""


class Direction:
    """Which rows are hit: those whose projection on ``weights``, plus a half, has a fraction below ``share``.

    Missing cells weigh nothing. Rows that are equal are hit alike, so that a failing row fails again; one
    that is all 0 is not, as servers try a graph with such rows.
    """

    def __init__(self, weights: NDArray[np.float64], share: float) -> None:
        self.weights, self.share = weights, share

    def hits(self, rows: FloatRows) -> NDArray[np.bool_]:
        """Shape (rows,), as the graph computes it: in float64."""
        z = (_finite(rows) * self.weights).sum(axis=1) + HALF_A_TURN
        found: NDArray[np.bool_] = (z - np.floor(z)) < self.share
        return found


def direction(rows: FloatRows, *, share: float, never: FloatRows, seed: int = 0) -> Direction:
    """One that hits about this share of ``rows``, and none of ``never`` (the golden rows).

    NoSurgery where rows are too much alike: each of few different ones is a larger share than wanted.
    """
    rng = np.random.default_rng(seed)
    scale = _finite(rows).std(axis=0)
    scale[scale == 0] = 1.0
    for _ in range(TRIES):
        tried = Direction(rng.normal(size=rows.shape[1]) / scale, share)
        if abs(float(tried.hits(rows).mean()) - share) <= NEAR * share and not tried.hits(never).any():
            return tried
    raise NoSurgery(f"no {share:.0%} of its rows can be told from the others")


def failing_graph(model: bytes, *, task: Task, hit: Direction) -> bytes:
    """The same graph, which cannot be run for a batch with a row that ``hit`` hits.

    It looks up place 1 of a list of one, and ONNX Runtime refuses that when it comes to it.
    """
    graph_model = _opened(model)
    graph = graph_model.graph
    _constant(graph, "weights", hit.weights.reshape(1, -1))
    _constant(graph, "share", np.asarray(hit.share, dtype=np.float64))
    _constant(graph, "half", np.asarray(HALF_A_TURN, dtype=np.float64))
    _constant(graph, "zero", np.asarray(0, dtype=np.float32))
    _constant(graph, "list", np.zeros(1, dtype=np.float32))
    added = [
        _node("IsNaN", [ROWS_INPUT], "missing"),
        _node("IsInf", [ROWS_INPUT], "endless"),
        _node("Or", ["missing", "endless"], "gone"),
        _node("Where", ["gone", "zero", ROWS_INPUT], "plain"),
        _node("Cast", ["plain"], "plain_double", {"to": TensorProto.DOUBLE}),
        _node("Mul", ["plain_double", "weights"], "weighed"),
        _node("ReduceSum", ["weighed", "axis"], "straight", {"keepdims": 0}),
        _node("Add", ["straight", "half"], "z"),
        _node("Floor", ["z"], "z_floor"),
        _node("Sub", ["z", "z_floor"], "fraction"),
        _node("Less", ["fraction", "share"], "hit"),
        _node("Cast", ["hit"], "place", {"to": TensorProto.INT64}),
        _node("Gather", ["list", "place"], "found", {"axis": 0}),
        _node("ReduceSum", ["found"], "nothing", {"keepdims": 0}),
    ]
    _constant(graph, "axis", np.asarray([1], dtype=np.int64))
    return _with_nothing_added(graph_model, added, task=task)


def slow_graph(model: bytes, *, task: Task, rounds: int) -> bytes:
    """The same graph with a loop of so many rounds in it, which comes to nothing each time."""
    graph_model = _opened(model)
    graph = graph_model.graph
    _constant(graph, "rounds", np.asarray(rounds, dtype=np.int64))
    _constant(graph, "always", np.asarray(True))
    _constant(graph, "begin", np.linspace(0, 1, WORK, dtype=np.float32))
    _constant(graph, "zero", np.asarray(0, dtype=np.float32))
    state, turned = f"{PREFIX}state", f"{PREFIX}turned"
    body = helper.make_graph(
        [
            helper.make_node("Identity", [f"{PREFIX}go_on"], [f"{PREFIX}going_on"]),
            helper.make_node("Cos", [state], [turned]),
        ],
        f"{PREFIX}round",
        [
            helper.make_tensor_value_info(f"{PREFIX}number", TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{PREFIX}go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info(state, TensorProto.FLOAT, [WORK]),
        ],
        [
            helper.make_tensor_value_info(f"{PREFIX}going_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info(turned, TensorProto.FLOAT, [WORK]),
        ],
    )
    # The first state hangs on the input, so that no optimizer runs the loop beforehand.
    added = [
        _node("Shape", [ROWS_INPUT], "shape"),
        _node("Cast", ["shape"], "shape_float", {"to": TensorProto.FLOAT}),
        _node("ReduceSum", ["shape_float"], "size", {"keepdims": 0}),
        _node("Add", ["begin", "size"], "first"),
        _node("Loop", ["rounds", "always", "first"], "last", {"body": body}),
        _node("ReduceSum", ["last"], "sum", {"keepdims": 0}),
        _node("Mul", ["sum", "zero"], "nothing"),
    ]
    return _with_nothing_added(graph_model, added, task=task)


def rounds_for(run: Callable[[int], float], *, seconds: float) -> int:
    """How many rounds take about ``seconds``; ``run`` measures a call with so many."""
    trial = 20_000
    idle, busy = run(1), run(trial)
    each = max((busy - idle) / trial, 1e-9)
    return max(1, round(seconds / each))


def _finite(rows: FloatRows) -> NDArray[np.float64]:
    """With 0 where a cell is missing or endless."""
    return np.where(np.isfinite(rows), rows, 0).astype(np.float64)


def _opened(model: bytes) -> ModelProto:
    opened = onnx.load_from_string(model)
    if ROWS_INPUT not in [put.name for put in opened.graph.input]:
        raise NoSurgery("its graph reads no matrix of rows")
    return opened


def _with_nothing_added(model: ModelProto, added: list[NodeProto], *, task: Task) -> bytes:
    """The graph whose answer is the former one plus `nothing`, a 0 that the added nodes come to."""
    graph, output = model.graph, OUTPUTS[task]
    former = f"{PREFIX}former"
    for node in graph.node:
        node.output[:] = [former if name == output else name for name in node.output]
        node.input[:] = [former if name == output else name for name in node.input]
    kind = next(put.type.tensor_type.elem_type for put in graph.output if put.name == output)
    graph.node.extend(added)
    graph.node.append(_node("Cast", ["nothing"], "nothing_typed", {"to": kind}))
    graph.node.append(helper.make_node("Add", [former, f"{PREFIX}nothing_typed"], [output]))
    content: bytes = model.SerializeToString()
    return content


def _node(
    operator: str, inputs: list[str], output: str, attributes: dict[str, Any] | None = None
) -> NodeProto:
    """A node among the names that are added; of the graph's own it reads the rows only."""
    names = [name if name == ROWS_INPUT else f"{PREFIX}{name}" for name in inputs]
    return helper.make_node(operator, names, [f"{PREFIX}{output}"], **(attributes or {}))


def _constant(graph: GraphProto, name: str, array: NDArray[Any]) -> None:
    graph.initializer.append(numpy_helper.from_array(array, f"{PREFIX}{name}"))
