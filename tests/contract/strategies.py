"""Contracts and rows that hypothesis makes up."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from siklus.contract.columns import (
    DEFAULT_PARTS,
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

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)  # a lone surrogate is no UTF-8
NAMES = st.one_of(st.sampled_from("abcdef"), TEXTS.filter(bool))
NUMBERS = st.floats(-1e30, 1e30)
WHOLE = st.integers(-(10**15), 10**15)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat())


def kept_cells(column: Column) -> st.SearchStrategy[Any]:
    """JSON cells that keep the column, strict or not; never null."""
    match column:
        case Number(minimum=low, maximum=high):
            return st.floats(-1e30 if low is None else low, 1e30 if high is None else high)
        case Integer(minimum=low, maximum=high):
            return st.integers(-(10**15) if low is None else low, 10**15 if high is None else high)
        case Category(vocabulary=words):
            return st.sampled_from(words)
        case Boolean():
            return st.booleans()
        case Datetime():
            return MOMENTS
        case Text():
            return TEXTS
        case Tensor(shape=shape):
            cells: st.SearchStrategy[Any] = NUMBERS
            for size in reversed(shape):
                cells = st.lists(cells, min_size=size, max_size=size)
            return cells


# Whatever JSON can hold; a bool among a tensor's numbers and integers beyond 64 bits are tried elsewhere.
LOOSE_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    WHOLE,
    st.floats(allow_nan=False, allow_infinity=False),
    WHOLE.map(float),
    TEXTS,
    MOMENTS,
    st.lists(NUMBERS, max_size=3),
    st.lists(st.lists(NUMBERS, max_size=2), max_size=2),
    st.dictionaries(TEXTS, st.booleans(), max_size=1),
)


@st.composite
def columns(draw: st.DrawFn, *, name: str) -> Column:
    """A column of any kind, consistent: an optional one has a default that keeps it, or is nullable."""
    given: dict[str, Any] = {"name": name, "nullable": draw(st.booleans()), "strict": draw(st.booleans())}
    made = draw(_of_any_kind(given))
    if not draw(st.booleans()):
        return made
    default = None if isinstance(made, Tensor) else draw(st.none() | kept_cells(made))
    nullable = made.nullable or default is None
    return msgspec.structs.replace(made, optional=True, nullable=nullable, default=default)


def _of_any_kind(given: dict[str, Any]) -> st.SearchStrategy[Column]:
    words = st.one_of(
        st.lists(TEXTS, min_size=1, max_size=4, unique=True),
        st.lists(WHOLE, min_size=1, max_size=4, unique=True),
    )
    parts = st.lists(st.sampled_from(DEFAULT_PARTS), min_size=1, unique=True)
    shapes = st.sampled_from([(2,), (1, 2)])
    return st.one_of(
        _bounds(NUMBERS).map(lambda bounds: Number(minimum=bounds[0], maximum=bounds[1], **given)),
        _bounds(WHOLE).map(lambda bounds: Integer(minimum=bounds[0], maximum=bounds[1], **given)),
        words.map(lambda found: Category(vocabulary=tuple(found), **given)),
        st.just(Boolean(**given)),
        parts.map(lambda found: Datetime(parts=tuple(found), **given)),
        st.just(Text(**given)),
        shapes.map(lambda shape: Tensor(shape=shape, **given)),
    )


def _bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    both = st.tuples(values, values).map(lambda pair: (min(pair), max(pair)))
    return st.one_of(both, st.tuples(st.none(), st.none() | values), st.tuples(values, st.none()))


@st.composite
def contracts(draw: st.DrawFn, *, most: int = 4) -> Contract:
    names = draw(st.lists(NAMES, min_size=2, max_size=most + 1, unique=True))
    return Contract(
        columns=tuple(draw(columns(name=name)) for name in names[1:]),
        target=Target(
            name=names[0], classes=draw(st.sampled_from([None, ("no", "yes"), (0, 1), (False, True)]))
        ),
    )


@st.composite
def kept_rows(draw: st.DrawFn, contract: Contract) -> dict[str, Any]:
    """A JSON row by name that keeps the contract."""
    row = {}
    for column in contract.columns:
        if column.optional and draw(st.booleans()):
            continue
        cells = kept_cells(column) if column.strict else kept_cells(column) | _outside(column)
        row[column.name] = draw(st.none() | cells if column.nullable else cells)
    return row


def _outside(column: Column) -> st.SearchStrategy[Any]:
    """Cells that may be outside the range or the vocabulary."""
    match column:
        case Number() | Integer():
            return kept_cells(msgspec.structs.replace(column, minimum=None, maximum=None))
        case Category(vocabulary=words):
            return TEXTS if isinstance(words[0], str) else WHOLE
    return kept_cells(column)


@st.composite
def loose_rows(draw: st.DrawFn, contract: Contract) -> Any:
    """A JSON row, by name or by place, that may or may not keep the contract."""
    row = draw(kept_rows(contract))
    for name in draw(st.lists(st.sampled_from(contract.names) | NAMES, max_size=2)):
        row[name] = draw(LOOSE_CELLS)
    for name in draw(st.lists(st.sampled_from(contract.names), max_size=1)):
        row.pop(name, None)
    return list(row.values()) if draw(st.booleans()) else row
