"""Sticky keys: what of a request decides, always in the same way, which arm of the traffic policy answers."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from siklus.errors import RegistryError

Where: TypeAlias = Literal["header", "column"]

HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # a field name of HTTP (RFC 9110, 5.1)
WANTED = "header:NAME or column:NAME"


@dataclass(frozen=True, slots=True)
class Sticky:
    """Where the key stands: in a header (its name in lower case), or in a column of a single row."""

    where: Where
    name: str

    def __str__(self) -> str:
        return f"{self.where}:{self.name}"


def parse_sticky(text: str) -> Sticky:
    """`header:x-user-id` or `column:customer`; RegistryError RG011 for anything else.

    >>> str(parse_sticky("header:X-User-Id"))
    'header:x-user-id'
    """
    where, _, name = text.partition(":")
    if where == "header" and HEADER.fullmatch(name):
        return Sticky("header", name.lower())
    if where == "column" and name:
        return Sticky("column", name)
    raise RegistryError("RG011", f"sticky key {text[:80]!r}", expected=WANTED)
