"""scikit-learn's preparations as graph nodes: what stands before the model in a pipeline."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from siklus.errors import ExportError
from siklus.train.graphs.encoders import one_hot, ordinal
from siklus.train.graphs.fallback import converted_transformer
from siklus.train.graphs.graph import Graph, Matrix
from siklus.train.graphs.names import library_name

# None: this configuration of the transformer has no writer here, so skl2onnx gets it.
TransformerWriter = Callable[[Graph, Any, Matrix], Matrix | None]


def add_transformer(graph: Graph, step: Any, rows: Matrix) -> Matrix:
    """What a fitted transformer makes of the rows. ExportError EX001 when it cannot be written."""
    writer = TRANSFORMERS.get(library_name(step))
    written = writer(graph, step, rows) if writer else None
    return converted_transformer(graph, step, rows) if written is None else written


def _chain(graph: Graph, step: Any, rows: Matrix) -> Matrix:
    for _, part in step.steps:
        rows = _part(graph, part, rows)
    return rows


def _by_columns(graph: Graph, step: Any, rows: Matrix) -> Matrix:
    parts = []
    for name, part, _ in step.transformers_:
        # The resolved positions: the third of the triple may be a mask, a slice, names or a function.
        places = list(step._transformer_to_input_indices.get(name, []))  # noqa: SLF001 - kept nowhere else
        if part != "drop" and places:
            parts.append(_part(graph, part, graph.columns(rows, places)))
    if not parts:
        raise ExportError("EX001", "ColumnTransformer: no column is left", expected="one column at least")
    return graph.beside(parts)


def _union(graph: Graph, step: Any, rows: Matrix) -> Matrix | None:
    if step.transformer_weights:
        return None
    return graph.beside([_part(graph, part, rows) for _, part in step.transformer_list if part != "drop"])


def _part(graph: Graph, part: Any, rows: Matrix) -> Matrix:
    return rows if part in (None, "passthrough") else add_transformer(graph, part, rows)


def _imputed(graph: Graph, step: Any, rows: Matrix) -> Matrix | None:
    if not _nan_is_missing(step):
        return None
    # scikit-learn fills float32 rows with float32 values; a tree may have its threshold between the two.
    values = graph.stored(step.statistics_)
    gaps = graph.node("IsNaN", [rows.name])
    filled = Matrix(graph.node("Where", [gaps, graph.row(values), rows.name]), rows.width)
    if not step.keep_empty_features:
        filled = graph.columns(filled, np.flatnonzero(~np.isnan(values)).tolist())
    if step.indicator_ is None:
        return filled
    marks = graph.columns(graph.numbers(gaps, rows.width), step.indicator_.features_.tolist())
    return graph.beside([filled, marks])


def _missing(graph: Graph, step: Any, rows: Matrix) -> Matrix | None:
    if not _nan_is_missing(step):
        return None
    gaps = graph.numbers(graph.node("IsNaN", [rows.name]), rows.width)
    return graph.columns(gaps, step.features_.tolist())


def _nan_is_missing(step: Any) -> bool:
    return isinstance(step.missing_values, float) and bool(np.isnan(step.missing_values))


def _standardised(graph: Graph, step: Any, rows: Matrix) -> Matrix:
    # scikit-learn rounds both to the rows' float32 before it uses them.
    centre = graph.stored(step.mean_) if step.with_mean else None
    return _off_and_over(graph, rows, centre, graph.stored(step.scale_) if step.with_std else None)


def _robust(graph: Graph, step: Any, rows: Matrix) -> Matrix:
    centre = step.center_ if step.with_centering else None
    return _off_and_over(graph, rows, centre, step.scale_ if step.with_scaling else None)


def _over_largest(graph: Graph, step: Any, rows: Matrix) -> Matrix:
    return _off_and_over(graph, rows, None, step.scale_)


def _between(graph: Graph, step: Any, rows: Matrix) -> Matrix | None:
    if step.clip:
        return None
    return _in_place(graph, "Add", _in_place(graph, "Mul", rows, step.scale_), step.min_)


def _off_and_over(graph: Graph, rows: Matrix, centre: Any, scale: Any) -> Matrix:
    if centre is not None:
        rows = _in_place(graph, "Sub", rows, centre)
    return rows if scale is None else _in_place(graph, "Div", rows, scale)


def _in_place(graph: Graph, operator: str, rows: Matrix, values: Any) -> Matrix:
    """One operation as scikit-learn does it in place: on float32 rows each result is rounded, and a tree
    behind it may have its threshold exactly there."""
    return graph.kept(Matrix(graph.node(operator, [rows.name, graph.row(values)]), rows.width))


def _unchanged(graph: Graph, step: Any, rows: Matrix) -> Matrix | None:
    return rows if step.func is None else None


TRANSFORMERS: Mapping[str, TransformerWriter] = {
    "sklearn.Pipeline": _chain,
    "sklearn.ColumnTransformer": _by_columns,
    "sklearn.FeatureUnion": _union,
    "sklearn.SimpleImputer": _imputed,
    "sklearn.MissingIndicator": _missing,
    "sklearn.StandardScaler": _standardised,
    "sklearn.RobustScaler": _robust,
    "sklearn.MaxAbsScaler": _over_largest,
    "sklearn.MinMaxScaler": _between,
    "sklearn.OneHotEncoder": one_hot,
    "sklearn.OrdinalEncoder": ordinal,
    "sklearn.FunctionTransformer": _unchanged,
}
