"""The tutorial does what it shows: its commands are run in order, in one folder, as a reader runs them."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.pages import Block, Step, blocks, same, steps
from tests.docs.shell import Shell

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial"
PAGES = sorted(TUTORIAL.glob("[0-9]*.md"))

# Commands that no test of this file runs, by what they need: page and how many.
NOT_RUN_HERE: Mapping[str, Mapping[str, int]] = {
    "docker": {"05-containers.md": 8},
    "github": {"09-pipelines.md": 1},
}


READ = {"console", "text", "json"}  # languages of blocks that need no mark


@pytest.fixture
def home() -> Iterator[Path]:
    """A reader's, with a short path: tables break long ones."""
    with TemporaryDirectory(prefix="sari-") as folder:
        yield Path(folder).resolve()


def every_block() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


def test_nothing_on_a_page_is_left_out_unsaid() -> None:
    """What is no command is a file, an addition to one, or an answer to look at; else it says so."""
    unsaid = [
        block.at
        for block in every_block()
        if block.language not in READ and block.mark[0] not in {"file", "append", "shown"}
    ]
    assert unsaid == [], "mark each with `<!-- file: NAME -->`, `<!-- append: NAME -->` or `<!-- shown -->`"
    needed: dict[str, dict[str, int]] = {}
    for block in every_block():
        kind, word = block.mark
        if kind == "needs":
            pages = needed.setdefault(word, {})
            pages[block.page] = pages.get(block.page, 0) + len(list(steps(block)))
    assert needed == NOT_RUN_HERE


def test_the_tutorial_does_what_it_shows(home: Path) -> None:
    go_through(every_block(), home, without={"needs", "slow"})


@pytest.mark.slow
def test_the_long_way_does_what_it_shows_too(home: Path) -> None:
    go_through(every_block(), home, without={"needs"})


def go_through(found: Collection[Block], home: Path, *, without: Collection[str]) -> None:
    with Shell(home) as shell:
        for block in found:
            kind, name = block.mark
            if kind in without or kind == "shown":
                continue
            if kind in {"file", "append"}:
                shell.write(name, block.body, append=kind == "append")
            elif block.language == "console":
                for step in steps(block):
                    take(step, shell)


def take(step: Step, shell: Shell) -> None:
    """Run one command. What it prints must be what the page shows, where the page shows anything."""
    printed, code = shell.run(step.command)
    told = f"{step.at}: $ {step.command}\nexit code {code}, printed:\n{printed}"
    if not step.shown:
        assert code == 0, f"{told}\nbehind the pages:\n{shell.background()[-3000:]}"
    assert not step.shown or same(step.shown, printed), f"{told}\nthe page shows:\n{step.shown}"
