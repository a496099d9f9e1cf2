"""Problem codes: each has a section in docs/problems.md, and each section a code."""

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from siklus import errors
from tests.architecture.source import ROOT, Source, called_name, first_text, product, refuse

PAGE = ROOT / "docs" / "problems.md"
CODE = re.compile(r"[A-Z]{2}\d{3}")


def prefixes() -> Mapping[str, str]:
    """The prefix of each class of the error tree that has one."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return {
        kind.__name__: kind.prefix for kind in kinds if issubclass(kind, errors.SiklusError) and kind.prefix
    }


def codes(source: Source) -> Iterator[tuple[str, str]]:
    """Every problem code in a file, with its place."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
            yield node.value, source.at(node)


def sections() -> dict[str, str]:
    """What stands under each code's heading."""
    parts = re.split(r"^### +(\S+).*$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def misplaced(source: Source) -> Iterator[str]:
    """Codes that no class has, or that are given to another class than theirs."""
    owners = prefixes()
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        owner, code = called_name(node), first_text(node)
        if owner == "RowProblem":
            owner = "RowsRefused"
            given = [pair.value for pair in node.keywords if pair.arg == "code"]
            code = given[0].value if given and isinstance(given[0], ast.Constant) else None
        if owner in owners and isinstance(code, str) and not code.startswith(owners[owner]):
            yield f"{source.at(node)}: {owner} is given {code!r}; its codes begin with {owners[owner]}"


def homeless(source: Source) -> Iterator[str]:
    known = set(prefixes().values())
    for code, place in codes(source):
        if code[:2] not in known:
            yield f"{place}: {code}: no error class in siklus/errors.py has the prefix {code[:2]}"


def test_every_code_is_documented() -> None:
    places = {code: place for source in reversed(product()) for code, place in codes(source)}
    refuse(
        f"{places[code]}: {code} has no section `### {code}` in docs/problems.md; "
        "write its cause and a `Mend:` line"
        for code in places.keys() - sections().keys()
    )


def test_every_documented_code_is_raised_somewhere() -> None:
    used = {code for source in product() for code, _ in codes(source)}
    refuse(
        f"docs/problems.md: {code} is raised nowhere; take its section out"
        for code in sections().keys() - used
    )


def test_every_section_says_the_cause_and_how_to_mend_it() -> None:
    refuse(
        f"docs/problems.md: {code} needs a line with its cause and a line that begins with `Mend:`"
        for code, text in sections().items()
        if not re.search(r"^Mend: \S", text, re.MULTILINE) or text.lstrip().startswith("Mend:")
    )


def test_the_sections_are_sorted_and_stand_once() -> None:
    found = re.findall(r"^### +(\S+)", PAGE.read_text(), re.MULTILINE)
    assert found == sorted(set(found))


def test_each_code_belongs_to_the_class_that_it_is_given_to() -> None:
    refuse(complaint for source in product() for complaint in [*misplaced(source), *homeless(source)])


def test_the_error_tree_draws_every_class_with_its_prefix() -> None:
    tree = errors.__doc__ or ""
    refuse(
        f"src/siklus/errors.py:1: the tree does not draw {name} with {prefix}"
        for name, prefix in prefixes().items()
        if not re.search(rf"── {name} +{prefix} ", tree)
    )


def test_no_two_classes_share_a_prefix() -> None:
    found = list(prefixes().values())
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "text",
    [
        'raise ProjectError("DA001", "x")',
        'raise errors.DataError("PJ001", "x")',
        'RowProblem(code="DA001", row=1)',
    ],
)
def test_the_rule_sees_a_code_in_the_wrong_class(text: str) -> None:
    assert list(misplaced(Source.of("siklus.stats.scores", text)))


def test_the_rule_sees_a_code_of_no_class() -> None:
    assert list(homeless(Source.of("siklus.stats.scores", 'x = "ZZ001"')))
