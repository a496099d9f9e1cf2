"""Every command of the command line as a page, from what its `--help` says."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer

from siklus.cli.main import COMMANDS, Group

ABOUT = """# Commands

Every command, as `siklus COMMAND --help` tells it; this page is written from the same words when the site
is built.

Exit codes: 0, done, or the answer is yes; 1, the answer is no (a gate fails, a contract breaks); 2, wrong
usage or something else that you can mend; 130 after Ctrl-C, 143 after SIGTERM. With `--json` a command prints
its result as one JSON document on stdout, and all else on stderr.
"""


def page() -> str:
    """The reference of all commands, in the order of `siklus --help`."""
    return "\n".join([ABOUT, *_overview(), *_sections()])


def _overview() -> Iterator[str]:
    for group in Group:
        yield f"\n**{group}**\n\n| command | what it does |\n| --- | --- |"
        for name, command in COMMANDS.items():
            if command.group is group:
                yield f"| [`{name}`](#siklus-{name}) | {_cell(command.about)} |"
    yield ""


def _sections() -> Iterator[str]:
    for name, command in COMMANDS.items():
        app: typer.Typer = import_module(command.module).app
        yield from _command(f"siklus {name}", typer.main.get_command(app), depth=2)


def _command(path: str, command: Any, *, depth: int) -> Iterator[str]:
    """One command and, behind it, those below it. ``command``: of the click that typer brings along."""
    context = command.make_context(path, [], resilient_parsing=True)
    yield f"{'#' * depth} {path}"
    yield f"\n```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    yield _paragraphs(command.help or "")
    records = [param.get_help_record(context) for param in command.get_params(context)]
    rows = [(words, about) for words, about in filter(None, records) if words != "--help"]
    if rows:
        yield "\n| option | meaning |\n| --- | --- |"
        yield from (f"| `{_line(words)}` | {_cell(about)} |" for words, about in rows)
    yield ""
    for name, below in getattr(command, "commands", {}).items():
        yield from _command(f"{path} {name}", below, depth=depth + 1)


def _paragraphs(text: str) -> str:
    """A docstring as Markdown; \\b keeps an example's lines as they are on a terminal, and here as well."""
    parts = [part.strip("\n") for part in text.split("\n\n")]
    shown = [f"```text\n{part[1:].strip(chr(10))}\n```" if part[:1] == "\b" else part for part in parts]
    return "\n\n".join(shown)


def _line(text: str) -> str:
    """Text within a table: on one line, and no bar ends its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _cell(text: str) -> str:
    """The same outside of backticks, where an angle bracket would be taken for markup."""
    return _line(text).replace("<", "&lt;")
