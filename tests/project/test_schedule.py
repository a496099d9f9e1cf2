"""Schedules mean what cron means by them; what they name is compared with cronsim's reading."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from siklus.errors import ProjectError
from siklus.project.file import read_project
from siklus.project.schedule import Schedule, parse_schedule

MINUTE = timedelta(minutes=1)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
MINIMAL = '[project]\nname = "x"\ntask = "regression"\n[data]\npath = "x.csv"\ntarget = "y"\n'


def fields(low: int, high: int, words: list[str] | None = None) -> st.SearchStrategy[str]:
    """One field: stars, numbers, words, ranges, steps, lists of them."""
    numbers = st.integers(low, high)
    # Not of one number with a step: cronsim takes `5-5/2` for `5/2`.
    pairs = st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted)
    parts = [
        st.just("*"),
        numbers.map(str),
        pairs.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
        st.tuples(pairs, st.integers(1, high)).map(lambda it: f"{it[0][0]}-{it[0][1]}/{it[1]}"),
    ]
    if words:
        parts.append(st.sampled_from(words))
    return st.lists(st.one_of(parts), min_size=1, max_size=3).map(",".join)


LINES = st.tuples(
    fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12, MONTHS), fields(0, 6, WEEKDAYS)
).map(" ".join)
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))


@given(LINES, MOMENTS)
def test_the_next_minutes_are_those_of_cronsim(line: str, moment: datetime) -> None:
    schedule, expected = parse_schedule(line), CronSim(line, moment)
    for _ in range(3):
        found = schedule.next(moment)
        assert found == next(expected)
        assert found is not None
        moment = found


@given(LINES, MOMENTS)
def test_the_last_minute_is_the_one_before_the_next(line: str, moment: datetime) -> None:
    schedule = parse_schedule(line)
    last, following = schedule.last(moment), schedule.next(moment)
    assert last is not None
    assert following is not None
    assert last <= moment < following
    assert schedule.next(last) == following
    assert schedule.last(following) == following
    assert schedule.last(following - MINUTE) == last


@pytest.mark.parametrize(
    ("line", "after", "expected"),
    [
        ("0 3 * * 1", "2026-11-22T10:00", "2026-11-23T03:00"),  # a Monday
        ("0 3 * * 1", "2026-11-23T03:00", "2026-11-30T03:00"),
        ("0 0 29 2 *", "2097-01-01T00:00", "2104-02-29T00:00"),  # 2100 has none
        ("0 0 13 * 5", "2026-11-01T00:00", "2026-11-06T00:00"),  # the 13th, or a Friday
        ("59 23 31 12 *", "2026-12-31T23:59", "2027-12-31T23:59"),
        ("0 12 * * 7", "2026-11-22T13:00", "2026-11-29T12:00"),  # 7 is a Sunday as well
        ("5/20 * * * *", "2026-11-22T10:06", "2026-11-22T10:25"),
        ("0 9 * JAN Mon-Fri", "2026-11-22T10:00", "2027-01-01T09:00"),
    ],
)
def test_what_a_line_names(line: str, after: str, expected: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert parse_schedule(line).next(moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_moments_of_other_zones_are_those_of_utc() -> None:
    schedule: Schedule = parse_schedule("0 3 * * *")
    found = schedule.next(datetime.fromisoformat("2026-11-22T22:00:00-08:00"))
    assert found == datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "-1 * * * *",
        "1, * * * *",
        "@daily",
        "0 0 30 2 *",
        "0 0 31 4,6 *",
        "1-2-3 * * * *",
        "² * * * *",
    ],
)
def test_what_names_no_minute_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"field|never|weekday|minute|hour|day|month"):
        parse_schedule(line)


@pytest.mark.parametrize("line", ["0 3 * *", "0 25 * * *", "0 0 30 2 *"])
def test_a_project_file_with_such_a_schedule_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "siklus.toml"
    path.write_text(f'{MINIMAL}[retrain]\ncooldown = "1h"\non = ["drift", "schedule:{line}"]\n')
    with pytest.raises(ProjectError) as caught:
        read_project(path, environment={})
    assert caught.value.code in {"PJ018", "PJ004"}  # a text too short for any line is refused before
    assert f"{path}:9" in caught.value.message


def test_a_schedule_of_the_environment_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "siklus.toml"
    path.write_text(MINIMAL)
    with pytest.raises(ProjectError, match="SIKLUS_RETRAIN__ON"):
        read_project(path, environment={"SIKLUS_RETRAIN__ON": '["schedule:0 25 * * *"]'})


def test_whoever_is_to_hear_of_retrainings_must_be_declared(tmp_path: Path) -> None:
    path = tmp_path / "siklus.toml"
    path.write_text(f'{MINIMAL}[retrain]\nnotify = ["nobody"]\n')
    with pytest.raises(ProjectError) as caught:
        read_project(path, environment={})
    assert caught.value.code == "PJ017"
