"""docs/contract.md against the code: nothing is left out, and nothing is there that the code lacks."""

import re
from pathlib import Path
from typing import get_args

from siklus.contract.columns import Column, Contract, Target, TimePart, kind_of, parse_contract
from siklus.contract.compare import RULES
from siklus.contract.findings import FINDINGS

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text()
KINDS = {str(kind.__struct_config__.tag): set(kind.__struct_fields__) for kind in get_args(Column)}
OF_ALL = set.intersection(*KINDS.values())


def section(heading: str) -> str:
    """What stands between this heading and the next one."""
    [found] = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def fields(heading: str) -> set[str]:
    return set(re.findall(r"^- `(\w+)`:", section(heading), re.MULTILINE))


def rows(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_field_of_the_file_is_described() -> None:
    assert fields("The file") == set(Contract.__struct_fields__)
    for name in Target.__struct_fields__:
        assert f"`{name}`" in section("The file")


def test_every_field_that_all_columns_have_is_described() -> None:
    assert fields("What every column has") == OF_ALL


def test_every_kind_is_described_with_its_own_fields() -> None:
    assert set(re.findall(r"^### `(\w+)`", PAGE, re.MULTILINE)) == set(KINDS)
    for kind, of_kind in KINDS.items():
        assert fields(f"`{kind}`") == of_kind - OF_ALL, kind


def test_every_part_of_a_moment_is_described() -> None:
    assert [row[0] for row in rows("`datetime`")] == [f"`{part}`" for part in get_args(TimePart)]


def test_every_finding_is_described_in_its_own_words() -> None:
    described = [[f"`{code}`", kind.severity, kind.meaning] for code, kind in FINDINGS.items()]
    assert rows("What inference remarks") == described


def test_every_change_is_described_in_its_own_words() -> None:
    described = [[f"`{code}`", rule.verdict, rule.meaning] for code, rule in RULES.items()]
    assert rows("What another contract means to clients") == described


def test_the_example_is_a_contract_with_every_kind() -> None:
    [example] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    contract = parse_contract(example.encode(), where="docs/contract.md")
    assert [kind_of(column) for column in contract.columns] == list(KINDS)
