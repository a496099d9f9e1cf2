"""From the raw sum of a model to its answer: probabilities, or a value on the target's scale."""

from collections.abc import Callable, Mapping

from siklus.train.graphs.graph import Graph, Matrix


def sigmoid(graph: Graph, margin: Matrix) -> Matrix:
    return Matrix(graph.node("Sigmoid", [margin.name]), margin.width)


def exponential(graph: Graph, margin: Matrix) -> Matrix:
    return Matrix(graph.node("Exp", [margin.name]), margin.width)


def identity(_: Graph, margin: Matrix) -> Matrix:
    return margin


def softmax(graph: Graph, margins: Matrix) -> Matrix:
    """Probabilities of all classes from one raw sum a class."""
    return Matrix(graph.node("Softmax", [margins.name], {"axis": 1}), margins.width)


def both_classes(graph: Graph, second: Matrix) -> Matrix:
    """Probabilities (rows, 2) from that of the second class, (rows, 1)."""
    first = Matrix(graph.node("Sub", [graph.row([1.0]), second.name]), 1)
    return graph.beside([first, second])


def logistic(graph: Graph, margins: Matrix) -> Matrix:
    """Probabilities from raw sums: a sigmoid where one sum tells two classes apart, else a softmax."""
    if margins.width == 1:
        return both_classes(graph, sigmoid(graph, margins))
    return softmax(graph, margins)


Head = Callable[[Graph, Matrix], Matrix]

# The link functions of generalised models, by the name that libraries give them.
LINKS: Mapping[str, Head] = {"identity": identity, "log": exponential, "logit": sigmoid}
