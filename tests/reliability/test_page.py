"""docs/reliability.md: each of its figures is one that the named test tells, and no figure is left out."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "reliability.md"
# Cells: a figure's name in backticks, its value, and the test that tells it.
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| `(tests/[\w/]+\.py)::(\w+)` \|$", re.MULTILINE)

# What tests there measure is no fault that a server survives: other pages tell it.
OF_OTHER_PAGES = {"benchmarks", "cli", "demo", "deploy", "drill", "monitor", "simulations", "stats"}


@dataclass(frozen=True)
class Told:
    """A call of the fixture `figure` in ``file``; ``name`` matches whatever the call may say."""

    file: str
    name: re.Pattern[str]


def told_figures() -> Iterator[Told]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.relative_to(ROOT / "tests").parts[0] in OF_OTHER_PAGES:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "figure":
                yield Told(str(path.relative_to(ROOT)), pattern_of(node.args[0]))


def pattern_of(name: ast.expr) -> re.Pattern[str]:
    """Of a string, or of an f-string whose holes may be anything."""
    match name:
        case ast.Constant(value=str(text)):
            return re.compile(re.escape(text))
        case ast.JoinedStr(values=parts):
            return re.compile(
                "".join(
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in parts
                )
            )
    raise TypeError(ast.dump(name))


ROWS = ROW.findall(PAGE.read_text())
TOLD = tuple(told_figures())


@pytest.mark.parametrize(("name", "value", "file", "test"), ROWS, ids=[row[0] for row in ROWS])
def test_each_figure_is_told_by_its_test(name: str, value: str, file: str, test: str) -> None:
    assert [told for told in TOLD if told.file == file and told.name.fullmatch(name)], name
    assert f"def {test}(" in (ROOT / file).read_text(), test
    assert value.strip()


def test_each_figure_is_on_the_page() -> None:
    names = {(file, name) for name, _, file, _ in ROWS}
    left_out = [
        f"{told.file}: {told.name.pattern}"
        for told in TOLD
        if not any(file == told.file and told.name.fullmatch(name) for file, name in names)
    ]
    assert left_out == []


def test_the_page_says_when_its_figures_were_measured() -> None:
    assert re.search(r"measured on 20\d\d-\d\d-\d\d", PAGE.read_text())
