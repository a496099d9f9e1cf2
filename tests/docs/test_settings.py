"""What a page shows of siklus.toml can be copied: every key is known, every value is one that it may have."""

import tomllib
from pathlib import Path

import pytest

from siklus.project.file import read_project
from tests.docs.pages import FENCE

DOCS = Path(__file__).parents[2] / "docs"
OTHER_FILES = {"assess.md"}  # whose block is of assess.toml
PIECES = [
    pytest.param(found["body"], id=f"{page.relative_to(DOCS)}-{number}")
    for page in sorted(DOCS.rglob("*.md"))
    if page.name not in OTHER_FILES
    for number, found in enumerate(FENCE.finditer(page.read_text(encoding="utf-8")))
    if found["language"] == "toml"
]
REST = {
    "project": 'name = "shop"\ntask = "classification"',
    "data": 'path = "rows.csv"\ntarget = "sold"',
}
RECEIVER = 'kind = "mail"\nto = ["ml-ops@example.com"]\nsmtp = "smtp://localhost:2525"'


@pytest.mark.parametrize("piece", PIECES)
def test_a_piece_of_the_project_file_can_be_read(piece: str, tmp_path: Path) -> None:
    shown = tomllib.loads(piece)
    asked = {name for rule in shown.get("alerts", ()) for name in rule.get("notify", ())}
    rest = {name: body for name, body in REST.items() if name not in shown}
    rest |= {f"notify.{name}": RECEIVER for name in asked - shown.get("notify", {}).keys() - {"log"}}
    file = tmp_path / "siklus.toml"
    file.write_text("\n".join([piece, *(f"[{name}]\n{body}" for name, body in rest.items())]))
    project = read_project(file, environment={})
    assert project.project.name == "shop"


def test_there_are_pieces_to_read() -> None:
    assert len(PIECES) > 15
