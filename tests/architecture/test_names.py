"""Names are the domain's nouns and verbs, and one word has one meaning."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, product, refuse, suite

# Drawers: whatever fits nowhere ends in them, and nobody finds it again.
DRAWERS = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "base", "misc"}

# What a row must be is a contract. These words before "schema" name somebody else's notion of one.
FOREIGN_SCHEMAS = {"json", "openapi", "arrow", "mlflow", "pandera"}


def words(name: str) -> list[str]:
    """`["Http", "Manager"]` for HttpManager, `["to", "schema"]` for to_schema, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def defined(source: Source) -> Iterator[tuple[str, ast.AST]]:
    """Every name that a file gives: classes, functions, parameters, variables."""
    for node in ast.walk(source.tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name, node
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node


def drawers(source: Source) -> Iterator[str]:
    for part in source.module.split("."):
        if DRAWERS & set(words(part)):
            yield f"{source.name}:1: {part!r} is a drawer; name the file after what it is about"
    for name, node in defined(source):
        kind = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if kind and DRAWERS & set(words(name)):
            yield f"{source.at(node)}: {name!r} names a drawer; say what it is or does"


def schemas(source: Source) -> Iterator[str]:
    if FOREIGN_SCHEMAS & set(words(source.path.stem)):
        return  # the file is about that other notion as a whole
    for name, node in defined(source):
        found = words(name)
        at = next((i for i, word in enumerate(found) if word in {"schema", "schemas"}), None)
        if at is not None and (at == 0 or found[at - 1] not in FOREIGN_SCHEMAS):
            yield f"{source.at(node)}: {name!r}: what a row must be is a contract; schema is another's word"


def test_no_file_class_or_function_is_a_drawer() -> None:
    refuse(complaint for source in product() for complaint in drawers(source))


def test_no_test_file_is_a_drawer() -> None:
    names = ((source.name, set(words(source.path.stem)) - {"conftest"}) for source in suite())
    refuse(f"{name}:1: is a drawer; name it after its promise" for name, found in names if found & DRAWERS)


def test_a_contract_is_never_called_a_schema() -> None:
    refuse(complaint for source in product() for complaint in schemas(source))


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("siklus.stats.utils", ""),
        ("siklus.helpers.scores", ""),
        ("siklus.stats.scores", "class TrainingManager: ..."),
        ("siklus.stats.scores", "class BaseTracker: ..."),
        ("siklus.stats.scores", "def misc_things(): ..."),
    ],
)
def test_the_rule_sees_a_drawer(module: str, text: str) -> None:
    assert list(drawers(Source.of(module, text)))


@pytest.mark.parametrize(
    "text", ["schema = 1", "def f(schema): ...", "class TableSchema: ...", "def row_schemas(): ..."]
)
def test_the_rule_sees_a_schema(text: str) -> None:
    assert list(schemas(Source.of("siklus.stats.scores", text)))


def test_the_rules_let_good_names_through() -> None:
    text = "def json_schema(database): base_rate = database.schema\nclass JSONSchema: ..."
    source = Source.of("siklus.stats.scores", text)
    assert [*drawers(source), *schemas(source)] == []
    assert list(schemas(Source.of("siklus.serve.openapi", "schema = 1"))) == []
