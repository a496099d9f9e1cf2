"""[[alerts]]: what is wrong in one of several is named with its own line."""

from pathlib import Path

import pytest

from siklus.errors import ProjectError
from siklus.project.alerts import PlacedAlert
from siklus.project.file import FILE_NAME, read_project
from siklus.project.sections import Project

HEAD = """\
[project]
name = "flights"
task = "regression"
[data]
path = "flights.csv"
target = "air_time"
"""
FIRST = """\
[[alerts]]
signal = "error_rate"
above = 0.1
"""
NEXT_LINE = (HEAD + FIRST).count("\n") + 1


def read(folder: Path, text: str) -> Project:
    path = folder / FILE_NAME
    path.write_text(HEAD + text)
    return read_project(path, environment={})


def alerts(folder: Path, text: str) -> tuple[PlacedAlert, ...]:
    return read(folder, text).alerts


def refusal(folder: Path, text: str) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        read(folder, text)
    return caught.value


def test_without_any_there_are_none(tmp_path: Path) -> None:
    assert alerts(tmp_path, "") == ()


def test_an_alert_is_called_like_its_signal_and_knows_its_place(tmp_path: Path) -> None:
    [alert] = alerts(tmp_path, FIRST)
    assert (alert.title, alert.signal, alert.above, alert.below, alert.threshold) == (
        "error_rate",
        "error_rate",
        0.1,
        None,
        0.1,
    )
    assert (alert.held_seconds, alert.repeat_seconds, alert.notify) == (0, 4 * 3600, None)
    assert alert.place == f"{tmp_path / FILE_NAME}:{HEAD.count(chr(10)) + 1}"


def test_all_keys_are_read(tmp_path: Path) -> None:
    more = """\
[notify.ops-mail]
kind = "mail"
to = ["ops@example.com"]
[[alerts]]
signal = "drift_score"
name = "moved"
below = 0
for = "5m"
notify = ["ops-mail", "log"]
advice = "Look."
severity = "critical"
repeat = "never"
feature = "carrier"
"""
    _, alert = alerts(tmp_path, FIRST + more)
    assert (alert.title, alert.below, alert.threshold, alert.held_seconds) == ("moved", 0.0, 0.0, 300)
    assert (alert.repeat_seconds, alert.notify, alert.severity) == (None, ("ops-mail", "log"), "critical")
    assert (alert.advice, alert.feature) == ("Look.", "carrier")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("0s", 0), ("0m", 0), ("10s", 10), ("2h", 7200)])
def test_a_rule_may_ask_for_no_time_at_all(tmp_path: Path, text: str, seconds: int) -> None:
    assert alerts(tmp_path, f'{FIRST}for = "{text}"\n')[0].held_seconds == seconds


def test_nobody_is_not_everybody(tmp_path: Path) -> None:
    assert alerts(tmp_path, FIRST + "notify = []\n")[0].notify == ()


def test_an_array_within_one_line_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    text = 'alerts = [{ signal = "cpu", above = 1 }, { signal = "memory", below = 2 }]'
    path.write_text(f"{text}\n{HEAD}")
    found = read_project(path, environment={}).alerts
    assert [(alert.title, alert.place) for alert in found] == [("cpu", f"{path}:1"), ("memory", f"{path}:1")]


@pytest.mark.parametrize(
    ("text", "code", "line", "message", "expected"),
    [
        ('signal = "cpu"\nabvoe = 5\n', "PJ003", 2, "[[alerts]] unknown key 'abvoe'", "'above'?"),
        ("above = 5\n", "PJ005", 0, "[[alerts]] has no signal", "signal = …"),
        ('signal = "cpu"\nabove = "5"\n', "PJ004", 2, '[[alerts]] above = "5"', "a number"),
        ('signal = "cpu"\nabove = true\n', "PJ004", 2, "[[alerts]] above = true", "a number"),
        ('signal = "cpu"\nabove = 5\nfor = "1 minute"\n', "PJ004", 3, 'for = "1 minute"', "such as 1m or 1h"),
        ('signal = "cpu"\nabove = 5\nfor = 60\n', "PJ004", 3, "[[alerts]] for = 60", "such as 1m or 1h"),
        ('signal = "cpu"\nabove = 5\nrepeat = "0s"\n', "PJ004", 3, 'repeat = "0s"', "or 'never'"),
        ('signal = "cpu"\nabove = 5\nname = "C P U"\n', "PJ004", 3, 'name = "C P U"', "lower-case letters"),
        ('signal = "cpu"\nabove = 5\nseverity = "high"\n', "PJ004", 3, '= "high"', "'critical'"),
        ('signal = "cpu"\nabove = 5\nnotify = "log"\n', "PJ004", 3, 'notify = "log"', "a list, each item"),
        ('signal = "cpu"\n', "PJ015", 0, "[[alerts]] cpu: no threshold", "`above` or `below`"),
        ('signal = "cpu"\nabove = 5\nbelow = 1\n', "PJ015", 0, "above = 5 and below = 1", "one of them"),
        ('signal = "cpu"\nabove = nan\n', "PJ015", 0, "above = nan", "with a number"),
        ('signal = "cpu"\nbelow = -inf\n', "PJ015", 0, "below = -inf", "with a number"),
        ('signal = "error_rate"\nabove = 5\n', "PJ016", 0, "[[alerts]] error_rate: ", "a `name` of its own"),
        ('signal = "cpu"\nname = "error_rate"\nabove = 5\n', "PJ016", 0, "called so already", "a `name`"),
        ('signal = "cpu"\nabove = 5\nnotify = ["lgo"]\n', "PJ017", 0, "no [notify.lgo]", "'log'?"),
        (
            'signal = "cpu"\nabove = 5\nnotify = ["boss"]\n',
            "PJ017",
            0,
            "no [notify.boss]",
            "a section [notify.boss]",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, text: str, code: str, line: int, message: str, expected: str
) -> None:
    error = refusal(tmp_path, f"{FIRST}[[alerts]]\n{text}")
    assert error.code == code
    assert error.message.startswith(f"{tmp_path / FILE_NAME}:{NEXT_LINE + line}: ")
    assert message in error.message
    assert expected in (error.expected or "")


@pytest.mark.parametrize("text", ["alerts = 5\n", "[alerts]\nsignal = 'cpu'\n"])
def test_one_section_is_not_a_list_of_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text + HEAD)
    with pytest.raises(ProjectError) as caught:
        read_project(path, environment={})
    assert (caught.value.code, caught.value.expected) == ("PJ004", "sections that begin with [[alerts]]")
    assert caught.value.message.startswith(f"{path}:1: alerts = ")


def test_the_environment_changes_no_alert(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(HEAD + FIRST)
    with pytest.raises(ProjectError) as caught:
        read_project(path, environment={"SIKLUS_ALERTS__ABOVE": "5"})
    assert (caught.value.code, caught.value.message.partition(":")[0]) == ("PJ003", "SIKLUS_ALERTS__ABOVE")
