"""The sandbox's project file is the project's own, but that nothing in it reaches beyond the sandbox."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.drill.sandbox_settings import changes, sandboxed, toml_text
from siklus.monitor.alerts.rules import project_rules
from siklus.project.durations import seconds_or_zero
from siklus.project.file import read_project
from siklus.project.notify import Mail
from siklus.project.sections import Project

FILE = """
[project]
name = "flights"
task = "regression"

[data]
url = "postgresql://reader@db.example.com/flights"
query = "SELECT * FROM flights"
target = "air_time"
time = "time_hour"

[gates]
mae = "<= 12"
slices = { column = "origin", mae = "<= 15" }

[serve]
host = "0.0.0.0"
port = 443
tls_certificate = "cert.pem"
tls_key = "key.pem"
admin_port = 9000

[monitor]
floor = "<= 12"
metric = "mae"
prometheus = "http://prometheus.example.com:9090"
evaluator = "prometheus"

[retrain]
on = ["drift", "alert:drift_alarm", "labels:400", "schedule:0 3 * * 1"]
trusted = "trusted.csv"
notify = ["ops-mail"]

[rollout]
steps = [0.05, 0.25, 1.0]
hold = "6h"

[state]
directory = "/srv/siklus"
control = "postgresql://siklus@db.example.com/control"
tracking_uri = "https://mlflow.example.com"

[notify.ops-mail]
kind = "mail"
to = ["ops@example.com", "boss@example.com"]
smtp = "smtps://ops@mail.example.com"
password_env = "SMTP_PASSWORD"

[notify.chat]
kind = "webhook"
url_env = "CHAT_URL"

[[alerts]]
signal = "drift_alarm"
above = 0.5
for = "30m"
notify = ["ops-mail", "log"]
advice = "Look.\\nThen \\"decide\\"."
"""


def raw() -> dict[str, Any]:
    return tomllib.loads(FILE)


def made(tmp_path: Path, given: dict[str, Any]) -> Project:
    file = tmp_path / "siklus.toml"
    file.write_text(toml_text(sandboxed(given, port=0, smtp="smtp://127.0.0.1:2525")), encoding="utf-8")
    return read_project(file, environment={})


def test_nothing_of_it_reaches_beyond_the_sandbox(tmp_path: Path) -> None:
    found = made(tmp_path, raw())
    assert (found.data.path, found.data.url, found.data.query) == ("rows.parquet", None, None)
    assert (found.state.directory, found.state.control, found.state.tracking_uri) == (".siklus", None, None)
    assert (found.serve.host, found.serve.tls_certificate, found.serve.admin_port) == (
        "127.0.0.1",
        None,
        None,
    )
    assert (found.monitor.prometheus, found.monitor.evaluator) == (None, "siklus")
    text = toml_text(sandboxed(raw(), port=0, smtp="smtp://127.0.0.1:2525"))
    assert "example.com" not in text


def test_each_receiver_keeps_its_name_and_gets_its_mails_here(tmp_path: Path) -> None:
    receivers = made(tmp_path, raw()).notify
    assert set(receivers) == {"ops-mail", "chat"}
    for mail in receivers.values():
        assert isinstance(mail, Mail)
        assert mail.smtp == "smtp://127.0.0.1:2525"
        assert all(address.endswith("@drill.invalid") for address in mail.to)


def test_rules_and_triggers_stay_the_projects_own_but_tell_at_once(tmp_path: Path) -> None:
    found = made(tmp_path, raw())
    assert found.retrain.on == ("drift", "alert:drift_alarm"), "counts and clocks would start one unasked"
    [rule] = [rule for rule in project_rules(found) if rule.name == "drift_alarm"]
    assert (rule.threshold, rule.held, rule.receivers) == (0.5, 0, ("ops-mail",))
    assert rule.advice == 'Look.\nThen "decide".'
    assert (found.data.target, found.data.time, found.monitor.metric) == ("air_time", "time_hour", "mae")


def test_a_project_without_default_rules_has_none_in_the_sandbox(tmp_path: Path) -> None:
    given = raw()
    given["monitor"]["default_alerts"] = False
    assert {rule.name for rule in project_rules(made(tmp_path, given))} == {"drift_alarm"}


def test_hours_become_seconds(tmp_path: Path) -> None:
    found = made(tmp_path, raw())
    assert max(seconds_or_zero(each) for each in (found.rollout.hold, found.rollout.settle)) <= 5
    assert found.rollout.steps == (0.25, 1.0), "a project without a shadow gets none"
    assert found.gates.bounds == {}


def test_a_project_that_names_nothing_gets_all_it_needs(tmp_path: Path) -> None:
    small = {
        "project": {"name": "a", "task": "regression"},
        "data": {"path": "a.csv", "target": "y"},
    }
    found = made(tmp_path, small)
    assert list(found.notify) == ["drill"]
    assert found.rollout.steps == ("shadow", 0.25, 1.0)
    assert small["data"]["path"] == "a.csv", "what was given stays as it is"


def test_what_is_otherwise_is_told(tmp_path: Path) -> None:
    told = list(changes(raw(), sandboxed(raw(), port=0, smtp="smtp://127.0.0.1:2525")))
    assert '[monitor] look = "1s"' in told
    assert '[retrain] on = ["drift", "alert:drift_alarm"]' in told
    assert "[monitor] without floor" in told
    assert "no [gates]" in told
    assert not [line for line in told if line.startswith("[project]")]


values = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=6,
)


@pytest.mark.filterwarnings("error")
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), values, max_size=4))
def test_what_is_written_reads_back(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == table
