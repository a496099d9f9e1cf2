"""What the code says about itself is true: docstrings, their examples, `__all__`, suppressions."""

import ast
import doctest
import importlib
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, product, refuse, suite

WITH_EXAMPLES = [source.module for source in product() if ">>>" in source.text]
RULES = r"(: ?[A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*|\[[a-z, -]+\])?"
SUPPRESSION = re.compile(rf"# *(noqa|type: *ignore)\b{RULES}(?P<reason>.*)")


def names_in_all(source: Source) -> list[str]:
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and any(getattr(it, "id", "") == "__all__" for it in node.targets):
            return list(ast.literal_eval(node.value))
    return []


def unexcused(source: Source) -> Iterator[str]:
    """Suppressions without a reason behind them, before them, or in a comment right above."""
    lines = source.text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type != tokenize.COMMENT or not (found := SUPPRESSION.search(token.string)):
            continue
        above = lines[token.start[0] - 2].strip() if token.start[0] > 1 else ""
        before = token.string[: found.start()].strip("# ")
        if not (found["reason"].strip(" -:#") or before or above.startswith("#")):
            yield f"{source.at(token.start[0])}: {token.string}: write the reason behind it, or take it away"


def test_every_module_says_what_it_is() -> None:
    refuse(
        f"{source.name}:1: no docstring; a line that says what is in here"
        for source in product()
        if not ast.get_docstring(source.tree)
    )


def test_every_name_in_all_is_there() -> None:
    refuse(
        f"{source.name}:1: __all__ names {name}, which is not there"
        for source in product()
        if (names := names_in_all(source))
        for name in names
        if not hasattr(importlib.import_module(source.module), name)
    )


def test_every_suppression_gives_its_excuse() -> None:
    refuse(complaint for source in [*product(), *suite()] for complaint in unexcused(source))


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_run(module: str) -> None:
    shown = io.StringIO()
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in finder.find(importlib.import_module(module)):
        runner.run(example, out=shown.write)
    assert runner.failures == 0, shown.getvalue()


@pytest.mark.parametrize("text", ["x = 1  # noqa: S101\n", "\nx = f()  # type: ignore[arg-type]\n"])
def test_the_rule_sees_a_bare_suppression(text: str) -> None:
    assert list(unexcused(Source.of("siklus.stats.scores", text)))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # noqa: S101 - the reason\n",
        "x = f()  # type: ignore[arg-type]  # the reason\n",
        "# the reason\nx = 1  # noqa: S101\n",
    ],
)
def test_the_rule_lets_an_excused_one_through(text: str) -> None:
    assert list(unexcused(Source.of("siklus.stats.scores", text))) == []
