"""What is written where, what a person has changed, and what is refused before it stands in a file."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from siklus.cli.main import main
from siklus.deploy.drafts import LIST
from siklus.deploy.quoting import label_value, plain_in_template, yaml_text
from siklus.deploy.watching.grafana import DASHBOARDS
from siklus.deploy.watching.prometheus import SERVER_DOWN, WATCH_SILENT
from tests.architecture.source import ROOT
from tests.deploy.projects import deployed, project

TARGETS = ("prometheus", "alertmanager", "grafana")
SECRETS = """
[notify.ops-mail]
kind = "mail"
to = ["ml-ops@example.com"]
sender = "robot@example.com"
smtp = "smtp://robot@mail.example.com:587"
password_file = "secrets/mail"

[notify.early]
kind = "mail"
to = ["ml-ops@example.com"]
smtp = "smtps://robot@mail.example.com"
password_env = "MAIL_PASSWORD"

[notify.near]
kind = "mail"
to = ["ml-ops@example.com"]

[notify.chat]
kind = "webhook"
url_env = "CHAT_URL"

[notify.actions]
kind = "github"
repository = "owner/name"
token_env = "TOKEN"
"""


def configured(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["deploy", *words]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("target", TARGETS)
def test_files_are_told_and_listed(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = deployed(project(tmp_path), target, "--json")
    told = json.loads(capsys.readouterr().out)
    written = {path for path in directory.rglob("*") if path.is_file() and path.name != LIST}
    assert {Path(each["path"]) for each in told["files"]} == written
    assert {each["state"] for each in told["files"]} == {"new"}
    deployed(tmp_path, target, "--json")
    assert {each["state"] for each in json.loads(capsys.readouterr().out)["files"]} == {"same"}


def test_what_a_person_changed_is_shown_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = deployed(project(tmp_path), "prometheus")
    config, rules = directory / "prometheus.yml", directory / "rules" / "flights-alerts.yml"
    before = rules.read_text()
    config.write_text(config.read_text().replace("scrape_interval: 15s", "scrape_interval: 17s"))
    project(tmp_path, '[[alerts]]\nsignal = "memory"\nabove = 1e9\n')
    said = refused(capsys, "prometheus", "--every", "20s", "-C", str(tmp_path))
    assert "DP004" in said
    assert "-  scrape_interval: 17s" in said
    assert "+  scrape_interval: 20s" in said
    assert (rules.read_text(), "17s" in config.read_text()) == (before, True), "all or nothing"
    deployed(tmp_path, "prometheus", "--force")
    assert "17s" not in config.read_text()


def test_what_a_person_changed_stays_while_the_rest_follows_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = deployed(project(tmp_path), "prometheus")
    config, rules = directory / "prometheus.yml", directory / "rules" / "flights-alerts.yml"
    mine = config.read_text().replace("scrape_interval: 15s", "scrape_interval: 17s")
    config.write_text(mine)
    project(tmp_path, '[[alerts]]\nsignal = "memory"\nabove = 1e9\n')
    capsys.readouterr()
    deployed(tmp_path, "prometheus", "--json")
    states = {Path(each["path"]): each["state"] for each in json.loads(capsys.readouterr().out)["files"]}
    assert (states[config], states[rules]) == ("kept", "older")
    assert (config.read_text(), 'signal="memory"' in rules.read_text()) == (mine, True)
    deployed(tmp_path, "prometheus", "--every", "20s", "--force")
    assert "scrape_interval: 20s" in config.read_text()
    config.write_text(mine)  # as git gives it back: seen, and decided
    deployed(tmp_path, "prometheus", "--every", "20s")
    assert config.read_text() == mine


def test_what_nobody_changed_follows_the_project(tmp_path: Path) -> None:
    rules = deployed(project(tmp_path), "prometheus") / "rules" / "flights-alerts.yml"
    assert 'signal="memory"' not in rules.read_text()
    deployed(project(tmp_path, '[[alerts]]\nsignal = "memory"\nabove = 1e9\n'), "prometheus")
    assert 'siklus:signal{job="flights",signal="memory"} > 1000000000' in rules.read_text()


def test_files_from_elsewhere_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = project(tmp_path) / "deploy" / "alertmanager" / "alertmanager.yml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("route: {}\n")
    assert "DP004" in refused(capsys, "alertmanager", "-C", str(tmp_path))
    assert theirs.read_text() == "route: {}\n"
    (theirs.parent / LIST).write_text("no list")
    assert "DP003" in refused(capsys, "alertmanager", "-C", str(tmp_path))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["prometheus", "--target", "model"], "DP001"),
        (["prometheus", "--target", "model:0"], "DP001"),
        (["prometheus", "--target", "model:99999"], "DP001"),
        (["prometheus", "--target", 'a"b:80'], "DP001"),
        (["prometheus", "--target", "a:80\n- b:80"], "DP001"),
        (["prometheus", "--target", "$(id):80"], "DP001"),
        (["prometheus", "--target", "../a:80"], "DP001"),
        (["prometheus", "--alertmanager", "{{x}}:80"], "DP001"),
        (["prometheus", "--key-file", "a\nb"], "DP002"),
        (["prometheus", "--every", "15"], "DP007"),
        (["prometheus", "--every", "1m\nx: 1"], "DP007"),
        (["alertmanager", "--secrets", "a\nb"], "DP002"),
        (["alertmanager", "--group-wait", "soon"], "DP007"),
        (["grafana", "--prometheus", "javascript:alert(1)"], "DP006"),
        (["grafana", "--prometheus", "http://me:secret@host:9090"], "DP006"),
        (["grafana", "--dashboards-at", "a\u2028b"], "DP002"),
    ],
)
def test_what_no_file_may_hold_is_refused(
    words: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path, SECRETS)
    said = refused(capsys, *words, "-C", str(folder))
    assert f"siklus: {code} " in said
    assert "secret" not in said.partition("expected")[0].replace("--secrets", "")
    assert not (folder / "deploy").exists()


@pytest.mark.parametrize(
    ("serve", "target"),
    [
        ('host = "0.0.0.0"\nport = 9000\ninsecure = true', "localhost:9000"),
        ('host = "::1"', "[::1]:8000"),
        ('host = "model.internal"', "model.internal:8000"),
        ("port = 0", None),
        ('uds = "run/server.sock"', None),
    ],
)
def test_where_to_scrape_follows_from_the_project(
    serve: str, target: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path, f"[serve]\n{serve}\n")
    if target is None:
        assert "DP005" in refused(capsys, "prometheus", "-C", str(folder))
    else:
        [job] = configured(deployed(folder, "prometheus") / "prometheus.yml")["scrape_configs"]
        assert job["static_configs"] == [{"targets": [target]}]


def test_keys_and_tls_are_scraped_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls = '[serve]\ntls_certificate = "a.pem"\ntls_key = "b.pem"\n'
    folder = project(tmp_path, tls)
    (folder / ".siklus").mkdir()
    (folder / ".siklus" / "keys.json").write_text("{}")
    deployed(folder, "prometheus")
    assert "siklus keys add prometheus" in capsys.readouterr().err
    config = deployed(folder, "prometheus", "--key-file", "siklus.key") / "prometheus.yml"
    [job] = configured(config)["scrape_configs"]
    assert (job["scheme"], job["authorization"]) == ("https", {"credentials_file": "siklus.key"})


def test_receivers_are_told_without_their_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project(tmp_path, SECRETS)
    config = deployed(folder, "alertmanager", "--secrets", "/run/secrets") / "alertmanager.yml"
    said = capsys.readouterr().err
    found = {each["name"]: each for each in configured(config)["receivers"]}
    assert found.keys() == {"nobody", "flights-ops-mail", "flights-early", "flights-near", "flights-chat"}
    [mail] = found["flights-ops-mail"]["email_configs"]
    assert (mail["from"], mail["smarthost"]) == ("robot@example.com", "mail.example.com:587")
    assert mail["auth_password_file"] == str(folder / "secrets" / "mail")
    assert mail["require_tls"] is True
    [early] = found["flights-early"]["email_configs"]
    assert early["auth_password_file"] == "/run/secrets/early.password"
    assert (early["smarthost"], early["require_tls"]) == ("mail.example.com:465", False), "TLS from the start"
    assert found["flights-near"]["email_configs"][0]["require_tls"] is False
    assert found["flights-chat"]["slack_configs"][0]["api_url_file"] == "/run/secrets/chat.url"
    assert "Put the password of $MAIL_PASSWORD alone into /run/secrets/early.password." in said
    assert "Put the URL of $CHAT_URL alone into /run/secrets/chat.url." in said
    assert "[notify.actions] is left out" in said


def test_who_sends_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project(tmp_path, SECRETS)
    deployed(folder, "alertmanager")
    assert "evaluator" not in capsys.readouterr().err
    file = folder / "siklus.toml"
    file.write_text(file.read_text().replace('evaluator = "prometheus"', 'evaluator = "siklus"'))
    deployed(folder, "alertmanager")
    assert '[monitor] evaluator is "siklus"' in capsys.readouterr().err


def test_grafana_reads_no_variable_into_what_it_is_told(tmp_path: Path) -> None:
    directory = deployed(project(tmp_path), "grafana", "--dashboards-at", "/var/$HOME/${X}")
    provider = configured(directory / "provisioning" / "dashboards" / "siklus.yml")
    assert provider["providers"][0]["options"]["path"] == "/var/$$HOME/$${X}"


def test_the_page_names_all_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert [name for name in DASHBOARDS if f"| {name} |" not in page] == []
    assert [name for name in (SERVER_DOWN, WATCH_SILENT) if f"`{name}`" not in page] == []
    for target in TARGETS:
        assert f"siklus deploy {target}" in page
        main(["deploy", target, "--help"])
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--project", "--help"}
        assert {option for option in options if option not in page} == set(), target


def test_the_package_brings_templates_and_dashboards() -> None:
    folder = files("siklus.deploy")
    for name in DASHBOARDS:
        assert (folder / "watching" / "dashboards" / f"{name}.json").is_file()
    assert (folder / "templates" / "watching" / "prometheus.yml").is_file()


ODD = 'a "b" \\ \' # {{ x }} $(id) `id` ../.. : - \n\t\u2028\x85 \U0001f600 \x07'


def test_quoted_words_come_back_as_they_were() -> None:
    assert yaml.safe_load(f"key: {yaml_text(ODD)} # remark") == {"key": ODD}
    assert "\n" not in yaml_text(ODD)
    assert label_value('a\\"b"\n') == '"a\\\\\\"b\\"\\n"'
    assert plain_in_template("{{{ x }}") == '{{ "{{" }}{ x }}'
