"""Both ends of a foreign graph: its inputs fed from decoded rows, its answer under a bundle's name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from siklus.bundle.session import OUTPUTS, ROWS_INPUT
from siklus.contract.columns import Category, Contract, Task, Tensor, Text, kind_of
from siklus.errors import ExportError

PREFIX = "given_"  # before all of the graph's own names, so that ours are free
ML = "ai.onnx.ml"
ML_OPSET = 3  # where the graph itself uses none
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
NUMBERS = (*FLOATS, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One input of the graph: what feeds it, its type and rank. ``slot``: of the one column that it takes."""

    name: str
    source: str
    kind: int
    rank: int
    slot: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ends:
    """``scores``: the value inside the graph that holds probabilities, or the predicted numbers."""

    inputs: tuple[Entry, ...]
    scores: str
    task: Task
    second_class_only: bool = False


def score_output(proto: onnx.ModelProto, task: Task) -> str:
    """The output that answers in floats, or what a ZipMap makes it of. ExportError EX015 when none does."""
    zipped = {node.output[0]: node.input[0] for node in proto.graph.node if node.op_type == "ZipMap"}
    found: list[str] = []
    for output in proto.graph.output:
        if output.name in zipped:
            found.append(zipped[output.name])
        elif output.type.tensor_type.elem_type in FLOATS:
            found.append(output.name)
    named = [name for name in found if "prob" in name.lower()]
    chosen = found if len(found) == 1 else named
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(repr(output.name) for output in proto.graph.output)
    if not found:
        wanted = "an output of probabilities" if task == "classification" else "an output of floats"
        raise ExportError("EX015", f"the graph gives {names}: labels only", expected=wanted)
    raise ExportError(
        "EX015", f"the graph gives {names}", expected="one output of floats, or one named probabilities"
    )


def graph_inputs(proto: onnx.ModelProto, contract: Contract) -> tuple[Entry, ...]:
    """What feeds each input: all rows, a column by its name, a text or a tensor. ExportError EX015."""
    inner = {tensor.name for tensor in proto.graph.initializer}
    inputs = [put for put in proto.graph.input if put.name not in inner]
    own = {ROWS_INPUT, *(column.name for column in contract.columns if isinstance(column, Text | Tensor))}
    if all(put.name in own for put in inputs):
        return tuple(_entry(put, put.name) for put in inputs)
    if len(inputs) == 1 and inputs[0].name not in contract.names:
        return (_entry(inputs[0], _only_source(inputs[0], contract)),)
    return tuple(_column_entry(put, contract) for put in inputs)


def fitted(proto: onnx.ModelProto, ends: Ends, contract: Contract) -> bytes:
    """The graph with the inputs and the output that a bundle's session looks for."""
    made = compose.add_prefix(proto, PREFIX)
    kept = [node for node in made.graph.node if node.op_type != "ZipMap"]
    ml_opset = next((used.version for used in made.opset_import if used.domain == ML), None)
    if ml_opset is None:
        made.opset_import.append(helper.make_opsetid(ML, ML_OPSET))
    nodes, constants = _doors(ends.inputs, ml_opset or ML_OPSET)
    last, more = _answer(ends)
    sources = dict.fromkeys(entry.source for entry in ends.inputs)
    del made.graph.node[:], made.graph.input[:], made.graph.output[:], made.graph.value_info[:]
    made.graph.node.extend([*nodes, *kept, *last])
    made.graph.initializer.extend([*constants, *more])
    made.graph.input.extend(_input(source, contract) for source in sources)
    made.graph.output.append(helper.make_tensor_value_info(OUTPUTS[ends.task], TensorProto.FLOAT, None))
    content: bytes = made.SerializeToString()
    return content


def _entry(put: onnx.ValueInfoProto, source: str) -> Entry:
    kind = put.type.tensor_type
    return Entry(name=put.name, source=source, kind=kind.elem_type, rank=len(kind.shape.dim))


def _only_source(put: onnx.ValueInfoProto, contract: Contract) -> str:
    rank, kind = len(put.type.tensor_type.shape.dim), put.type.tensor_type.elem_type
    tensors = [column.name for column in contract.columns if isinstance(column, Tensor)]
    if kind in NUMBERS and rank == 2 and contract.width == len(contract.columns):
        return ROWS_INPUT
    if kind in NUMBERS and rank > 2 and len(tensors) == len(contract.columns) == 1:
        return tensors[0]
    kinds = ", ".join(sorted({kind_of(column) for column in contract.columns}))
    raise ExportError(
        "EX015",
        f"its input {put.name!r} is a {TensorProto.DataType.Name(kind).lower()} of rank {rank}, "
        f"the columns are {len(contract.columns)} of kind {kinds}",
        expected="numbers of shape (N, columns), one tensor column, or an input for each column",
    )


def _column_entry(put: onnx.ValueInfoProto, contract: Contract) -> Entry:
    if put.name not in contract.names:
        names = ", ".join(contract.names)
        raise ExportError("EX015", f"its input {put.name!r} is no column", expected=f"one of {names}")
    column, entry = contract.column(put.name), _entry(put, put.name)
    if isinstance(column, Text | Tensor):
        return entry
    if put.name not in contract.slots or (entry.kind == TensorProto.STRING) != isinstance(column, Category):
        raise ExportError(
            "EX015",
            f"its input {put.name!r} is a {TensorProto.DataType.Name(entry.kind).lower()}, "
            f"the column a {kind_of(column)}",
            expected="numbers for numbers, strings for categories",
        )
    words = tuple(map(str, column.vocabulary)) if isinstance(column, Category) else ()
    return Entry(
        name=put.name,
        source=ROWS_INPUT,
        kind=entry.kind,
        rank=entry.rank,
        slot=contract.slots.index(put.name),
        words=words,
    )


def _doors(entries: Sequence[Entry], ml_opset: int) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    nodes: list[onnx.NodeProto] = []
    constants = [
        numpy_helper.from_array(np.array([-1], dtype=np.int64), "flat"),
        numpy_helper.from_array(np.array([-1], dtype=np.float32), "unknown"),
    ]
    for i, entry in enumerate(entries):
        value = entry.source
        if entry.slot is not None:
            place = f"place_{i}"
            constants.append(numpy_helper.from_array(np.array([entry.slot], dtype=np.int64), place))
            nodes.append(helper.make_node("Gather", [value, place], [f"column_{i}"], axis=1))
            value = f"column_{i}"
        if entry.slot is not None and entry.rank == 1:
            nodes.append(helper.make_node("Reshape", [value, "flat"], [f"flat_{i}"]))
            value = f"flat_{i}"
        if entry.words:
            nodes.extend(_as_words(value, entry, i, ml_opset))
        elif entry.kind == TensorProto.STRING:
            nodes.append(helper.make_node("Identity", [value], [PREFIX + entry.name]))
        else:
            nodes.append(helper.make_node("Cast", [value], [PREFIX + entry.name], to=entry.kind))
    return nodes, constants


def _as_words(value: str, entry: Entry, i: int, ml_opset: int) -> Iterator[onnx.NodeProto]:
    """Places in the vocabulary as the words themselves; missing and unseen ones as the empty word."""
    yield helper.make_node("IsNaN", [value], [f"gap_{i}"])
    yield helper.make_node("Where", [f"gap_{i}", "unknown", value], [f"known_{i}"])
    yield helper.make_node("Cast", [f"known_{i}"], [f"key_{i}"], to=TensorProto.INT64)
    words, places = list(entry.words), list(range(len(entry.words)))
    # The first version of the operator had a list of words instead of two lists.
    stored = {"classes_strings": words} if ml_opset == 1 else {"keys_int64s": places, "values_strings": words}
    name = PREFIX + entry.name
    yield helper.make_node("LabelEncoder", [f"key_{i}"], [name], domain=ML, default_string="", **stored)


def _answer(ends: Ends) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    output = OUTPUTS[ends.task]
    narrow = helper.make_node("Cast", [PREFIX + ends.scores], ["answer"], to=TensorProto.FLOAT)
    column = numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), "one_column")
    if ends.second_class_only:
        whole = numpy_helper.from_array(np.ones(1, dtype=np.float32), "whole")
        nodes = [
            narrow,
            helper.make_node("Reshape", ["answer", "one_column"], ["second"]),
            helper.make_node("Sub", ["whole", "second"], ["first"]),
            helper.make_node("Concat", ["first", "second"], [output], axis=1),
        ]
        return nodes, [column, whole]
    if ends.task == "classification":
        return [narrow, helper.make_node("Identity", ["answer"], [output])], []
    return [narrow, helper.make_node("Reshape", ["answer", "one_column"], [output])], [column]


def _input(source: str, contract: Contract) -> onnx.ValueInfoProto:
    if source == ROWS_INPUT:
        return helper.make_tensor_value_info(source, TensorProto.FLOAT, ["N", contract.width])
    column = contract.column(source)
    if isinstance(column, Tensor):
        return helper.make_tensor_value_info(source, TensorProto.FLOAT, ["N", *column.shape])
    return helper.make_tensor_value_info(source, TensorProto.STRING, ["N", 1])
