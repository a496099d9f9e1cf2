"""What stands in no manifest: words that would break out of it, passwords, and what no cluster can have."""

import json
import re
from pathlib import Path

import pytest

from siklus.cli.main import main
from tests.deploy.clusters import cluster_project, manifests
from tests.deploy.projects import HEAD

HOSTILE = ["a\nb: c", "a; b", "$(id)", "`id`", "../up", 'a"b', "a'b", "{{ x }}", "${{ x }}", "a\u2028b", ""]


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    assert main(["deploy", "kubernetes", "-C", str(folder), *options]) == 2
    assert not (folder / "deploy").exists(), "nothing is written before all is checked"
    return capsys.readouterr().err


@pytest.mark.parametrize("option", ["--tag", "--ingress-in", "--prometheus-in", "--storage-class"])
@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_option_is_refused(
    option: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "DP030" in refused(capsys, cluster_project(tmp_path), option, word)


@pytest.mark.parametrize("word", HOSTILE[:-1])
@pytest.mark.parametrize(
    ("section", "key"),
    [("deploy", "image"), ("deploy", "namespace"), ("deploy", "url"), ("serve", "feedback_url")],
)
def test_a_hostile_key_is_refused_from_file_and_environment(
    section: str,
    key: str,
    word: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster_project(tmp_path, f"[{section}]\n{key} = {json.dumps(word)}\n")
    assert "PJ00" in refused(capsys, tmp_path)
    cluster_project(tmp_path)
    monkeypatch.setenv(f"SIKLUS_{section.upper()}__{key.upper()}", word)
    assert "PJ00" in refused(capsys, tmp_path)


@pytest.mark.parametrize("key", ["[state]\ntracking_uri", "[monitor]\nprometheus"])
@pytest.mark.parametrize(
    "word",
    [
        "http://a\nb: c",
        "http://a;b",
        "http://$(id)",
        "http://`id`",
        "http://a/../$x",
        "http://{{ x }}",
        "http://a\u2028b",
    ],
)
def test_a_hostile_url_is_refused(
    key: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section, _, name = key.partition("\n")
    head = HEAD if section != "[monitor]" else HEAD.replace("[monitor]\n", "[monitor]\nIT\n")
    line = f"{name} = {json.dumps(word)}"
    text = head.replace("IT", line) if "IT" in head else f"{head}{section}\n{line}\n"
    cluster_project(tmp_path)
    (tmp_path / "siklus.toml").write_text(text)
    assert re.search("DP035|PJ00", refused(capsys, tmp_path))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ('[state]\ncontrol = "postgresql://siklus:hidden@db/siklus"\n', "DP031"),
        ('[state]\ntracking_uri = "http://siklus:hidden@mlflow:5000"\n', "DP031"),
        ('[serve]\nuds = "server.sock"\n', "DP032"),
        ('[serve]\ntls_certificate = "c.pem"\ntls_key = "k.pem"\n', "DP032"),
        ('[serve]\nfeedback_url = "http://flights-loop:8000"\n', "DP032"),
        ('[notify.chat]\nkind = "webhook"\nurl_env = "CHAT URL"\n', "DP034"),
        ('[notify.a__b]\nkind = "webhook"\nurl_file = "u"\n', "DP034"),
        ('[deploy]\nurl = "https://example.com/flights"\n', "DP035"),
        ('[serve]\ntrusted_keys = ["nowhere.pub"]\n', "DP033"),
    ],
)
def test_what_belongs_in_no_manifest_is_refused(
    more: str, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, cluster_project(tmp_path, more))
    assert code in said
    assert "hidden" not in said


def test_without_a_contract_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster_project(tmp_path)
    (tmp_path / "contract.json").unlink()
    assert "contract infer" in refused(capsys, tmp_path)
    (tmp_path / "contract.json").write_text(" " * 1_100_000)
    assert "DP033" in refused(capsys, tmp_path)


def test_a_password_from_the_environment_goes_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIKLUS_STATE__CONTROL", "postgresql://siklus:hidden@db/siklus")
    written = [path.read_text() for path in manifests(tmp_path).rglob("*") if path.is_file()]
    assert len(written) > 20
    assert not any("hidden" in text for text in written)
