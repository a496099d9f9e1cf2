"""Our Python files, parsed: what every rule here reads."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
VERSION = "siklus.__version__"  # a constant: importing it pulls nothing in


@dataclass(frozen=True)
class Source:
    """One Python file: its text, its tree, and its dotted module name."""

    path: Path
    text: str

    @classmethod
    def of(cls, module: str, text: str) -> "Source":
        """A file that is not on the disk, for trying a rule out."""
        return cls(SRC.joinpath(*module.split(".")).with_suffix(".py"), text)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def module(self) -> str:
        """`siklus.contract.decode`; a package's own name for its `__init__`."""
        parts = self.path.relative_to(SRC).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def name(self) -> str:
        """The path as git shows it."""
        return self.path.relative_to(ROOT).as_posix()

    def at(self, node: ast.AST | int) -> str:
        return f"{self.name}:{node if isinstance(node, int) else node.lineno}"


@cache
def product() -> tuple[Source, ...]:
    """Every file under src."""
    return read(SRC)


@cache
def suite() -> tuple[Source, ...]:
    """Every file under tests."""
    return read(ROOT / "tests")


def read(folder: Path) -> tuple[Source, ...]:
    return tuple(Source(path, path.read_text()) for path in sorted(folder.rglob("*.py")))


def refuse(complaints: Iterable[str]) -> None:
    """Fail with one complaint a line, each `file:line: what is wrong; what to do`."""
    found = sorted(complaints)
    if found:
        pytest.fail("\n" + "\n".join(found), pytrace=False)


def called_name(call: ast.Call) -> str:
    """The last word of what is called: `need` for `need(…)` and for `extras.need(…)`; "" for the rest."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def dotted(node: ast.AST) -> str:
    """`mock.patch.object` for that expression; "" for what is no plain dotted name."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = dotted(value)
            return f"{before}.{attribute}" if before else ""
        case _:
            return ""


def first_text(call: ast.Call) -> str | None:
    """The first positional argument where it is a string constant."""
    match call.args:
        case [ast.Constant(value=str(text)), *_]:
            return text
        case _:
            return None


@dataclass(frozen=True)
class Import:
    """One imported module: from where, and whether by a statement inside a function or by a call."""

    module: str
    line: int
    in_function: bool = False
    by_call: bool = False


def imports(source: Source) -> Iterator[Import]:
    """All imports of a file: at the top, nested anywhere, and `need("…")` or `import_module("…")` calls."""
    yield from _imports(source.tree, in_function=False)


def _imports(node: ast.AST, *, in_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        match child:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(alias.name, child.lineno, in_function)
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    yield Import(_imported(module or "", alias.name), child.lineno, in_function)
            case ast.Call() if called_name(child) in {"need", "import_module", "__import__"}:
                if (text := first_text(child)) is not None:
                    yield Import(text, child.lineno, in_function, by_call=True)
        yield from _imports(child, in_function=inside)


def _imported(module: str, name: str) -> str:
    """`from siklus.contract import decode` names a module, `from siklus.table import Table` does not."""
    whole = f"{module}.{name}"
    return whole if module == "importlib" or whole == VERSION or whole in module_names() else module


@cache
def module_names() -> frozenset[str]:
    return frozenset(source.module for source in product())
