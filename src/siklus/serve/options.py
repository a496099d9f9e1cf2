"""Options: the settings of a server as words of its command line, there and back."""

import argparse
from typing import Any, TypeVar

import msgspec

from siklus.project.sections import Records, Serve

PREFIXES = {Serve: "", Records: "records_"}  # as `--port` and `--records-durability`

Section = TypeVar("Section", Serve, Records)


def words_of(section: Serve | Records) -> list[str]:
    """The options that hand these settings to a server's process; what is None has none."""
    words = []
    for name in section.__struct_fields__:
        value = getattr(section, name)
        option = _option(type(section), name)
        if isinstance(value, tuple):
            words += [word for each in value for word in (option, str(each))]
        elif value is not None:
            words += [option, str(value)]
    return words


def add_options(parser: argparse.ArgumentParser, defaults: Serve | Records) -> None:
    """One option for each setting, so that neither the file nor the command has one that the other lacks."""
    for name in defaults.__struct_fields__:
        default = getattr(defaults, name)
        option = _option(type(defaults), name)
        if isinstance(default, tuple):
            parser.add_argument(option, action="append", help="repeatable; default: none")
            continue
        # `--insecure` alone is understood as well as `--insecure true`.
        switch: dict[str, Any] = {"nargs": "?", "const": True} if isinstance(default, bool) else {}
        parser.add_argument(option, default=default, help="default: %(default)s", **switch)


def section_of(kind: type[Section], given: argparse.Namespace) -> Section:
    """The section as parsed; msgspec.ValidationError for a value that it cannot have."""
    values = {name: getattr(given, PREFIXES[kind] + name) for name in kind.__struct_fields__}
    set_ones = {name: value for name, value in values.items() if value is not None}
    return msgspec.convert(set_ones, type=kind, strict=False)


def _option(kind: type[Serve | Records], name: str) -> str:
    return f"--{(PREFIXES[kind] + name).replace('_', '-')}"
