"""What is shown: results on stdout (JSON when asked), everything else on stderr."""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, all else on stderr.")
]

# What would steer a terminal, or turn the direction of a line: words of the data and of people may hold it.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
WIDEST_PLAIN = 120  # columns of a table where there is no terminal to ask


def command_app() -> typer.Typer:
    """One command's application, without what the outer `siklus` already does."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class _Output(Console):
    def print(self, *objects: Any, **how: Any) -> None:
        shown = (harmless(each) if isinstance(each, str) else each for each in objects)
        super().print(*shown, **how)

    def on_broken_pipe(self) -> None:
        """Rich would exit with 1, but a reader that has seen enough is no error: `main` sees to it."""
        raise BrokenPipeError


def harmless(text: str) -> str:
    r"""The text with what would steer the terminal written out.

    >>> harmless("\x1b[31mred")
    '\\x1b[31mred'
    """
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def results() -> Console:
    return _Output(width=None if sys.stdout.isatty() else WIDEST_PLAIN, highlight=False, soft_wrap=False)


def remarks() -> Console:
    return _Output(stderr=True, width=None if sys.stderr.isatty() else WIDEST_PLAIN, highlight=False)


def print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> RichTable:
    """A table of text; numbers are formatted by the caller, who knows their unit."""
    made = RichTable(
        title=Text(harmless(title)) if title else None,
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
        made.add_row(*(Text("" if cell is None else harmless(str(cell))) for cell in row))
    return made
