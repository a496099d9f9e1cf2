"""Tables out of what a notebook holds: pandas, polars, Arrow, numpy, or a dictionary of columns.

None of these packages is imported: a frame is known by where its type comes from.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from siklus.data.cells import cells_of, cells_of_array
from siklus.errors import DataError
from siklus.table import Cells, Table

Named = Iterable[tuple[object, Cells]]


def table_of(data: object) -> Table:
    """The table that ``data`` is: any frame, a two-dimensional array, a mapping of columns, or a Table.

    Names become strings; an array's columns are `x0`, `x1` …, as scikit-learn calls them. A pandas
    index is left out. DA003 for a name that stands twice, DA016 for cells that no table has, DA017
    for what is no table.
    """
    if isinstance(data, Table):
        return data
    columns = _columns_of(data)
    table: dict[str, Cells] = {}
    for raw, cells in columns:
        name = str(raw)
        if name in table:
            raise DataError(
                "DA003", f"column {name!r} stands twice", expected="each column with its own name"
            )
        table[name] = cells
    return Table(table)


def _columns_of(data: object) -> Named:
    if isinstance(data, np.ndarray):
        return _of_array(data)
    if isinstance(data, Mapping):
        return ((name, _of_values(values, name)) for name, values in data.items())
    package = type(data).__module__.partition(".")[0]
    # The class is asked: a lazy frame would work its columns out.
    if package in _FRAMES and hasattr(type(data), "columns"):
        return _FRAMES[package](data)
    raise DataError(
        "DA017",
        f"{type(data).__module__}.{type(data).__qualname__} is no table",
        expected="a pandas, polars or Arrow table, a two-dimensional numpy array, or a dictionary of columns",
    )


def _of_array(array: Cells) -> Named:
    if array.dtype.names:
        return ((name, cells_of_array(array[name], where=_where(name))) for name in array.dtype.names)
    if array.ndim != 2:
        raise DataError(
            "DA017", f"an array of shape {array.shape}", expected="two dimensions: rows and columns"
        )
    return ((f"x{i}", cells_of_array(array[:, i], where=_where(f"x{i}"))) for i in range(array.shape[1]))


def _of_values(values: object, name: object) -> Cells:
    """A dictionary's column: an array, a series of some frame, or a sequence."""
    package = type(values).__module__.partition(".")[0]
    if package in _SERIES:
        return _SERIES[package](values, name)
    if isinstance(values, np.ndarray) and values.ndim:
        return cells_of_array(values, where=_where(name))
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        return cells_of(list(values), where=_where(name))
    raise DataError(
        "DA017", f"{_where(name)} is a {type(values).__name__}", expected="a sequence with a value a row"
    )


def _of_pandas(frame: Any) -> Named:
    # By position: by name, a name that stands twice would give a frame instead of a column.
    return ((name, _of_pandas_series(frame.iloc[:, i], name)) for i, name in enumerate(frame.columns))


def _of_pandas_series(series: Any, name: object) -> Cells:
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biufMm":
        return cells_of_array(series.to_numpy(), where=_where(name))
    missing = series.isna().to_numpy(dtype=bool).tolist()
    values = [None if gone else value for value, gone in zip(series.tolist(), missing, strict=True)]
    return cells_of(values, where=_where(name))


def _of_polars(frame: Any) -> Named:
    if hasattr(frame, "collect"):
        frame = frame.collect()
    return ((series.name, _of_polars_series(series, series.name)) for series in frame.get_columns())


def _of_polars_series(series: Any, name: object) -> Cells:
    if series.dtype.is_numeric() and not series.dtype.is_decimal() and not series.null_count():
        return cells_of_array(series.to_numpy(), where=_where(name))
    return cells_of(series.to_list(), where=_where(name))


def _of_arrow(table: Any) -> Named:
    return ((name, _of_arrow_column(table.column(i), name)) for i, name in enumerate(table.schema.names))


def _of_arrow_column(column: Any, name: object) -> Cells:
    plain = str(column.type) in _ARROW_NUMBERS and not column.null_count
    if plain:
        return cells_of_array(np.asarray(column.to_numpy()), where=_where(name))
    return cells_of(column.to_pylist(), where=_where(name))


def _where(name: object) -> str:
    return f"column {str(name)!r}"


_ARROW_NUMBERS = {
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float",
    "double",
}
_FRAMES: Mapping[str, Callable[[Any], Named]] = {
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_arrow,
}
_SERIES: Mapping[str, Callable[[Any, object], Cells]] = {
    "pandas": _of_pandas_series,
    "polars": _of_polars_series,
    "pyarrow": _of_arrow_column,
}
