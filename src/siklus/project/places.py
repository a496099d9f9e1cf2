"""Where each key of a project file stands, since tomllib keeps no positions: its line, or its variable."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Key = tuple[str, ...]  # ("data", "split", "by"), and ("alerts", "#0", "above") in the first [[alerts]]
ITEM = "#"

_WORD = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_HEADER = re.compile(rf"^\s*(\[{{1,2}})\s*({_DOTTED})\s*\]{{1,2}}\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"^\s*({_DOTTED})\s*=")
# In this order, so that a quote in a comment, or a # in a string, opens nothing.
_TOKEN = re.compile(
    r"""#[^\n]*|\"{3}(?:\\.|[^\\])*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""", re.DOTALL
)


@dataclass(frozen=True)
class Places:
    """The first line of each key and section, and the variables that have overridden some of them."""

    path: Path
    lines: Mapping[Key, int]
    variables: Mapping[Key, str]

    def at(self, key: Key) -> str:
        """`file:line` of the key (or of what is nearest around it), or the variable that set it."""
        for length in range(len(key), 0, -1):
            if (part := key[:length]) in self.variables:
                return self.variables[part]
            if part in self.lines:
                return f"{self.path}:{self.lines[part]}"
        return str(self.path)

    @staticmethod
    def key(name: str, number: int) -> Key:
        """The key of one table of an array, [[name]], counted from 0."""
        return (name, f"{ITEM}{number}")


def find_places(path: Path, text: str, variables: Mapping[Key, str]) -> Places:
    """``variables``: overridden key → the environment's variable.

    >>> found = find_places(Path("siklus.toml"), "[data.split]\\nby = 'time'", {})
    >>> found.at(("data", "split", "by"))
    'siklus.toml:2'
    >>> found.at(("data", "target"))
    'siklus.toml:1'
    """
    lines: dict[Key, int] = {}
    for key, number in _keys(text):
        for length in range(1, len(key) + 1):
            lines.setdefault(key[:length], number)
    named: dict[Key, str] = {}
    for key, variable in variables.items():
        named[key] = variable
        for length in range(1, len(key)):
            # A section that only the environment names stands nowhere in the file.
            if key[:length] not in lines:
                named.setdefault(key[:length], variable)
    return Places(path, lines, named)


def _keys(text: str) -> Iterator[tuple[Key, int]]:
    section: Key = ()
    arrays: Counter[Key] = Counter()
    for number, line in enumerate(_TOKEN.sub(_without_lines, text).split("\n"), start=1):
        if header := _HEADER.match(line):
            section = _parts(header[2])
            if header[1] == "[[":
                arrays[section] += 1
                section = (*section, f"{ITEM}{arrays[section] - 1}")
            yield section, number
        elif assignment := _ASSIGNMENT.match(line):
            yield (*section, *_parts(assignment[1])), number


def _without_lines(token: re.Match[str]) -> str:
    """A string of several lines holds no keys, whatever its lines look like; its length is kept."""
    return "\n" * token[0].count("\n") or token[0]


def _parts(dotted: str) -> Key:
    words: Sequence[str] = re.findall(_WORD, dotted)
    return tuple(word.strip("\"'") for word in words)
