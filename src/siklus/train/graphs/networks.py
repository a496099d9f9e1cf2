"""Feed-forward networks as a chain of dense layers: scikit-learn's and our own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siklus.errors import ExportError
from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.graphs.heads import both_classes, exponential, sigmoid, softmax

OPERATORS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "identity": "Identity"}


@dataclass(frozen=True)
class Layer:
    """``weights``: shape (inputs, outputs). ``offsets``: shape (outputs,)."""

    weights: NDArray[np.floating[Any]]
    offsets: NDArray[np.floating[Any]]


def add_layers(graph: Graph, rows: Matrix, layers: Sequence[Layer], *, activation: str) -> Matrix:
    """The last layer's sums, shape (rows, outputs); all layers but the last are activated.

    Layers run in float32: that is what networks are trained in, and half the time of float64.
    """
    value = graph.narrowed(rows)
    for i, layer in enumerate(layers):
        weights = graph.constant(layer.weights.astype(np.float32))
        value = graph.node("Gemm", [value, weights, graph.constant(layer.offsets.astype(np.float32))])
        if i < len(layers) - 1:
            value = graph.node(OPERATORS[activation], [value])
    return graph.widened(value, len(layers[-1].offsets))


def sklearn_network(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    """MLPClassifier and MLPRegressor."""
    sums = add_layers(graph, rows, _layers(model), activation=model.activation)
    match model.out_activation_:
        case "identity":
            return sums
        case "exp":
            return exponential(graph, sums)
        case "softmax":
            return softmax(graph, sums)
        case "logistic" if sums.width == 1:
            return both_classes(graph, sigmoid(graph, sums))
        case other:
            raise ExportError("EX001", f"{type(model).__name__} with {other} outputs", expected="one target")


def own_classifier(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    return softmax(graph, _own_sums(graph, model, rows))


def own_regressor(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    return graph.scaled(_own_sums(graph, model, rows), by=[model.target_scale_], plus=[model.target_mean_])


def _own_sums(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    centred = graph.node("Sub", [rows.name, graph.row(model.mean_)])
    scaled = Matrix(graph.node("Div", [centred, graph.row(model.scale_)]), rows.width)
    return add_layers(graph, scaled, _layers(model), activation="relu")


def _layers(model: Any) -> list[Layer]:
    return [Layer(*pair) for pair in zip(model.coefs_, model.intercepts_, strict=True)]
