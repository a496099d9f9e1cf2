"""The stack's files: as they were read and found good, drawn once, and nothing hostile in them."""

import re
import shutil
import stat
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from siklus.cli.main import main
from siklus.deploy.stack.images import IMAGES, MLFLOW, PSYCOPG
from siklus.deploy.stack.secrets import OWN
from tests.architecture.source import SRC
from tests.deploy.golden_compose import GOLDEN, MORE, rendered, text_of
from tests.deploy.projects import deployed, project

# What breaks out of YAML, of a shell, of Compose's variables, of a mount's words, and of a line.
HOSTILE = (
    "a\nb", "a;b", "$(touch x)", "`touch x`", "../../etc", 'a"b', "a'b", "{{ a }}", "${{ a }}", "a\u2028b",
    "a:b c",
)  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rendered(tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module")
def stack(files: Path) -> Any:
    return yaml.safe_load((files / "compose.yaml").read_text())


def test_files_are_as_they_were_read(files: Path) -> None:
    golden = text_of(GOLDEN)
    found = text_of(files)
    assert found.keys() == golden.keys()
    for name in golden:
        assert found[name] == golden[name], f"{name}: read it, then `python -m tests.deploy.golden_compose`"


def test_compose_itself_knows_every_word(files: Path) -> None:
    words = [
        str(Path(sys.executable).parent / "check-jsonschema"),
        "--builtin-schema",
        "vendor.compose-spec",
        str(files / "compose.yaml"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_one_that_hadolint_finds_nothing_in(files: Path) -> None:
    hadolint = shutil.which("hadolint") or str(Path(sys.executable).parent / "hadolint")
    words = [hadolint, "--failure-threshold", "info", str(files / "mlflow.Dockerfile")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_container_is_held_and_only_the_machine_reaches_what_is_published(stack: Any) -> None:
    for name, service in stack["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert {"mem_limit", "cpus", "networks"} <= service.keys(), name
        assert not service.get("privileged"), name
        for port in service.get("ports", []):
            assert re.match(r"127\.0\.0\.1:|\$\{API:-127\.0\.0\.1:", port), name
        # A port that is published, or a call to elsewhere, needs a network that leads out; nobody else is in.
        if "ports" not in service and name != "loop":
            assert "outside" not in service["networks"], name
    assert {name for name, network in stack["networks"].items() if not network} == {"outside"}
    own_checks = {"api", "node-exporter", "cadvisor"}  # their images bring a check, or need none
    assert {name for name, service in stack["services"].items() if "healthcheck" not in service} == own_checks


def test_every_image_has_a_version(stack: Any) -> None:
    for image in (getattr(IMAGES, name) for name in IMAGES.__struct_fields__):
        assert "latest" not in image
        assert re.search(r"\d+\.\d+", image)


def test_the_loop_and_mlflow_speak_the_same_versions() -> None:
    lock = (SRC / "siklus" / "deploy" / "images" / "requirements-loop.lock").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)", lock, flags=re.MULTILINE))
    assert (pinned["mlflow-skinny"], pinned["psycopg"]) == (MLFLOW, PSYCOPG)


def test_passwords_are_drawn_once_and_nobody_else_of_the_machine_sees_them(tmp_path: Path) -> None:
    files = rendered(tmp_path)
    folder = files / "secrets"
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(first) == set(OWN)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "/secrets/" in (files / ".gitignore").read_text().splitlines()
    assert f"password={first['postgres_password']}" in first["pg_service"].splitlines()
    assert len({first[name] for name in ("postgres_password", "grafana_password", "prometheus_key")}) == 3
    drafted = "".join(text_of(files).values())
    assert not [name for name, text in first.items() if text.strip() in drafted]
    (folder / "pg_service").unlink()
    (files / ".env").write_text("TAG=mine\n")
    deployed(tmp_path / "flights", "compose")
    again = {path.name: path.read_text() for path in folder.iterdir()}
    assert again == first  # the one that was missing is of the same password
    assert (files / ".env").read_text() == "TAG=mine\n"


def test_what_siklus_toml_says_of_the_server_is_said_to_the_replicas(stack: Any) -> None:
    assert stack["services"]["api"]["command"] == [
        "--state=/srv/state",
        "--run=/run/siklus",
        "--host=0.0.0.0",
        "--port=8000",
        "--insecure=true",
        "--workers=2",
        "--grace-seconds=20.0",
        "--max-body-bytes=1000000",
        "--trusted-keys=/srv/trusted/release.pub",
    ]
    assert stack["services"]["api"]["stop_grace_period"] == "30s"


def test_receivers_find_their_passwords(files: Path, stack: Any) -> None:
    loop, sender = stack["services"]["loop"], stack["services"]["alertmanager"]
    mounted = "../../ops/mail.password:/srv/project/ops/mail.password:ro"
    assert mounted in loop["volumes"]
    assert mounted in sender["volumes"]
    assert loop["environment"]["CHAT_URL"] == "${CHAT_URL:-}"
    assert sender["secrets"] == ["chat.url"]
    text = (files / "alertmanager" / "alertmanager.yml").read_text()
    assert 'auth_password_file: "/srv/project/ops/mail.password"' in text
    assert 'api_url_file: "/run/secrets/chat.url"' in text


def test_the_loop_alone_finds_what_it_signs_with(stack: Any) -> None:
    mounted = {
        "/etc/siklus/release:/etc/siklus/release:ro",
        "../../ops/release.password:/srv/project/ops/release.password:ro",
    }
    holders = {name for name, each in stack["services"].items() if mounted & set(each.get("volumes", ()))}
    assert holders == {"loop"}
    assert mounted <= set(stack["services"]["loop"]["volumes"])


def test_the_loop_knows_the_keys_that_servers_trust(stack: Any) -> None:
    """It offers them no version that they would refuse."""
    assert "--trusted-keys=/srv/trusted/release.pub" in stack["services"]["api"]["command"]
    assert "../../keys/release.pub:/srv/project/keys/release.pub:ro" in stack["services"]["loop"]["volumes"]


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["deploy", "compose", "--project", str(folder), *words]) == 2
    assert not (folder / "deploy").exists()
    return capsys.readouterr().err


KEYS = ("project.name", "deploy.image", "deploy.base", "data.path", "notify.ops.password_file")
OUTSIDE = ("data.path", "../../etc")  # not refused, but mounted by a person


@pytest.mark.parametrize(("key", "word"), [pair for pair in product(KEYS, HOSTILE) if pair != OUTSIDE])
def test_no_key_breaks_out_of_its_place(
    key: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section, _, name = key.rpartition(".")
    text = tomllib.loads(
        '[project]\nname="flights"\ntask="classification"\n[data]\npath="flights.csv"\ntarget="late"\n'
        '[deploy]\n[notify.ops]\nkind="mail"\nto=["a@example.com"]\nsmtp="smtp://b@example.com"\npassword_file="p"\n'
    )
    table = text
    for step in section.split("."):
        table = table[step]
    table[name] = word
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "siklus.toml").write_text(written(text))
    assert re.search(r"siklus: (PJ|DP)\d{3} ", refused(folder, capsys))


def test_rows_beside_the_project_are_left_to_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project(tmp_path / "p")
    text = (folder / "siklus.toml").read_text()
    (folder / "siklus.toml").write_text(text.replace('"flights.csv"', '"../flights.csv"'))
    files = deployed(folder, "compose")
    assert "mount ../flights.csv at /srv/flights.csv." in capsys.readouterr().err
    assert "flights.csv" not in (files / "compose.yaml").read_text()


def written(tables: Any, prefix: str = "") -> str:
    lines, inner = [], []
    for key, value in tables.items():
        if isinstance(value, dict):
            inner.append(f"[{prefix}{key}]\n{written(value, f'{prefix}{key}.')}")
        else:
            text = [f'"{each}"' for each in value] if isinstance(value, list) else quoted(value)
            lines.append(f"{key} = [{', '.join(text)}]" if isinstance(value, list) else f"{key} = {text}")
    return "\n".join([*lines, *inner, ""])


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("option", ["--every", "--group-wait", "--group-interval"])
def test_no_flag_breaks_out_of_its_place(
    option: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "DP007" in refused(project(tmp_path / "p", MORE), capsys, option, word)


@pytest.mark.parametrize("more", ['uds = "s.sock"', 'tls_certificate = "c.pem"\ntls_key = "k.pem"'])
def test_a_server_that_speaks_no_plain_http_is_refused(
    more: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "DP020" in refused(project(tmp_path / "p", f"\n[serve]\n{more}\n"), capsys)


def test_a_variable_with_an_odd_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = '\n[notify.chat]\nkind = "webhook"\nurl_env = "A-B: c"\n'
    assert re.search(r"DP022|PJ\d{3}", refused(project(tmp_path / "p", more), capsys))


def test_a_folder_outside_the_project_cannot_be_built_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "DP012" in refused(
        project(tmp_path / "p", MORE), capsys, "--to", str(tmp_path / "elsewhere" / "compose")
    )


def test_a_password_that_nobody_can_read_is_not_guessed_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = rendered(tmp_path)
    for name, content in (("postgres_password", "two words"), ("s3", "{}")):
        path = files / "secrets" / name
        before = path.read_text()
        path.write_text(content)
        (files / "secrets" / "pg_service").unlink(missing_ok=True)
        assert main(["deploy", "compose", "--project", str(tmp_path / "flights")]) == 2
        assert "DP023" in capsys.readouterr().err
        path.write_text(before)
