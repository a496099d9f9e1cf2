"""docs/project-file.md and the sections say the same: each key, with its default."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from siklus.project.alerts import Alert
from siklus.project.file import SECTIONS
from siklus.project.notify import KINDS
from siklus.project.sections import Gates, Split
from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "project-file.md"
PAGES = {**SECTIONS, "data.split": Split, "gates": Gates, "[alerts]": Alert}
# Named in a section's text: [gates] takes any metric as a key, and [data.split] has a section of its own.
ELSEWHERE = {("gates", "bounds"), ("data", "split")}
# What happens without the key, where that is no value that could be written.
BY_CONTEXT = {"", "by task"}


def rows(heading: str) -> Iterator[tuple[str, str]]:
    """Key and default of each line of the table below the heading."""
    _, _, text = PAGE.read_text().partition(f"\n{heading}\n")
    for line in text.partition("\n##")[0].splitlines():
        if found := re.match(r"\| `(\w+)` \|\s*(.*?)\s*\|", line):
            yield found[1], found[2].strip("`")


def default(field: msgspec.structs.FieldInfo) -> str:
    """As the page writes it."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    match value:
        case None | ():
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


@pytest.mark.parametrize("section", PAGES)
def test_each_key_stands_on_the_page_with_its_default(section: str) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(PAGES[section])}
    wanted = {name: default(field) for name, field in fields.items() if (section, name) not in ELSEWHERE}
    found = {name: "" if given in BY_CONTEXT else given for name, given in rows(f"## [{section}]")}
    assert found == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_each_key_of_a_receiver_stands_on_the_page_with_its_default(kind: str) -> None:
    wanted = {field.encode_name: default(field) for field in msgspec.structs.fields(KINDS[kind])}
    assert dict(rows(f'### kind = "{kind}"')) == wanted


def test_the_page_has_no_section_more() -> None:
    assert set(re.findall(r"^## \[(.+)\]$", PAGE.read_text(), re.MULTILINE)) == {*PAGES, "notify.NAME"}
