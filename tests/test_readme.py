"""The first page says what is so."""

from pathlib import Path

import pytest

from siklus.cli.main import main

README = Path(__file__).parents[1] / "README.md"


def test_the_first_page_lists_the_commands_as_the_command_line_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--help"])
    assert capsys.readouterr().out.strip() in README.read_text(encoding="utf-8")


def test_the_files_that_the_first_page_points_to_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    assert [link for link in links if not (README.parent / link).exists()] == []
