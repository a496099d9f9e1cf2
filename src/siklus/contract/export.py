"""Export: a contract in the words of other tools, JSON Schema 2020-12 and pandera.

What both say is what `decode` accepts, but for one thing that JSON Schema cannot say: a moment's text
is only held to begin like an ISO 8601 date.
"""

import math

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Target,
    Tensor,
    Text,
)
from siklus.contract.decode import FLOAT32_MAX

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# 2024-01-31, 20240131, 2024-W05: the ways in which Python's fromisoformat lets a text begin.
ISO_START = "^[0-9]{4}-?(W[0-9]{2}|[0-9]{2})"
WORDS_SHOWN = 20  # of a vocabulary that is not enforced, as examples

JsonSchema = dict[str, object]


def to_jsonschema(contract: Contract) -> JsonSchema:
    """One row of a request: an object by column name, or a list in the contract's order.

    Nothing is referred to, so each part can be put into another document (OpenAPI) as it is.
    """
    properties = {column.name: column_jsonschema(column) for column in contract.columns}
    ignored = {name: {"description": "allowed, and not looked at"} for name in contract.ignored}
    by_name = {
        "title": "by name",
        "type": "object",
        "properties": {**properties, **ignored},
        "required": [column.name for column in contract.columns if not column.optional],
        "additionalProperties": False,
    }
    by_place = {
        "title": "by place",
        "description": ", ".join(contract.names),
        "type": "array",
        "prefixItems": list(properties.values()),
        "items": False,
        "minItems": len(properties),
    }
    title = f"A row from which {contract.target.name} is predicted"
    return {"$schema": DIALECT, "title": title, "oneOf": [by_name, by_place]}


def column_jsonschema(column: Column) -> JsonSchema:
    """One cell of a JSON row."""
    cell = _cell(column)
    if column.nullable:
        cell["type"] = [cell["type"], "null"]
        if "enum" in cell:
            cell["enum"] = [*_listed(cell["enum"]), None]
    told = [text for text in (column.description, cell.pop("description", "")) if text]
    if told:
        cell["description"] = "; ".join(str(text) for text in told)
    if column.optional:
        cell["default"] = column.default
    return cell


def to_pandera(contract: Contract) -> str:
    """Python source of a pandera `DataFrameSchema` named `contract`, for training and batch tables.

    Run it, then `contract.validate(frame, lazy=True)`. It needs pandera with pandas.
    """
    columns = [f"        {column.name!r}: {_pandera_column(column)},\n" for column in contract.columns]
    columns += [f"        {contract.target.name!r}: {_pandera_target(contract.target)},\n"]
    columns += [f"        {name!r}: pa.Column(required=False, nullable=True),\n" for name in contract.ignored]
    body = ["contract = pa.DataFrameSchema(\n    {\n", *columns, "    },\n    strict=True,\n"]
    return _PANDERA_HEAD.format(largest=FLOAT32_MAX) + "".join(
        [*body, f"    name={contract.target.name!r},\n)\n"]
    )


def _cell(column: Column) -> JsonSchema:
    match column:
        case Number(minimum=low, maximum=high) | Integer(minimum=low, maximum=high):
            kind = "integer" if isinstance(column, Integer) else "number"
            if column.strict:
                return {"type": kind, **_within(low, high)}
            return {"type": kind, **_within(None, None), "description": _usual(low, high)}
        case Category(vocabulary=words):
            kind = "string" if isinstance(words[0], str) else "integer"
            if column.strict:
                return {"type": kind, "enum": list(words)}
            return {"type": kind, "examples": list(words[:WORDS_SHOWN])}
        case Boolean():
            return {"type": "boolean"}
        case Datetime():
            told = "a moment as ISO 8601; without an offset it is UTC"
            return {"type": "string", "pattern": ISO_START, "description": told}
        case Text():
            return {"type": "string"}
        case Tensor(shape=shape):
            return _nested(shape)


def _within(low: float | None, high: float | None) -> JsonSchema:
    """The bounds, at least those of float32."""
    least = -FLOAT32_MAX if low is None else max(low, -FLOAT32_MAX)
    most = FLOAT32_MAX if high is None else min(high, FLOAT32_MAX)
    return {"minimum": least, "maximum": most}


def _usual(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    bounds = [f"from {low}" if low is not None else "", f"to {high}" if high is not None else ""]
    return f"usually {' '.join(bound for bound in bounds if bound)}"


def _nested(shape: tuple[int, ...]) -> JsonSchema:
    items = _nested(shape[1:]) if len(shape) > 1 else {"type": "number", **_within(None, None)}
    return {"type": "array", "items": items, "minItems": shape[0], "maxItems": shape[0]}


def _listed(words: object) -> list[object]:
    return list(words) if isinstance(words, list) else []


# Cells are judged one by one, as decode does: a dtype would refuse integers with gaps (floats in pandas)
# and, with coercion, take "1" for a number.
_PANDERA_HEAD = '''"""What a table must be, as pandera checks. Exported from a Siklus contract."""

from datetime import date, datetime
from numbers import Real

import numpy as np
import pandera.pandas as pa

LARGEST = {largest!r}  # number that fits float32


def number(cell: object) -> bool:
    return isinstance(cell, Real) and not isinstance(cell, bool) and abs(float(cell)) <= LARGEST


def whole(cell: object) -> bool:
    return number(cell) and float(cell).is_integer()


def boolean(cell: object) -> bool:
    return isinstance(cell, bool | np.bool_)


def string(cell: object) -> bool:
    return isinstance(cell, str)


def moment(cell: object) -> bool:
    try:
        return isinstance(cell, date) or bool(datetime.fromisoformat(cell))
    except (TypeError, ValueError):
        return False


def shaped(*shape: int) -> pa.Check:
    def check(cell: object) -> bool:
        try:
            values = np.asarray(cell)
        except ValueError:
            return False
        return values.shape == shape and values.dtype.kind in "iuf" and (abs(values) <= LARGEST).all()

    return pa.Check(check, element_wise=True, error=f"numbers of shape {{shape}}")


def each(rule) -> pa.Check:
    return pa.Check(rule, element_wise=True, error=f"a {{rule.__name__}}")


'''


def _pandera_column(column: Column) -> str:
    options = [f"checks=[{', '.join(_checks(column))}]"]
    options += ["nullable=True"] if column.nullable else []
    options += ["required=False"] if column.optional else []
    return f"pa.Column({', '.join(options)})"


def _checks(column: Column) -> list[str]:
    match column:
        case Number(minimum=low, maximum=high) | Integer(minimum=low, maximum=high):
            rule = "each(whole)" if isinstance(column, Integer) else "each(number)"
            return [rule, *_pandera_bounds(low, high)] if column.strict else [rule]
        case Category(vocabulary=words):
            rule = "each(string)" if isinstance(words[0], str) else "each(whole)"
            return [rule, f"pa.Check.isin({list(words)!r})"] if column.strict else [rule]
        case Boolean():
            return ["each(boolean)"]
        case Datetime():
            return ["each(moment)"]
        case Text():
            return ["each(string)"]
        case Tensor(shape=shape):
            return [f"shaped({', '.join(map(str, shape))})"]


def _pandera_bounds(low: float | None, high: float | None) -> list[str]:
    bounds = (("ge", low), ("le", high))
    return [
        f"pa.Check.{name}({bound!r})" for name, bound in bounds if bound is not None and math.isfinite(bound)
    ]


def _pandera_target(target: Target) -> str:
    """Rows without a target are left out of a training, so they are no breach."""
    rule = "each(number)" if target.classes is None else f"pa.Check.isin({list(target.classes)!r})"
    return f"pa.Column(checks=[{rule}], nullable=True)"
