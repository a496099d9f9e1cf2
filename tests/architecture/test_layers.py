"""Imports point down: each row may import the rows above it in this table, and nothing beside or below it."""

from collections.abc import Iterator, Mapping

import pytest

from tests.architecture.source import ROOT, VERSION, Import, Source, imports, module_names, product, refuse

# The same picture stands in ARCHITECTURE.md.
ROWS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("asking", "events", "extras", "files", "palette", "table"),
    ("project", "stats"),
    ("contract", "data"),
    ("features",),
    ("bundle", "records", "ledgers", "tracking"),
    ("registry",),
    ("train", "serve", "monitor", "papers"),
    ("deploy", "automation"),
    ("drill", "demo"),
    ("assess", "doctor"),
    ("cli",),
)
HEIGHT: Mapping[str, int] = {part: height for height, row in enumerate(ROWS) for part in row}
FACADE = "siklus"  # `import siklus` itself: above everything but the command line, which is another door

# Who may import by a name that is not known beforehand.
LATE_IMPORTERS: Mapping[str, str] = {
    "siklus.extras": "the one door for optional and heavy packages",
    "siklus.cli.main": "`siklus --help` must not wait for the commands that it lists",
}


def part_of(module: str) -> str:
    """`contract` for `siklus.contract.decode`; `siklus` for the package itself."""
    words = module.split(".")
    return words[1] if len(words) > 1 else FACADE


def upward(source: Source) -> Iterator[str]:
    importer = part_of(source.module)
    if importer != FACADE and importer not in HEIGHT:
        yield f"{source.name}:1: siklus.{importer} stands in no row of the picture; give it its place here"
        return
    for found in imports(source):
        if found.module.partition(".")[0] == "siklus" and not _allowed(importer, found):
            yield (
                f"{source.at(found.line)}: {importer} imports {found.module}, which is not below it; "
                "return a value and let the caller act, or move what both need further down"
            )


def _allowed(importer: str, found: Import) -> bool:
    imported = part_of(found.module)
    if importer in {imported, FACADE} or found.module == VERSION:
        return True
    if imported == FACADE:
        return False
    return imported in HEIGHT and HEIGHT[imported] < HEIGHT[importer]


def late(source: Source) -> Iterator[str]:
    for found in imports(source):
        if found.in_function and not found.by_call:
            yield (
                f"{source.at(found.line)}: {found.module} is imported in a function; import it at the top, "
                'or an optional or heavy package by siklus.extras.need("…", extra="…")'
            )
        if late_machinery(found) and source.module not in LATE_IMPORTERS:
            yield f"{source.at(found.line)}: uses {found.module}; only siklus.extras.need imports late"


def late_machinery(found: Import) -> bool:
    words = found.module.split(".")
    return words[0] == "importlib" and words[1:2] not in (["metadata"], ["resources"])


def test_imports_point_down() -> None:
    refuse(complaint for source in product() for complaint in upward(source))


def test_nothing_is_imported_late_but_through_the_one_door() -> None:
    refuse(complaint for source in product() for complaint in late(source))


def test_no_late_importer_is_listed_in_vain() -> None:
    using = {source.module for source in product() if any(late_machinery(found) for found in imports(source))}
    refuse(
        f"tests/architecture/test_layers.py: {module} no longer imports importlib; take it off LATE_IMPORTERS"
        for module in LATE_IMPORTERS.keys() & module_names() - using
    )


def test_modules_do_not_import_in_circles() -> None:
    graph = {
        source.module: {found.module for found in imports(source)} & module_names() for source in product()
    }
    refuse(f"{' imports '.join(circle)}; one of them has to let go" for circle in circles(graph))


def circles(graph: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Each circle of imports once: the path back to its first module."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> Iterator[list[str]]:
        if module in path:
            yield [*path[path.index(module) :], module]
        elif module not in done:
            for imported in sorted(graph[module] - {module}):
                yield from walk(imported, [*path, module])
            done.add(module)

    for module in sorted(graph):
        yield from walk(module, [])


def test_the_picture_in_the_docs_is_the_one_that_holds() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    drawn = page.partition("```\n")[2].partition("```")[0].splitlines()
    # A line is a row, and behind it what the parts are.
    rows = [tuple(line.split()[: len(row)]) for line, row in zip(drawn, ROWS, strict=True)]
    assert rows == list(ROWS), (
        "ARCHITECTURE.md draws other layers than tests/architecture/test_layers.py holds"
    )


def test_every_part_of_the_picture_is_there() -> None:
    there = {part_of(name) for name in module_names()}
    assert HEIGHT.keys() <= there, "take from the picture what is gone"


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("siklus.stats.scores", "from siklus.train.run import train"),
        ("siklus.stats.scores", "from siklus.project.file import read_project"),
        ("siklus.stats.scores", "def f():\n    if True:\n        import siklus.cli.main"),
        ("siklus.stats.scores", 'from siklus.extras import need\nneed("siklus.train.run", extra="x")'),
        ("siklus.stats.scores", "from siklus import serve"),
        ("siklus.stats.scores", "import siklus"),
        ("siklus.drawer.things", "import math"),
    ],
)
def test_the_rule_sees_an_import_that_points_up(module: str, text: str) -> None:
    assert list(upward(Source.of(module, text)))


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import json",
        "import importlib",
        "from importlib import import_module",
        "class A:\n    def f(self):\n        from math import pi",
    ],
)
def test_the_rule_sees_a_late_import(text: str) -> None:
    assert list(late(Source.of("siklus.stats.scores", text)))


def test_the_rules_let_good_imports_through() -> None:
    text = 'from siklus import __version__\nfrom importlib import metadata\nneed("ray", extra="ray")'
    source = Source.of("siklus.stats.scores", text)
    assert [*upward(source), *late(source)] == []


def test_the_rule_sees_a_circle() -> None:
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == [["b", "c", "b"]]
