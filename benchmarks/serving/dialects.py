"""Dialects: how each server wants a row written, and where its answer has the class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """``write``: a row and the columns' names to what is sent as JSON.

    ``class_of``: an answer's class; None where any answer will do.
    """

    path: str
    write: Callable[[Row, Sequence[str]], object]
    class_of: Callable[[Any], int] | None


def _features(row: Row, _columns: Sequence[str]) -> object:
    return {"features": row}


def _named(row: Row, columns: Sequence[str]) -> object:
    return {"features": dict(zip(columns, row, strict=True))}


def _inference(row: Row, _columns: Sequence[str]) -> object:
    whole = {"name": "features", "datatype": "FP32", "shape": [1, len(row)], "data": row}
    return {"inputs": [whole]}


def _inputs(row: Row, _columns: Sequence[str]) -> object:
    return {"inputs": [row]}


def _label(answer: Any) -> int:
    """MLflow gives what its flavour gives: a list of classes, or the graph's outputs by name."""
    predictions = answer["predictions"]
    labels = predictions["label"] if isinstance(predictions, dict) else predictions
    return int(labels[0])


def _prediction(answer: Any) -> int:
    return int(answer["prediction"])


TUTORIAL = Dialect(path="/predict", write=_features, class_of=_prediction)
NAMED = Dialect(path="/predict", write=_named, class_of=_prediction)
CONSTANT = Dialect(path="/predict", write=_features, class_of=None)
CONSTANT_NAMED = Dialect(path="/predict", write=_named, class_of=None)
INFERENCE = Dialect(
    path="/v2/models/forest/infer",
    write=_inference,
    class_of=lambda answer: int(answer["outputs"][0]["data"][0]),
)
INVOCATIONS = Dialect(path="/invocations", write=_inputs, class_of=_label)
