"""The rows that a model is packaged with: as the model takes them, and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siklus.bundle.frame import can_rebuild, frame_of
from siklus.contract.columns import Contract, Label
from siklus.contract.decode import Rows
from siklus.data.frames import table_of
from siklus.errors import DataError, ExportError
from siklus.extras import need
from siklus.table import Cells, Table

TENSOR_COLUMN = "x"  # of an array that is no matrix: images, series
UNNAMED_TARGETS = ("target", "y", "label")


@dataclass(frozen=True)
class Given:
    """``raw`` is what the model's own library is called with; ``table`` has the same rows and names."""

    raw: Any
    table: Table

    def rounded(self, contract: Contract, rows: Rows) -> Any:
        """``raw`` again, its numbers as float32 holds them; None where a frame cannot be rebuilt."""
        if isinstance(self.raw, np.ndarray):
            kind = self.raw.dtype if self.raw.dtype.kind == "f" else np.float64
            return rows.matrix.astype(kind) if contract.width == len(contract.columns) else None
        if not can_rebuild(contract):
            return None
        frame = frame_of(rows, contract)
        for name, dtype in _category_types(self.raw).items():
            frame[name] = frame[name].astype(dtype)
        return frame


def given_rows(data: Any, columns: Sequence[str]) -> Given:
    """What was given as X. ``columns``: the names that the model was fitted with, if it knows any.

    An array takes the model's names; of a table from elsewhere (a file's), columns that the model does not
    know are left out. DataError as `table_of` has it, DA002 when one of the model's is not there.
    """
    data = plain_array(data)
    table = table_with(data, columns)
    if isinstance(data, np.ndarray):
        named = data.ndim == 2 and table.names == list(columns)
        return Given(_frame(table) if named else data, table)
    if type(data).__module__.partition(".")[0] in ("pandas", "polars"):
        return Given(data, table)
    if columns and (set(columns) <= set(table.names) or len(columns) != len(table.names)):
        table = table.select(columns)
    numeric = all(cells.dtype.kind in "biuf" for cells in table.columns.values())
    return Given(_matrix(table) if numeric and not columns else _frame(table), table)


def table_with(data: Any, columns: Sequence[str]) -> Table:
    """Any frame or array as a table; an array of as many columns takes these names."""
    data = plain_array(data)
    if isinstance(data, np.ndarray) and data.ndim > 2:
        return table_of({TENSOR_COLUMN: data})
    table = table_of(data)
    if isinstance(data, np.ndarray) and len(columns) == len(table.names):
        return Table(dict(zip(columns, table.columns.values(), strict=True)))
    return table


def plain_array(data: Any) -> Any:
    """A PyTorch tensor as a numpy array; anything else as it is."""
    return data.detach().cpu().numpy() if hasattr(data, "detach") else data


def given_labels(data: Any, taken: Sequence[str]) -> tuple[str, Cells]:
    """The target's name and its cells. One without a name gets one that is not among ``taken``."""
    data = plain_array(data)
    if isinstance(data, np.ndarray):
        data = data[:, 0] if data.ndim == 2 and data.shape[1] == 1 else data
    elif hasattr(data, "columns") or isinstance(data, Table):
        table = table_of(data)
        if len(table.names) != 1:
            raise ExportError("EX012", f"a target of {len(table.names)} columns", expected="one target")
        return table.names[0], table[table.names[0]]
    name = getattr(data, "name", None)
    if not isinstance(name, str) or not name:
        name = next((free for free in UNNAMED_TARGETS if free not in taken), UNNAMED_TARGETS[0])
    cells = table_of({name: data})[name]
    if any(isinstance(cell, list) for cell in cells[:1]):
        raise ExportError("EX012", "a target of several columns", expected="one target")
    return name, cells


def classes_of(model: Any) -> tuple[Label, ...] | None:
    """The model's own labels in their order; None when it has none. DataError DA036 for what is no label."""
    found = getattr(model, "classes_", None)
    return None if found is None else labels_of(np.asarray(found, dtype=object).tolist())


def labels_of(found: Sequence[object]) -> tuple[Label, ...]:
    """Plain Python labels: whole floats are integers, as targets with gaps are read."""
    return tuple(_label(value) for value in found)


def _label(value: object) -> Label:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    if isinstance(plain, str | int):
        return plain
    raise DataError(
        "DA036", f"{plain!r} is no class", expected="strings, whole numbers or booleans as classes"
    )


def _matrix(table: Table) -> NDArray[np.float64]:
    return np.column_stack([cells.astype(np.float64) for cells in table.columns.values()])


def _frame(table: Table) -> Any:
    return need("pandas", extra="pandas").DataFrame(dict(table.columns))


def _category_types(frame: Any) -> dict[str, Any]:
    if type(frame).__module__.partition(".")[0] != "pandas":
        return {}
    return {str(name): dtype for name, dtype in frame.dtypes.items() if hasattr(dtype, "categories")}
