"""Files, functions and parameter lists stay small enough to be read at once."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.architecture.source import Source, called_name, product, refuse, suite

FILE_LINES = 350
FUNCTION_LINES = 50
PARAMETERS = 6  # without self or cls
OPTIONS = 12  # of a command: its signature is its list of options, from which the help is made

LIMITS: Mapping[str, int] = {
    "lines": FILE_LINES,
    "function lines": FUNCTION_LINES,
    "parameters": PARAMETERS,
    "options": OPTIONS,
}


@dataclass(frozen=True)
class Size:
    """One measured thing, `src/siklus/x.py` or `src/siklus/x.py:Class.f`, and what of it was counted."""

    of: str
    what: str
    found: int
    place: str


@dataclass(frozen=True)
class Allowed:
    """A raised limit, with the reason why cutting would make things worse."""

    upto: int
    reason: str


# (what Size.of and Size.what say) → the limit it has instead.
EXCEPTIONS: Mapping[tuple[str, str], Allowed] = {
    ("src/siklus/train/package.py:package", "parameters"): Allowed(
        8, "the one call from a notebook: each is something that its author has at hand under that name"
    ),
}


def sizes(source: Source) -> Iterator[Size]:
    yield Size(source.name, "lines", len(source.text.splitlines()), f"{source.name}:1")
    yield from _functions(source, source.tree, prefix="", in_class=False)


def _functions(source: Source, node: ast.AST, *, prefix: str, in_class: bool) -> Iterator[Size]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            of, place = f"{source.name}:{prefix}{child.name}", source.at(child)
            command = _is_command(child)
            first, last = child.body[0].lineno if command else child.lineno, child.end_lineno or child.lineno
            yield Size(of, "function lines", last - first + 1, place)
            what = "options" if command else "parameters"
            yield Size(of, what, _parameters(child, in_class=in_class), place)
            yield from _functions(source, child, prefix=f"{prefix}{child.name}.", in_class=False)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(source, child, prefix=f"{prefix}{child.name}.", in_class=True)
        else:
            yield from _functions(source, child, prefix=prefix, in_class=in_class)


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Marked with Typer's `@app.command()`."""
    marks = [mark for mark in function.decorator_list if isinstance(mark, ast.Call)]
    return any(called_name(mark) == "command" for mark in marks)


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, *, in_class: bool) -> int:
    given = function.args
    count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    count += (given.vararg is not None) + (given.kwarg is not None)
    static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in function.decorator_list)
    return count - (in_class and not static)


def too_large(found: Iterator[Size], exceptions: Mapping[tuple[str, str], Allowed]) -> Iterator[str]:
    for size in found:
        allowed = exceptions.get((size.of, size.what))
        limit = LIMITS[size.what] if allowed is None else allowed.upto
        if size.found > limit:
            yield (
                f"{size.place}: {size.of} has {size.found} {size.what}, more than {limit}; "
                "cut it where a noun or a verb of its own shows itself"
            )
        elif allowed is not None and size.found <= LIMITS[size.what]:
            yield f"{size.place}: {size.of} needs no exception for {size.what} any more; take it off the list"


def every_size() -> Iterator[Size]:
    for source in [*product(), *suite()]:
        yield from sizes(source)


def test_nothing_is_larger_than_can_be_read_at_once() -> None:
    refuse(too_large(every_size(), EXCEPTIONS))


def test_no_exception_names_what_is_gone() -> None:
    there = {(size.of, size.what) for size in every_size()}
    refuse(f"EXCEPTIONS: {of} ({what}) is not there; take it off" for of, what in EXCEPTIONS.keys() - there)


def test_every_exception_has_its_reason() -> None:
    refuse(
        f"EXCEPTIONS: {of} ({what}) gives no reason" for (of, what), it in EXCEPTIONS.items() if not it.reason
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x = 1\n" * 351, "lines"),
        ("class A:\n    def f(self):\n" + "        x = 1\n" * 50, "function lines"),
        ("def f(a, b, c, *, d, e, f, g): ...", "parameters"),
        ("def f(a, b, c, d, e, *f, **g): ...", "parameters"),
        ("def f():\n    async def g(a, b, c, d, e, f, g): ...", "parameters"),
        ("@app.command()\ndef f(a, b, c, d, e, f, g, h, i, j, k, l, m): ...", "options"),
    ],
)
def test_the_rule_sees_what_is_too_large(text: str, what: str) -> None:
    [complaint] = too_large(sizes(Source.of("siklus.stats.scores", text)), {})
    assert what in complaint


def test_the_rule_counts_neither_self_nor_what_is_within_bounds() -> None:
    text = "class A:\n    def f(self, a, b, c, d, e, f):\n" + "        x = 1\n" * 49
    assert list(too_large(sizes(Source.of("siklus.stats.scores", text)), {})) == []


def test_an_exception_that_is_no_longer_needed_is_seen() -> None:
    exceptions = {("src/siklus/stats/scores.py:f", "parameters"): Allowed(9, "once it had nine")}
    [complaint] = too_large(sizes(Source.of("siklus.stats.scores", "def f(a): ...")), exceptions)
    assert "any more" in complaint
