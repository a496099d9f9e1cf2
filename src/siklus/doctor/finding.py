"""A finding: what one check found, and how to mend it."""

from typing import Literal, TypeAlias

from msgspec import Struct

State: TypeAlias = Literal["ok", "note", "trouble", "unknown"]


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``found``: one line, with the value. ``mend``: what to do, with the exact command; "" where nothing is.

    ``note``: works, and somebody should know. ``unknown``: could not be looked at, so nobody knows.
    """

    state: State
    about: str
    found: str
    mend: str = ""


def ok(about: str, found: str) -> Finding:
    return Finding(state="ok", about=about, found=found)


def note(about: str, found: str, *, mend: str = "") -> Finding:
    return Finding(state="note", about=about, found=found, mend=mend)


def trouble(about: str, found: str, *, mend: str) -> Finding:
    return Finding(state="trouble", about=about, found=found, mend=mend)


def unknown(about: str, found: str, *, mend: str = "") -> Finding:
    return Finding(state="unknown", about=about, found=found, mend=mend)
