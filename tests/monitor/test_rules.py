"""Rules: the project's own, and the defaults; each about a signal that exists, with what to do next."""

import re
from pathlib import Path

import pytest

from siklus.errors import AlertError
from siklus.monitor.alerts.rules import DEFAULTS, Rule, project_rules
from siklus.monitor.signals import SIGNALS
from siklus.project.file import FILE_NAME, read_project
from siklus.project.names import SafeName
from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "alerts.md"
HEAD = """\
[project]
name = "flights"
task = "regression"
[data]
path = "flights.csv"
target = "air_time"
"""
RECEIVERS = """\
[notify.pager]
kind = "webhook"
url = "https://example.com/hook"
[notify.mail]
kind = "mail"
to = ["ops@example.com"]
"""
NAME = SafeName.__metadata__[0].pattern


def rules(folder: Path, text: str = "") -> dict[str, Rule]:
    (folder / FILE_NAME).write_text(HEAD + text)
    return {rule.name: rule for rule in project_rules(read_project(folder / FILE_NAME, environment={}))}


def refusal(folder: Path, text: str) -> AlertError:
    with pytest.raises(AlertError) as caught:
        rules(folder, text)
    return caught.value


def test_without_configuration_the_defaults_tell_the_log(tmp_path: Path) -> None:
    found = rules(tmp_path)
    assert list(found) == [rule.name for rule in DEFAULTS]
    assert {rule.receivers for rule in found.values()} == {("log",)}


def test_the_tutorials_rule_is_there(tmp_path: Path) -> None:
    rule = rules(tmp_path)["predictions_since_training"]
    assert (rule.signal, rule.comparison, rule.threshold) == ("predictions_since_training", ">", 4000)
    assert (rule.held, rule.severity) == (60, "info")
    told = "Consider retraining: the model has answered 4000 predictions since it was trained."
    assert rule.advice == told


@pytest.mark.parametrize("rule", DEFAULTS, ids=lambda rule: rule.name)
def test_a_default_rule_is_about_a_signal_and_says_what_to_do(rule: Rule) -> None:
    assert rule.signal in SIGNALS
    assert re.fullmatch(NAME, rule.name)
    assert re.fullmatch(r"[A-Z`].*\.", rule.advice)
    assert rule.repeat is None or rule.repeat >= 4 * 3600


def test_a_project_s_rule_takes_the_place_of_the_default_with_its_name(tmp_path: Path) -> None:
    found = rules(tmp_path, '[[alerts]]\nsignal = "predictions_since_training"\nabove = 10\n')
    assert len(found) == len(DEFAULTS)
    assert (found["predictions_since_training"].threshold, found["predictions_since_training"].held) == (
        10,
        0,
    )


def test_a_rule_of_another_name_stands_beside_the_default(tmp_path: Path) -> None:
    found = rules(tmp_path, '[[alerts]]\nsignal = "error_rate"\nname = "many"\nabove = 0.5\n')
    assert next(iter(found)) == "many"
    assert len(found) == len(DEFAULTS) + 1


def test_the_defaults_can_be_dropped(tmp_path: Path) -> None:
    text = '[monitor]\ndefault_alerts = false\n[[alerts]]\nsignal = "cpu"\nabove = 2\n'
    assert list(rules(tmp_path, text)) == ["cpu"]


def test_all_keys_of_an_alert_arrive_in_its_rule(tmp_path: Path) -> None:
    text = """\
[[alerts]]
signal = "drift_score"
name = "carrier_moved"
below = 0.2
for = "5m"
keep_firing_for = "10m"
notify = ["pager"]
advice = "Look."
severity = "critical"
repeat = "2d"
feature = "carrier"
"""
    assert rules(tmp_path, RECEIVERS + text)["carrier_moved"] == Rule(
        name="carrier_moved",
        signal="drift_score",
        comparison="<",
        threshold=0.2,
        held=300,
        kept=600,
        repeat=2 * 86_400,
        receivers=("pager",),
        severity="critical",
        advice="Look.",
        feature="carrier",
    )


def test_without_names_all_receivers_are_told(tmp_path: Path) -> None:
    alerts = '[[alerts]]\nsignal = "cpu"\nabove = 2\n[[alerts]]\nsignal = "memory"\nabove = 2\nnotify = []\n'
    found = rules(tmp_path, RECEIVERS + alerts)
    assert found["cpu"].receivers == ("mail", "pager")
    assert found["drift_alarm"].receivers == ("mail", "pager")
    assert found["memory"].receivers == ()


@pytest.mark.parametrize(
    ("text", "code", "message", "expected"),
    [
        ('signal = "drift_alram"\nabove = 0', "AL001", "signal = 'drift_alram'", "'drift_alarm'?"),
        (
            'signal = "zzz"\nabove = 0',
            "AL001",
            "there is no such signal",
            "one of predictions_since_training",
        ),
        (
            'signal = "error_rate"\nabove = 0\nfeature = "x"',
            "AL002",
            "feature = 'x': error_rate has one value",
            "one of drift_score, missing_jump, unseen_share",
        ),
    ],
)
def test_a_rule_that_no_signal_can_keep_is_named_with_its_line(
    tmp_path: Path, text: str, code: str, message: str, expected: str
) -> None:
    error = refusal(tmp_path, f'[[alerts]]\nsignal = "cpu"\nabove = 1\n[[alerts]]\n{text}\n')
    assert error.code == code
    assert error.message.startswith(f"{tmp_path / FILE_NAME}:{(HEAD.count(chr(10)) + 4)}: [[alerts]] ")
    assert message in error.message
    assert expected in (error.expected or "")


def duration(seconds: int | None) -> str:
    if seconds is None:
        return "never"
    unit, size = next(
        (unit, size) for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)) if seconds % size == 0
    )
    return f"{seconds // size}{unit}" if seconds else ""


def test_the_page_lists_the_default_rules_as_they_are() -> None:
    _, _, text = PAGE.read_text().partition("\n## The default rules\n")
    found = re.findall(
        r"^\| `(\w+)` \| (above|below) ([\d.]+) \| (\w*) \| (\w*) \| (\w+) \| (\w+) \|", text, re.MULTILINE
    )
    wanted = [
        (
            rule.name,
            "above" if rule.comparison == ">" else "below",
            f"{rule.threshold:g}",
            duration(rule.held),
            duration(rule.kept),
            rule.severity,
            duration(rule.repeat),
        )
        for rule in DEFAULTS
    ]
    assert [(name, side, f"{float(bound):g}", *rest) for name, side, bound, *rest in found] == wanted


def test_the_page_lists_the_signals_as_they_are() -> None:
    _, _, text = PAGE.read_text().partition("\n## Signals\n")
    found = re.findall(r"^\| `(\w+)` \| ([^|]*) \| (.*) \|$", text.partition("\n## ")[0], re.MULTILINE)
    wanted = [
        (name, f"{kind.unit}, by {kind.by}" if kind.by else kind.unit, kind.meaning)
        for name, kind in SIGNALS.items()
    ]
    assert [(name, unit.strip(), meaning) for name, unit, meaning in found] == wanted
