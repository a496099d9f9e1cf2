"""Routing: the key by which a request is assigned to an arm of the traffic policy."""

from collections.abc import Mapping

from siklus.contract.columns import Contract
from siklus.registry.sticky import Sticky

LONGEST_KEY_BITS = 128  # of a number; Python refuses to write thousands of digits


def header_key(sticky: Sticky | None, headers: Mapping[str, str]) -> str | None:
    """What the sticky header says; None where the policy names none, or the request has none."""
    if sticky is None or sticky.where != "header":
        return None
    return headers.get(sticky.name)


def column_key(sticky: Sticky, instance: object, contract: Contract) -> str | None:
    """What one row has in the sticky column, as text; None where it has nothing there.

    ``instance``: an object by column name, where the column may be one that the contract ignores, or a list
    in the contract's order.
    """
    if isinstance(instance, dict):
        return _text(instance.get(sticky.name))
    if isinstance(instance, list):
        names = [column.name for column in contract.columns]
        place = names.index(sticky.name) if sticky.name in names else len(instance)
        return _text(instance[place]) if place < len(instance) else None
    return None


def _text(value: object) -> str | None:
    """Equal keys have equal texts, however JSON writes them: 7 and 7.0 are one customer."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case int():
            return str(value) if value.bit_length() <= LONGEST_KEY_BITS else None
        case str():
            return value
        case _:
            return None
