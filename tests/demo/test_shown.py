"""What is shown of the year: a picture, a page that loads nothing, a live view, plain lines, and a story."""

import io
import re
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from siklus.demo.chart import HTML, PNG, outcome_of, write_charts
from siklus.demo.live import LiveView, PlainView, picture, view_on
from siklus.demo.moment import Moment, Share
from siklus.demo.summary import story
from tests.demo.lived import EVENTS, summary
from tests.monitor.pages import DESKTOP, PHONE, browsing, check_page, looked_at

WIDTH = 100


def moment() -> Moment:
    found = summary()
    return Moment(
        day=found.days[-1].last,
        doing="retraining 4 is at work: quality",
        flights=found.served_rows,
        failed_requests=0,
        months=found.months,
        shares=(Share(version="3", share=0.75), Share(version="4", share=0.25)),
        events=found.events,
        counted=found.counted,
        drifted=9,
        columns=22,
        quality=8.25,
        floor=12.0,
    )


def drawn(what: object, *, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=terminal, color_system=None)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_page_is_one_file_that_loads_and_runs_nothing(tmp_path: Path) -> None:
    png, page = write_charts(summary(), tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    seen = check_page(page.read_text())
    assert "10.50" in seen.text  # (9 + 12) / 2, the mean of both months without the loop
    assert "8.50" in seen.text
    assert "version 3 <b>takes</b> all requests" in seen.text  # as text: no tag of ours
    with browsing() as browser:
        for size, scheme in ((PHONE, "dark"), (DESKTOP, "light")):
            tab, wrong = looked_at(browser, page, size=size, scheme=scheme)
            assert wrong == []
            assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
            tab.context.close()


def test_the_same_year_gives_the_same_files(tmp_path: Path) -> None:
    files = [write_charts(summary(), tmp_path) for _ in range(2)]
    before, again = ([file.read_bytes() for file in pair] for pair in files)
    assert before == again
    assert {file.name for file in files[0]} == {PNG, HTML}


def test_what_became_of_a_challenger_is_told_apart() -> None:
    assert [outcome_of(event) for event in EVENTS] == ["refused", "promotion", "rollback"]
    accepted = msgspec.structs.replace(EVENTS[0], verdict="accepted")
    assert outcome_of(accepted) == ""


def test_the_live_view_shows_months_shares_drift_and_the_journal() -> None:
    text = drawn(picture(moment(), width=WIDTH))
    assert re.search(r"February +9\.0 +█+ +9\.0 +█+ +1 *\n", text)
    assert re.search(r"mean +10\.5 +8\.5", text)
    assert "version 3 ██████████████████ 75 %" in text
    assert "version 4 ██████ 25 %" in text
    assert "9 of 22 columns" in text
    assert "8.2 minutes off, to be at most 12" in text
    assert "3 retrainings: 1 promoted, 1 refused, 1 rolled back" in text
    assert "10 Mar  version 3 <b>takes</b> all requests" in text
    assert all(len(line) <= WIDTH for line in text.splitlines())


def test_a_shadow_and_an_alarm_are_named() -> None:
    shares = (Share(version="3", share=1.0), Share(version="4", share=0.0))
    text = drawn(picture(msgspec.structs.replace(moment(), shares=shares, quality_alarm=True), width=WIDTH))
    assert "version 4 · shadow" in text
    assert "   alarm" in text


def test_a_terminal_gets_the_live_view_and_a_file_plain_lines() -> None:
    assert isinstance(view_on(Console(file=io.StringIO(), force_terminal=True)), LiveView)
    console = Console(file=io.StringIO(), width=40)
    view = view_on(console)
    assert isinstance(view, PlainView)
    found = moment()
    with view:
        view.show(msgspec.structs.replace(found, months=found.months[:1], events=found.events[:1]))
        view.show(found)
        view.show(found)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "  20 Feb  is refused",
        "  10 Mar  version 3 <b>takes</b> all requests",
        "  20 Mar  rollout 2 is rolled back",
        "February: 2,800 flights, off by 9.0 minutes with the loop, 9.0 without; version 1",
        "March: 3,100 flights, off by 8.0 minutes with the loop, 12.0 without; versions 1, 3",
    ]


def test_the_story_says_what_it_came_to_and_where_the_loop_was_behind() -> None:
    told = " ".join(story(summary()))
    assert "10.5 minutes off on average; with the loop it was 8.5" in told
    assert "helped most in March: 12.0 minutes without it, 8.0 with it" in told
    assert "trained anew 3 times: 1 of the new versions were promoted, 1 refused" in told
    assert "none failed" in told
    assert "behind" not in told
    months = (msgspec.structs.replace(summary().months[0], mae_with_loop=10.0), summary().months[1])
    late = " ".join(story(msgspec.structs.replace(summary(), months=months, failed_requests=2)))
    assert "behind in February (10.0 against 9.0)" in late
    assert "2 requests failed" in late


@pytest.mark.parametrize(("number", "word"), [(0, "never"), (1, "once"), (2, "twice"), (5, "5 times")])
def test_how_often_it_trained_is_said_as_people_say_it(number: int, word: str) -> None:
    counted = msgspec.structs.replace(summary().counted, retrainings=number)
    assert f"It trained anew {word}:" in " ".join(story(msgspec.structs.replace(summary(), counted=counted)))
