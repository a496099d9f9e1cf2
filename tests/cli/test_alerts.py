"""`siklus alerts`: how rules stand, whether a message arrives, and who wants to hear nothing for a while."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from siklus.monitor.alerts.events import Event
from siklus.monitor.alerts.rules import project_rules
from siklus.monitor.alerts.store import Alerts
from siklus.monitor.signals import Signal
from siklus.project.file import open_project
from siklus.registry.control import open_control
from tests.cli.projects import answered, siklus

PROJECT = """\
[project]
name = "line"
task = "regression"
[data]
path = "rows.csv"
target = "y"
[[alerts]]
signal = "drift_score"
name = "moved"
above = 0.2
"""
MINUTE = timedelta(minutes=1)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "siklus.toml").write_text(PROJECT)
    return tmp_path


@contextmanager
def kept(project: Path) -> Iterator[Alerts]:
    with open_control(None, file=project / ".siklus" / "control.db") as control:
        yield Alerts(control, "line")


def look(project: Path, values: Mapping[tuple[str, str], float], *, ago: timedelta = timedelta(0)) -> None:
    """What a watch does, some time ago; ``values`` by signal and label."""
    rules = project_rules(open_project(project, environment={}).settings)
    given = [Signal(name=name, label=label, value=value) for (name, label), value in values.items()]
    with kept(project) as alerts:
        alerts.look(rules, given, now=datetime.now(UTC) - ago)


def states(project: Path) -> dict[tuple[str, str], str]:
    rows = answered("alerts", "list", "-C", project)["rules"]
    return {(row["rule"]["name"], row["label"]): row["state"] for row in rows}


def refused(code: str, *words: str | Path) -> str:
    found = siklus(*words)
    assert found.code == 2, found.out
    assert found.err.startswith(f"siklus: {code} "), found.err
    return found.err


def test_looking_at_alerts_makes_no_database(project: Path) -> None:
    found = answered("alerts", "list", "-C", project)
    assert (found["looked"], found["silences"], found["waiting"]) == (None, [], [])
    assert {row["state"] for row in found["rules"]} == {"not looked"}
    shown = siklus("alerts", "-C", project)
    assert shown.code == 0
    assert "Nobody has looked yet" in shown.out
    assert answered("alerts", "history", "-C", project) == []
    assert "Nothing has happened yet" in siklus("alerts", "history", "-C", project).out
    assert siklus("alerts", "unsilence", "moved", "-C", project).code == 1
    assert not (project / ".siklus").exists()


def test_each_rule_is_listed_as_it_stands(project: Path) -> None:
    values = {
        ("drift_score", "carrier"): 0.25,
        ("drift_score", "hour"): 0.01,
        ("predictions_since_training", ""): 4200.0,
        ("error_rate", ""): 0.0125,
    }
    look(project, values)
    found = states(project)
    assert found["moved", "carrier"] == "firing"
    assert found["predictions_since_training", ""] == "pending"
    assert found["error_rate", ""] == "ok"
    assert found["latency_p99", ""] == "no value"
    lines = siklus("alerts", "-C", project).out.splitlines()
    assert lines[1].split()[:7] == ["moved", "of", "carrier", "FIRING", "0.25", "above", "0.2"]
    assert lines[1].split()[9:] == ["log", "(waiting)"]
    assert lines[2].startswith("predictions_since_training  pending   4,200   above 4,000 for 1m")
    [fine] = [line for line in lines if line.startswith("error_rate")]
    assert fine.split()[1:3] == ["ok", "1.25"]
    assert "Not delivered to log yet (0 attempts" in lines[-1]


def test_whom_the_first_word_has_not_reached_is_waited_for(project: Path) -> None:
    look(project, {("drift_score", "carrier"): 0.25})
    [row] = [row for row in answered("alerts", "-C", project)["rules"] if row["label"] == "carrier"]
    assert (row["told"], row["waiting"]) == (["log"], ["log"])
    with kept(project) as alerts:
        [notification] = alerts.outbox.due(datetime.now(UTC))
        alerts.outbox.failed(notification.id, datetime.now(UTC), "no route")
    assert "to log yet (1 attempt, the next" in siklus("alerts", "-C", project).out
    with kept(project) as alerts:
        alerts.outbox.delivered(notification, datetime.now(UTC))
    shown = siklus("alerts", "-C", project).out.splitlines()
    assert shown[1].split()[9:] == ["log"]


def test_alerts_without_a_command_are_the_list(project: Path) -> None:
    assert answered("alerts", "-C", project) == answered("alerts", "list", "-C", project)


def test_an_option_before_the_command_is_not_passed_over(project: Path) -> None:
    found = siklus("alerts", "--json", "history", "-C", project)
    assert (found.code, "siklus alerts history …" in found.err) == (2, True)


def test_nobody_looking_is_said(project: Path) -> None:
    look(project, {}, ago=10 * MINUTE)
    assert "Nobody has looked since" in siklus("alerts", "-C", project).out
    look(project, {})
    assert "Nobody" not in siklus("alerts", "-C", project).out


def test_where_prometheus_asks_it_is_said(project: Path) -> None:
    shown = siklus("alerts", "-C", project, MONITOR__EVALUATOR="prometheus")
    assert "Alertmanager knows their state" in shown.out
    assert "Nobody has looked" not in shown.out


def test_a_silence_is_made_shown_and_lifted(project: Path) -> None:
    words = ("moved", "--feature", "carrier", "--for", "3h", "--reason", "we know")
    made = answered("alerts", "silence", *words, "-C", project)
    assert (made["rule"], made["feature"], made["reason"]) == ("moved", "carrier", "we know")
    until, created = datetime.fromisoformat(made["until"]), datetime.fromisoformat(made["created"])
    assert until - created == timedelta(hours=3)
    look(project, {("drift_score", "carrier"): 0.3, ("drift_score", "hour"): 0.3})
    rows = {row["label"]: row for row in answered("alerts", "list", "-C", project)["rules"][:2]}
    assert (rows["carrier"]["silenced_until"], rows["hour"]["silenced_until"]) == (made["until"], None)
    assert (rows["carrier"]["told"], rows["hour"]["told"]) == ([], ["log"])
    assert siklus("alerts", "unsilence", "moved", "-C", project).code == 1
    lifted = answered("alerts", "unsilence", "moved", "--feature", "carrier", "-C", project)
    assert lifted == {"rule": "moved", "feature": "carrier", "lifted": 1}
    assert answered("alerts", "list", "-C", project)["silences"] == []
    said = [entry["text"] for entry in answered("alerts", "history", "-C", project)]
    assert said == [
        "lifted the silence of moved of carrier",
        "moved of hour fires: 0.3, above 0.2",
        "moved of carrier fires, silenced: 0.3, above 0.2",
        f"silenced moved of carrier until {until:%Y-%m-%d %H:%M} UTC: we know",
    ]


def test_all_rules_can_be_silenced_at_once(project: Path) -> None:
    shown = siklus("alerts", "silence", "*", "-C", project)
    assert (shown.code, shown.out.endswith(": *\n")) == (0, True)
    look(project, {("drift_score", "carrier"): 0.3})
    rows = answered("alerts", "list", "-C", project)["rules"]
    assert all(row["silenced_until"] for row in rows)
    with kept(project) as alerts:
        assert alerts.outbox.waiting() == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["silence", "drift_alram"], "'drift_alarm'?"),
        (["silence", "x*"], "one of moved"),
        (["test", "moved2"], "'moved'?"),
    ],
)
def test_a_rule_that_is_not_there_is_named_with_the_nearest(
    project: Path, words: list[str], expected: str
) -> None:
    assert f"expected {expected}" in refused("AL004", "alerts", *words, "-C", project)
    assert not (project / ".siklus").exists()


def test_what_is_no_duration_is_refused(project: Path) -> None:
    found = siklus("alerts", "silence", "moved", "--for", "soon", "-C", project)
    assert (found.code, "'soon' is no duration such as 90s, 10m, 1h or 30d" in found.err) == (2, True)


def test_a_rule_of_no_signal_is_refused_by_the_list(project: Path) -> None:
    path = project / "siklus.toml"
    path.write_text(PROJECT.replace("drift_score", "drift_scroe"))
    said = refused("AL001", "alerts", "-C", project)
    assert f"{path}:7: [[alerts]] signal = 'drift_scroe'" in said


def test_history_counts_from_the_newest(project: Path) -> None:
    for minute in range(3):
        look(project, {("drift_score", "a"): 0.1 + 0.2 * (minute % 2)}, ago=(5 - minute) * MINUTE)
    [newest] = answered("alerts", "history", "-n", "1", "-C", project)
    assert (newest["kind"], newest["subject"], newest["author"]) == ("alert", "moved of a", "siklus watch")
    assert msgspec.convert(newest["evidence"], Event).state == "resolved"


# Test notifications


class Hook(BaseHTTPRequestHandler):
    """Remembers what was posted, and answers with the server's status."""

    server: "HookServer"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body.decode())
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class HookServer(HTTPServer):
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.bodies: list[str] = []


@pytest.fixture
def hook(project: Path) -> Iterator[HookServer]:
    with HookServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        receiver = f'[notify.chat]\nkind = "webhook"\nurl = "http://127.0.0.1:{server.server_port}/hook"\n'
        (project / "siklus.toml").write_text(PROJECT + receiver)
        yield server
        server.shutdown()
        thread.join()


def test_a_test_notification_arrives_and_says_that_it_is_one(project: Path, hook: HookServer) -> None:
    tried = answered("alerts", "test", "-C", project)
    assert tried == [{"rule": "moved", "receiver": "chat", "problem": None}]
    [body] = hook.bodies
    assert "test" in body.lower()
    assert "drift of 0.22" in body
    shown = siklus("alerts", "test", "error_rate", "-C", project)
    assert (shown.code, shown.out) == (0, "chat: sent, as a test\n")
    # Nothing has happened, so nothing is kept.
    assert not (project / ".siklus").exists()


def test_a_test_that_does_not_arrive_ends_with_1_and_says_why(project: Path, hook: HookServer) -> None:
    hook.status = 500
    found = siklus("alerts", "test", "-C", project)
    assert found.code == 1
    assert found.out.startswith("chat: not sent: AL0")
    [tried] = siklus("alerts", "test", "--json", "-C", project).document
    assert tried["problem"].startswith("AL0")


def test_a_test_may_go_to_one_receiver(project: Path, hook: HookServer) -> None:
    found = siklus("alerts", "test", "--receiver", "log", "-C", project)
    assert (found.code, found.out, hook.bodies) == (0, "log: sent, as a test\n", [])
    said = json.loads(found.err)
    assert (said["event"], said["level"], said["test"], said["rule"]) == ("alert", "warning", True, "moved")
    assert "one of chat, log" in refused("AL005", "alerts", "test", "--receiver", "boss", "-C", project)


def test_a_rule_that_tells_nobody_is_tested_by_naming_somebody(project: Path) -> None:
    (project / "siklus.toml").write_text(PROJECT + "notify = []\n")
    assert "--receiver NAME" in refused("AL005", "alerts", "test", "moved", "-C", project)
    assert siklus("alerts", "test", "moved", "--receiver", "log", "-C", project).code == 0
