"""What is shown: results on stdout (JSON when asked), everything else on stderr."""

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, all else on stderr.")
]

WIDEST_PLAIN = 120  # columns of a table where there is no terminal to ask


def command_app() -> typer.Typer:
    """One command's application, without what the outer `siklus` already does."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Rich would exit with 1, but a reader that has seen enough is no error: `main` sees to it."""
        raise BrokenPipeError


def results() -> Console:
    return _Output(width=None if sys.stdout.isatty() else WIDEST_PLAIN, highlight=False, soft_wrap=False)


def remarks() -> Console:
    return _Output(stderr=True, width=None if sys.stderr.isatty() else WIDEST_PLAIN, highlight=False)


def print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> RichTable:
    """A table of text; numbers are formatted by the caller, who knows their unit."""
    made = RichTable(
        title=Text(title) if title else None,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=None,
        pad_edge=False,
    )
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        # As text, because words of the data such as "[x]" are no markup.
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return made
