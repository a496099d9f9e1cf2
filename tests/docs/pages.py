"""The tutorial as a program: the blocks of its pages, in order, and what is said of each on the line before.

A `console` block is commands (`$ …`) with what they print. A line of its own before a block may mark it:
`<!-- file: NAME -->` and `<!-- append: NAME -->` (the block is a file's text, or goes to its end),
`<!-- slow -->`, `<!-- needs: docker -->` (commands that take long, or need what not every machine has),
`<!-- shown -->` (a file as it will look, which nothing is to be done with).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- (?P<kind>file|append|needs|slow|shown)(?:: (?P<word>\S+))? -->\n\Z")


@dataclass(frozen=True)
class Block:
    """One fenced block. ``mark``: (kind, word) of the comment before it; ("", "") without one."""

    page: str
    line: int
    language: str
    body: str
    mark: tuple[str, str]

    @property
    def at(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Step:
    """A command and what the page shows of its output; "" where it shows nothing."""

    at: str
    command: str
    shown: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        mark = MARK.search(text, 0, found.start())
        yield Block(
            page=page.name,
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            body=found["body"],
            mark=(mark["kind"], mark["word"] or "") if mark else ("", ""),
        )


def steps(block: Block) -> Iterator[Step]:
    """The commands of a `console` block; one goes on where its line ends with a backslash."""
    command, shown, line = "", [], block.line
    for offset, text in enumerate(block.body.splitlines(), start=1):
        if text.startswith("$ "):
            if command:
                yield Step(f"{block.page}:{line}", command, "\n".join(shown))
            command, shown, line = text[2:], [], block.line + offset
        elif command.endswith("\\"):
            command += "\n" + text
        else:
            shown.append(text)
    yield Step(f"{block.page}:{line}", command, "\n".join(shown))


UNSTEADY = re.compile(r"\b[0-9a-f]{8}(?:[0-9a-f-]{4,})\b|(?<![A-Za-z_])[-+]?<?\d[\d.,:]*(?:e[-+]?\d+)?(?!\w)")


def same(shown: str, printed: str) -> bool:
    """Whether it was printed as the page shows it: the words alike, a number where there is a number.

    `…` stands for any text. Figures, times and digests differ from machine to machine and from day to day,
    and how lines are broken depends on them.
    """
    text = _steady(printed)
    first, *between = [_steady(part) for part in shown.split("…")]
    if not between:
        return text == first
    *middle, last = between
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.startswith(first) and text.endswith(last) and at <= len(text) - len(last)


def _steady(text: str) -> str:
    return " ".join(UNSTEADY.sub("0", text).split())
