"""The contract's own shape: its columns, its target, and how it is read and written."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from siklus.errors import ContractError
from siklus.files import write_atomic

FORMAT = 1

Label: TypeAlias = str | int | bool
Task: TypeAlias = Literal["classification", "regression"]
TimePart: TypeAlias = Literal["year", "month", "day", "weekday", "hour", "minute", "dayofyear", "days"]

# Ready for a calendar model; `days` (since 1970) and `year` only extrapolate, so they are asked for by name.
DEFAULT_PARTS: tuple[TimePart, ...] = ("month", "day", "weekday", "hour")

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class _Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all kinds of column have.

    ``nullable``: a missing cell (null, NaN) is allowed. ``optional``: the cell may be left out, and
    then reads as ``default`` (which each kind declares). ``strict``: a value outside the range or the
    vocabulary is refused; otherwise it is scored and counted. ``sensitive``: never logged as it is.
    """

    name: Name
    nullable: bool = False
    optional: bool = False
    strict: bool = False
    sensitive: bool = False
    description: str = ""


class Number(_Column, tag="number", tag_field="kind", frozen=True, kw_only=True):
    """A real number; one float32 slot."""

    minimum: float | None = None
    maximum: float | None = None
    default: float | None = None


class Integer(_Column, tag="integer", tag_field="kind", frozen=True, kw_only=True):
    """A whole number; one float32 slot (exact up to 2**24)."""

    minimum: int | None = None
    maximum: int | None = None
    default: int | None = None


class Category(_Column, tag="category", tag_field="kind", frozen=True, kw_only=True):
    """One of a vocabulary of strings or of integers; one slot holding its index, -1 when unseen."""

    vocabulary: tuple[str | int, ...]
    default: str | int | None = None


class Boolean(_Column, tag="boolean", tag_field="kind", frozen=True, kw_only=True):
    """True or false; one slot holding 1 or 0."""

    default: bool | None = None


class Datetime(_Column, tag="datetime", tag_field="kind", frozen=True, kw_only=True):
    """A moment (ISO 8601; without an offset it is UTC); one slot a declared part."""

    parts: tuple[TimePart, ...] = DEFAULT_PARTS
    default: str | None = None


class Text(_Column, tag="text", tag_field="kind", frozen=True, kw_only=True):
    """Free text: an input of its own, no slot in the matrix."""

    default: str | None = None


class Tensor(_Column, tag="tensor", tag_field="kind", frozen=True, kw_only=True):
    """Nested lists of numbers of one fixed shape: an input of its own, no slot in the matrix."""

    shape: tuple[Annotated[int, msgspec.Meta(gt=0)], ...]
    default: None = None


Column: TypeAlias = Number | Integer | Category | Boolean | Datetime | Text | Tensor


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is predicted: a class out of ``classes`` (in the order of the probabilities), or a number."""

    name: Name
    classes: tuple[Label, ...] | None = None


class Contract(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, dict=True
):
    """Columns in their order, the target, and the columns that a table may have but a row does not.

    ``ignored`` names what the source has and the model must not see (the row key, a leak): such a
    column is allowed in a table and in a named row, anything else unknown is an error.
    """

    format: int = FORMAT
    columns: tuple[Column, ...]
    target: Target
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns] + [self.target.name, *self.ignored]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"named more than once: {', '.join(doubled)}")
        for column in self.columns:
            _refuse_inconsistent(column)

    @property
    def task(self) -> Task:
        return "regression" if self.target.classes is None else "classification"

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """The name of each float of a decoded row: `distance`, `departure.hour` …"""
        return tuple(slot for column in self.columns for slot in slots_of(column))

    @property
    def width(self) -> int:
        """Floats in a decoded row."""
        return len(self.slots)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def slots_of(column: Column) -> tuple[str, ...]:
    """The names of the column's floats in the matrix; none for text and tensors."""
    match column:
        case Datetime(name=name, parts=parts):
            return tuple(f"{name}.{part}" for part in parts)
        case Text() | Tensor():
            return ()
        case _:
            return (column.name,)


def kind_of(column: Column) -> str:
    """`number`, `category` …, as in the file."""
    return str(type(column).__struct_config__.tag)


def label_text(label: Label) -> str:
    """A class as a JSON key or a metric's label: the text that JSON has for it, without quotes."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)


def read_contract(path: Path) -> Contract:
    """The committed contract; ContractError CT001 to CT003 when there is none or it is wrong."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise ContractError(
            "CT001", f"{path}: no contract here", expected="`siklus contract infer` writes one"
        ) from None
    return parse_contract(text, where=str(path))


def parse_contract(text: bytes, *, where: str) -> Contract:
    try:
        found = msgspec.json.decode(text, type=Contract)
    except msgspec.MsgspecError as exc:
        raise ContractError(
            "CT002", f"{where}: {exc}", expected="a contract as docs/contract.md describes it"
        ) from exc
    if found.format != FORMAT:
        raise ContractError("CT003", f"{where}: contract format {found.format}", expected=f"format {FORMAT}")
    return found


def contract_text(contract: Contract) -> str:
    """The contract as it is committed: one column a block, ready for a line-by-line diff."""
    raw = {
        "format": contract.format,
        **msgspec.to_builtins(contract),
    }  # the number is written though it is the default
    return msgspec.json.format(msgspec.json.encode(raw), indent=2).decode() + "\n"


def write_contract(path: Path, contract: Contract) -> None:
    write_atomic(path, contract_text(contract))


def _refuse_inconsistent(column: Column) -> None:
    match column:
        case Category(vocabulary=words) if not words:
            raise ValueError(f"column {column.name!r}: an empty vocabulary")
        case Category(vocabulary=words) if len(set(words)) < len(words):
            raise ValueError(f"column {column.name!r}: a word stands twice in the vocabulary")
        case Category(vocabulary=words) if len({type(word) for word in words}) > 1:
            raise ValueError(f"column {column.name!r}: a vocabulary of strings and integers mixed")
        case Number(minimum=low, maximum=high) | Integer(minimum=low, maximum=high):
            if low is not None and high is not None and low > high:
                raise ValueError(f"column {column.name!r}: minimum {low} is above maximum {high}")
        case Datetime(parts=parts) if not parts:
            raise ValueError(f"column {column.name!r}: no parts")
    if column.optional and column.default is None and not column.nullable:
        raise ValueError(f"column {column.name!r}: optional needs a default or nullable")
