"""`siklus assess`: what it says of a fresh project and of a broken one, and that it only looks."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from siklus.assess.answers import read_answers
from siklus.assess.report import Report
from siklus.registry.control import open_control
from siklus.registry.journal import Entry, Journal
from tests.assess.looking import NOW
from tests.cli.projects import SIKLUS, answered, files_below, new_project, siklus, straight_rows

ENOUGH_SECONDS = 60.0  # for a terminal's answer on a loaded machine


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `siklus init` leaves it. To be read only."""
    return new_project(tmp_path_factory.mktemp("assess") / "line", straight_rows(60))


@pytest.fixture
def project(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "line"))


def test_a_fresh_project_stands_at_the_bottom_of_every_scale(fresh: Path) -> None:
    found = answered("assess", "-C", fresh)
    assert {each["rubric"]: each["value"] for each in found["standings"]} == {
        "google": 0,
        "microsoft": 0,
        "ml-test-score": 0,
    }
    assert found["unknown"] == {}


def test_looking_writes_nothing(project: Path) -> None:
    before = files_below(project)
    answered("assess", "-C", project)
    assert siklus("assess", "google", "-C", project).code == 0
    assert files_below(project) == before


def test_what_comes_as_json_is_the_whole_report(fresh: Path) -> None:
    report = msgspec.json.decode(siklus("assess", "-C", fresh, "--json").out, type=Report)
    assert [len(each.findings) for each in report.standings] == [16, 24, 28]


@pytest.mark.parametrize("words", [[], ["google"], ["microsoft"], ["ml-test-score"]])
def test_lines_fit_into_80_columns(fresh: Path, words: list[str]) -> None:
    said = siklus("assess", *words, "-C", fresh).out.splitlines()
    # A URL or a command is not broken: it is to be copied.
    assert [line for line in said if len(line) > 80 and " " in line.strip() and "$EDITOR" not in line] == []
    assert said[0].strip()


def test_the_levels_come_first_with_what_separates_from_the_next(fresh: Path) -> None:
    said = siklus("assess", "-C", fresh).out
    assert said.index("level 0 of 2") < said.index("Level 1 needs all of its 9 criteria")
    assert "siklus assess --ask" in said


def test_a_scale_shows_every_criterion_with_what_is_missing(fresh: Path) -> None:
    said = siklus("assess", "ml-test-score", "-C", fresh).out
    assert len(re.findall(r"^[●◐○] (?:Data|Model|Infra|Monitor) [1-7] ", said, re.MULTILINE)) == 28
    assert "siklus verify-skew" not in said  # of which logged requests? First things first


@pytest.mark.parametrize(
    ("bounds", "code"),
    [("google=0", 0), ("google=1", 1), ("google=0,ml-test-score=0.5", 1), ("microsoft=0", 0)],
)
def test_below_a_bound_it_ends_with_1(fresh: Path, bounds: str, code: int) -> None:
    found = siklus("assess", "-C", fresh, "--fail-under", bounds)
    assert found.code == code
    assert ("--fail-under asks for" in found.err) is (code == 1)


@pytest.mark.parametrize(
    "bounds",
    ["gogle=1", "google", "google=high", "", "google=nan", "google=-1", "microsoft=5", "google=1,google=0"],
)
def test_bounds_that_are_none_are_refused(fresh: Path, bounds: str) -> None:
    found = siklus("assess", "-C", fresh, "--fail-under", bounds)
    assert found.code == 2
    assert "AS005" in found.err


def test_a_registry_that_cannot_be_read_is_unknown_and_the_rest_is_told(project: Path) -> None:
    (project / ".siklus").mkdir(exist_ok=True)
    (project / ".siklus" / "mlflow.db").write_bytes(b"this is no database" * 100)
    found = answered("assess", "-C", project)
    assert found["unknown"].keys() == {"registry"}
    said = siklus("assess", "-C", project).out
    assert "Unknown: the registry cannot be read" in said
    google = next(each for each in found["standings"] if each["rubric"] == "google")
    assert [gap["unknown"] for gap in google["findings"][0]["gaps"]] == [True]


def test_to_look_makes_no_database(project: Path) -> None:
    """Neither the ones in the project's state nor those that a URL names."""
    before = files_below(project)
    settings = {"STATE__CONTROL": "sqlite:///decided.db", "STATE__TRACKING_URI": "sqlite:///tracked.db"}
    assert answered("assess", "-C", project, **settings)["unknown"] == {}
    assert files_below(project) == before


def test_a_control_database_that_is_none_is_unknown(project: Path) -> None:
    (project / ".siklus").mkdir(exist_ok=True)
    (project / ".siklus" / "control.db").write_bytes(b"this is no database" * 100)
    assert answered("assess", "-C", project)["unknown"].keys() == {"journal"}


def test_what_was_done_long_ago_counts_in_full_where_a_longer_time_is_given(project: Path) -> None:
    with open_control(None, file=project / ".siklus" / "control.db") as control:
        done = Entry(time=NOW, kind="rollback", subject="v", author="rani", text="rolled back")
        Journal(control, "line").append(done)
    for within, score in (("1s", 0.5), ("5000d", 1.0)):
        found = answered("assess", "-C", project, "--within", within)["standings"][2]["findings"]
        assert [each["score"] for each in found if each["key"] == "Infra 7"] == [score]


class Loads(HTMLParser):
    """What a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag for name, _ in attrs if name in ("src", "srcset", "onclick", "onload")]
        if tag in ("script", "link", "iframe", "img", "object"):
            self.found.append(tag)


def test_the_page_loads_and_runs_nothing_and_has_every_criterion(fresh: Path, tmp_path: Path) -> None:
    page = tmp_path / "stand.html"
    assert siklus("assess", "-C", fresh, "--html", page).code == 0
    text = page.read_text()
    loads = Loads()
    loads.feed(text)
    assert loads.found == []
    assert text.count('scope="row"') == 16 + 24 + 28


def test_words_of_people_are_no_markup(project: Path, tmp_path: Path) -> None:
    who, reason = "<b>Rani</b>", "<script>alert(1)</script>\\u001b[31m\\u2028● Data 6  done"
    (project / "assess.toml").write_text(
        f'[inclusion]\nanswer = "by hand"\nwho = "{who}"\ndate = 2026-01-02\nreason = "{reason}"\n'
    )
    page = tmp_path / "stand.html"
    said = siklus("assess", "ml-test-score", "--within", "5000d", "-C", project, "--html", page)
    assert "<script>" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
    assert "\x1b" not in said.out
    assert "\n● Data 6" not in said.out  # nor a line of its own


def test_without_a_terminal_nobody_is_asked(fresh: Path) -> None:
    found = siklus("assess", "--ask", "-C", fresh)
    assert found.code == 2
    assert "AS006" in found.err


def test_on_a_terminal_an_answer_is_asked_for_and_kept(project: Path) -> None:
    ours, theirs = pty.openpty()
    words = [*SIKLUS, "assess", "--question", "privacy", "-C", str(project)]
    asked = subprocess.Popen(words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, close_fds=True)
    os.close(theirs)
    try:
        terminal = Terminal(ours)
        terminal.type("x", after="a/b/n")
        terminal.type("b", after="'x' is none of automatic, by hand, no\r\n   a/b/n")
        terminal.type("wiki/privacy", after="what it rests on")
        assert asked.wait(timeout=ENOUGH_SECONDS) == 0
    finally:
        asked.kill()
        asked.wait()
        os.close(ours)
    ((name, given),) = read_answers(project, today=datetime.now(UTC).date()).items()
    assert (name, given.answer, given.reason) == ("privacy", "by hand", "wiki/privacy")


def test_whoever_has_enough_ends_and_what_was_answered_is_kept(project: Path) -> None:
    ours, theirs = pty.openpty()
    words = [*SIKLUS, "assess", "--ask", "-C", str(project)]
    asked = subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, close_fds=True)
    os.close(theirs)
    try:
        terminal = Terminal(ours)
        terminal.type("n", after="a/b/n")
        terminal.type("\x04", after="a/b/n")
        said, _ = asked.communicate(timeout=ENOUGH_SECONDS)
        assert asked.returncode == 0
    finally:
        asked.kill()
        asked.wait()
        os.close(ours)
    assert b"Google MLOps" in said
    assert [given.answer for given in read_answers(project, today=datetime.now(UTC).date()).values()] == [
        "no"
    ]


class Terminal:
    """The end at which a person sits."""

    def __init__(self, handle: int) -> None:
        self._handle, self._said = handle, ""

    def type(self, words: str, *, after: str) -> None:
        """The words and Enter, once that stands there; what was said until then is behind us."""
        give_up = time.monotonic() + ENOUGH_SECONDS
        while after not in self._said:
            assert time.monotonic() < give_up, self._said
            if select.select([self._handle], [], [], 1.0)[0]:
                self._said += os.read(self._handle, 4096).decode(errors="replace")
        self._said = self._said.partition(after)[2]
        os.write(self._handle, f"{words}\n".encode())
