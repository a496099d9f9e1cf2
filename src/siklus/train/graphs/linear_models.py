"""Models that are a weighted sum of the columns, or a constant."""

from typing import Any

import numpy as np

from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.graphs.heads import LINKS, Head, logistic, softmax


def linear_regressor(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    return _weighted(graph, model, rows)


def log_linear_regressor(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    """Poisson and gamma regression."""
    return LINKS["log"](graph, _weighted(graph, model, rows))


def logistic_classifier(graph: Graph, model: Any, rows: Matrix) -> Matrix | None:
    """None for one model a class, whose probabilities are no softmax."""
    several = len(model.classes_) > 2
    if several and (getattr(model, "multi_class", "auto") == "ovr" or model.solver == "liblinear"):
        return None
    head: Head = softmax if several else logistic
    return head(graph, _weighted(graph, model, rows))


def constant_regressor(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    return _constant(graph, np.asarray(model.constant_).reshape(-1))


def constant_classifier(graph: Graph, model: Any, rows: Matrix) -> Matrix | None:
    """None for answers that are drawn by chance."""
    prior = np.asarray(model.class_prior_, dtype=np.float64)
    match model.strategy:
        case "prior":
            return _constant(graph, prior)
        case "most_frequent":
            return _constant(graph, np.eye(len(prior))[np.argmax(prior)])
        case "uniform":
            return _constant(graph, np.full(len(prior), 1 / len(prior)))
        case "constant":
            return _constant(graph, (np.asarray(model.classes_) == model.constant).astype(np.float64))
        case _:
            return None


def _weighted(graph: Graph, model: Any, rows: Matrix) -> Matrix:
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T  # (columns, sums)
    product = Matrix(graph.node("MatMul", [rows.name, graph.constant(weights)]), weights.shape[1])
    start = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).reshape(-1), product.width)
    return graph.scaled(product, by=[1.0], plus=start)


def _constant(graph: Graph, values: Any) -> Matrix:
    """The same answer for each row. Not a sum with weight 0: a missing value would make that NaN."""
    count = graph.node("Shape", [graph.rows.name], {"start": 0, "end": 1})
    width = graph.constant(np.array([len(values)], dtype=np.int64))
    shape = graph.node("Concat", [count, width], {"axis": 0})
    return Matrix(graph.node("Expand", [graph.row(values), shape]), len(values))
