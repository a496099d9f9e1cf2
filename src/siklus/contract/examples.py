"""Examples: a row that keeps the contract, for documentation and for a first request."""

from siklus.contract.columns import (
    Boolean,
    Category,
    Column,
    Contract,
    Datetime,
    Integer,
    Number,
    Tensor,
    Text,
)

DIGITS = 4  # of a number made up here: enough for any range to be told, few enough to read
MOMENT = "2024-01-31T08:00:00Z"


def example_row(contract: Contract) -> dict[str, object]:
    """A JSON row by column name that `decode_records` takes: midpoints of ranges, first words, defaults."""
    return {column.name: _example(column) for column in contract.columns}


def _example(column: Column) -> object:
    if column.default is not None:
        return column.default
    match column:
        case Number(minimum=low, maximum=high):
            return _middle(low, high)
        case Integer(minimum=low, maximum=high):
            return _whole_middle(low, high)
        case Category(vocabulary=words):
            return words[0]
        case Boolean():
            return True
        case Datetime():
            return MOMENT
        case Text():
            return "some text"
        case Tensor(shape=shape):
            return _zeros(shape)


def _middle(low: float | None, high: float | None) -> float:
    if low is None or high is None:
        return next((float(bound) for bound in (low, high) if bound is not None), 0.0)
    middle = low / 2 + high / 2
    short = float(f"{middle:.{DIGITS}g}")
    return short if low <= short <= high else middle


def _whole_middle(low: int | None, high: int | None) -> int:
    if low is None or high is None:
        return next((bound for bound in (low, high) if bound is not None), 0)
    return (low + high) // 2


def _zeros(shape: tuple[int, ...]) -> object:
    return [_zeros(shape[1:]) for _ in range(shape[0])] if shape else 0.0
