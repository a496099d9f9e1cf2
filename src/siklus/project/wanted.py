"""What a key takes, in words: msgspec says "Invalid enum value", and not which there are."""

from collections.abc import Sequence

from msgspec import inspect

_LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def wanted(kind: inspect.Type) -> str:
    """A type as a person would say it.

    >>> from typing import Literal
    >>> wanted(inspect.type_info(Literal["group", "time"] | None))
    "one of 'group', 'time'"
    >>> wanted(inspect.type_info(tuple[bool, ...]))
    'a list, each item true or false'
    """
    match kind:
        case inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case inspect.Metadata(type=inner):
            return wanted(inner)
        case inspect.UnionType(types=types):
            return " or ".join(wanted(part) for part in types if not isinstance(part, inspect.NoneType))
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(repr, values))}"
        case inspect.IntType():
            return _bounded("a whole number", kind)
        case inspect.FloatType():
            return _bounded("a number", kind)
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            return "text in quotes"
        case inspect.VarTupleType(item_type=item):
            return f"a list, each item {wanted(item)}"
        case _:
            return "a section"


def type_at(kind: inspect.Type, path: Sequence[str]) -> inspect.Type:
    """The type of the key at ``path`` below a section's; of the nearest one around it otherwise."""
    for name in path:
        fields = {field.encode_name: field.type for field in getattr(kind, "fields", ())}
        if name not in fields:
            break
        kind = fields[name]
    return kind


def _bounded(what: str, kind: inspect.IntType | inspect.FloatType) -> str:
    limits = [
        f"{word} {bound:g}"
        for name, word in _LIMITS.items()
        if (bound := getattr(kind, name, None)) is not None
    ]
    return " ".join([what, " and ".join(limits)]).strip()
