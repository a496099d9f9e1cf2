"""Routing: which arm of the traffic policy answers a request, by what its head or its one row says."""

from collections.abc import Mapping

from siklus.contract.columns import Contract
from siklus.serve.scoring import Given
from siklus.serve.traffic.lineup import Arm, Lineup
from siklus.table import Table

LONGEST_KEY_BITS = 128  # of a number; Python refuses to write thousands of digits


def assigns_by_row(lineup: Lineup) -> bool:
    """Whether a single row has to be read to know who answers it."""
    return bool(lineup.challengers) and lineup.sticky is not None and lineup.sticky.where == "column"


def arm_by_head(lineup: Lineup, headers: Mapping[str, str]) -> Arm:
    """The arm for a whole request. The champion, where each row of a batch would have a key of its own."""
    if assigns_by_row(lineup):
        return lineup.champion
    return lineup.pick(None if lineup.sticky is None else headers.get(lineup.sticky.name))


def arm_by_row(lineup: Lineup, given: Given, contract: Contract) -> Arm:
    """The arm for a single row, an object by column name or a list in the order of the ``contract``.

    An object may name a column that the contract ignores. Without a key an arm is picked by chance.
    """
    if lineup.sticky is None or isinstance(given, Table):
        return lineup.champion
    return lineup.pick(_text(_cell(given[0], lineup.sticky.name, contract)))


def _cell(instance: object, column: str, contract: Contract) -> object:
    if isinstance(instance, dict):
        return instance.get(column)
    names = [known.name for known in contract.columns]
    place = names.index(column) if column in names else None
    if isinstance(instance, list) and place is not None and place < len(instance):
        return instance[place]
    return None


def _text(value: object) -> str | None:
    """Equal keys have equal texts, however JSON writes them: 7 and 7.0 are one customer."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case int():
            return str(value) if value.bit_length() <= LONGEST_KEY_BITS else None
        case str():
            return value
        case _:
            return None
