"""How tests are written: by the public door, and without patching what they test."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, called_name, dotted, refuse, suite

PATCHERS = {"setattr", "delattr", "patch", "object", "setitem"}


def ours(source: Source) -> set[str]:
    """The names in a test file that stand for our modules, classes and functions."""
    found = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "siklus":
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias for alias in node.names if alias.name.partition(".")[0] == "siklus"]
            found |= {alias.asname or "siklus" for alias in names}
    return found


def patches(source: Source) -> Iterator[str]:
    """Calls such as `monkeypatch.setattr(our_module, …)` and `mock.patch("siklus.…")`."""
    mine = ours(source)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or called_name(node) not in PATCHERS or not node.args:
            continue
        match node.args[0]:
            case ast.Constant(value=str(text)):
                target = text
            case other:
                target = dotted(other)
        first = target.partition(".")[0]
        if first == "siklus" or first in mine:
            yield (
                f"{source.at(node)}: patches {target}; pass what it needs as an argument, "
                "or use a real one that is small"
            )


def private(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self")):
                pass  # a stand-in that a test wrote may keep to itself what it likes
            case ast.Attribute(attr=name) if _is_private(name):
                yield f"{source.at(node)}: reads {name}; ask by the public door, or make it public"
            case ast.ImportFrom(module=module, names=names) if (module or "").startswith("siklus"):
                for alias in names:
                    if _is_private(alias.name):
                        yield f"{source.at(node)}: imports {alias.name}; a test uses what users may use"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_no_test_patches_our_own_code() -> None:
    refuse(complaint for source in suite() for complaint in patches(source))


def test_no_test_reads_private_names() -> None:
    refuse(complaint for source in suite() for complaint in private(source))


@pytest.mark.parametrize(
    "text",
    [
        'mock.patch("siklus.files.sha256")',
        "from siklus import files\nmonkeypatch.setattr(files, 'sha256', None)",
        "from siklus import files\nmock.patch.object(files, 'sha256')",
        "import siklus.files\nmonkeypatch.setattr(siklus.files, 'sha256', None)",
        "from siklus.table import Table as T\npatch.object(T, 'take')",
    ],
)
def test_the_rule_sees_a_patch(text: str) -> None:
    assert list(patches(Source.of("tests.stats.test_scores", text)))


@pytest.mark.parametrize("text", ["batcher._queue.append(1)", "from siklus.table import _plain"])
def test_the_rule_sees_a_private_name(text: str) -> None:
    assert list(private(Source.of("tests.stats.test_scores", text)))


def test_the_rules_let_a_good_test_through() -> None:
    text = "from siklus import files\nmonkeypatch.setattr(sys, 'stdin', files)\nmonkeypatch.setenv('A', 'b')"
    source = Source.of("tests.stats.test_scores", text)
    assert [*patches(source), *private(source)] == []
