"""The files of images: as they were read and found good, sound for hadolint, and nothing hostile in them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from siklus.bundle.manifest import FILE_NAME, Manifest
from siklus.bundle.read import read_manifest, verify
from siklus.bundle.signatures import SIGNATURE_FILE
from siklus.bundle.write import digest_of
from siklus.cli.main import main
from siklus.deploy.images.locks import loop_lock, serve_lock
from tests.bundle.sealed import LATE, NOW, sealed
from tests.deploy.golden_docker import GOLDEN, MORE, PLAIN, WHEEL, docker_project, rendered, written

HOSTILE = (
    "a\nRUN id", "a; id", "a && id", "$(id)", "`id`", "../up", "/up", "--from=build", 'a"b', "a'b", "a b",
    "a\\", "{{ x }}", "${{ x }}", "a\u2028b", "a/../../up", "#", "[x]", "",
)  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    bundle = ["--bundle", str(folder / "made")]
    assert main(["deploy", "docker", "-C", str(folder), *bundle, *options]) == 2
    assert not (folder / "deploy" / "docker").exists(), "nothing is written of what is refused"
    return capsys.readouterr().err


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))


def manifest(**more: Any) -> Manifest:
    words: dict[str, Any] = {"model": "onnx", **more}
    return Manifest(format=1, name="flights", task="regression", created=NOW, files={}, **words)


def test_the_files_are_those_that_were_read_and_found_good(tmp_path: Path) -> None:
    """After a wanted change: `python -m tests.deploy.golden_docker`, and read the difference."""
    found = rendered(tmp_path)
    golden = {
        path.relative_to(GOLDEN).as_posix(): path.read_text() for path in GOLDEN.rglob("*") if path.is_file()
    }
    assert found.keys() == golden.keys()
    for name, text in found.items():
        assert text == golden[name], name


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    files = sorted(str(path) for path in GOLDEN.rglob("*Dockerfile"))
    assert len(files) == 4
    done = subprocess.run([hadolint, *files], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_bundle_lies_beside_as_it_was_sealed_for_any_user_to_read(tmp_path: Path) -> None:
    folder = docker_project(tmp_path)
    (folder / "made" / "model.onnx").chmod(0o600)
    bundle = written(folder) / "bundle"
    verify(bundle, read_manifest(bundle))
    assert digest_of(bundle) == digest_of(folder / "made")
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in bundle.rglob("*"))


def test_a_damaged_bundle_is_not_put_into_an_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = docker_project(tmp_path)
    with (folder / "made" / "model.onnx").open("ab") as model:
        model.write(b"x")
    assert "BN005" in refused(capsys, folder)


def test_a_bundle_that_its_server_would_refuse_is_not_put_into_an_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = docker_project(tmp_path, MORE)
    (folder / "made" / SIGNATURE_FILE).unlink()
    assert "BN015" in refused(capsys, folder)
    assert "BN015" in refused(capsys, folder, "--bundle-only")


def test_another_version_goes_into_files_that_a_person_has_changed(tmp_path: Path) -> None:
    folder = docker_project(tmp_path)
    dockerfile = written(folder) / "Dockerfile"
    theirs = dockerfile.read_text().replace("EXPOSE 8000", "EXPOSE 8000 9000")
    dockerfile.write_text(theirs)
    shutil.rmtree(folder / "made")
    sealed(folder / "made", LATE, card="# another\n")
    written(folder, "--bundle-only")
    digest = digest_of(folder / "made")
    assert digest_of(folder / "deploy/docker/bundle") == digest
    text = dockerfile.read_text()
    assert text.count(f"ARG BUNDLE_DIGEST={digest}\n") == 2
    assert f"ARG VERSION={digest[:12]}\n" in text
    assert [line for line in text.splitlines() if not line.startswith("ARG ")] == [
        line for line in theirs.splitlines() if not line.startswith("ARG ")
    ]
    assert main(["deploy", "docker", "-C", str(folder), "--bundle", str(folder / "made")]) == 2, (
        "still theirs"
    )


def test_a_changed_file_names_the_version_beside_it_after_the_way_back_too(tmp_path: Path) -> None:
    folder = docker_project(tmp_path)
    dockerfile = written(folder) / "Dockerfile"
    first = folder / "first"
    (folder / "made").rename(first)
    dockerfile.write_text(dockerfile.read_text().replace("EXPOSE 8000", "EXPOSE 8000 9000"))
    sealed(folder / "made", LATE, card="# another\n")
    written(folder, "--bundle-only")
    assert main(["deploy", "docker", "-C", str(folder), "--bundle", str(first)]) == 0
    text = dockerfile.read_text()
    assert "EXPOSE 8000 9000" in text
    assert digest_of(folder / "deploy/docker/bundle") == digest_of(first)
    assert text.count(f"ARG BUNDLE_DIGEST={digest_of(first)}\n") == 2


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = docker_project(tmp_path)
    kept = folder / "deploy" / "docker" / "bundle" / "notes.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    assert main(["deploy", "docker", "-C", str(folder), "--bundle", str(folder / "made")]) == 2
    assert "DP013" in capsys.readouterr().err
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("key", ["image", "base", "siklus"])
def test_a_hostile_key_is_refused(
    key: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refused(capsys, docker_project(tmp_path / "file", f"[deploy]\n{key} = {json.dumps(word)}\n"))
    assert re.search("PJ00[0-9]|DP01[0-9]", said)
    if word:  # an empty variable overrides nothing
        monkeypatch.setenv(f"SIKLUS_DEPLOY__{key.upper()}", word)
        assert "PJ00" in refused(capsys, docker_project(tmp_path / "environment"))


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("key", ["trusted_keys", "contract"])
def test_a_hostile_path_is_refused(
    key: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = docker_project(tmp_path)
    text = (folder / "siklus.toml").read_text()
    (folder / "siklus.toml").write_text(
        text + f"[serve]\ntrusted_keys = [{json.dumps(word)}]\n"
        if key == "trusted_keys"
        else text.replace('target = "late"', f'target = "late"\ncontract = {json.dumps(word)}')
    )
    assert re.search("PJ00[0-9]|DP012", refused(capsys, folder))


@pytest.mark.parametrize("word", ["../out", "/out", "a b", "a;b", "a\nb", "$(id)"])
def test_a_folder_that_no_build_sees_is_refused(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = docker_project(tmp_path / "project")
    place = Path(word) if word.startswith("/") else folder / word
    assert "DP012" in refused(capsys, folder, "--to", str(place))


def test_rows_go_along_only_as_a_file_of_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = docker_project(tmp_path)
    for path in ("*.csv", str(tmp_path / "flights.csv")):
        text = (folder / "siklus.toml").read_text()
        (folder / "siklus.toml").write_text(re.sub("(?m)^path = .*", f'path = "{path}"', text))
        assert "DP012" in refused(capsys, folder, "--with-data")


def test_rows_beside_the_project_are_mounted_where_siklus_toml_finds_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `siklus init shop --data flights.csv` writes it."""
    folder = docker_project(tmp_path / "shop")
    text = (folder / "siklus.toml").read_text()
    (folder / "siklus.toml").write_text(text.replace('"flights.csv"', '"../flights.csv"'))
    assert "DP012" in refused(capsys, folder, "--with-data")
    dockerfile = (written(folder) / "loop.Dockerfile").read_text()
    assert "mount ../flights.csv at /srv/flights.csv." in capsys.readouterr().err
    assert "flights.csv" not in dockerfile


def test_a_checkout_says_how_to_make_a_wheel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, docker_project(tmp_path, ""))
    assert "DP010" in said
    assert "pip wheel --no-deps" in said


def test_a_wheel_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = docker_project(tmp_path)
    (folder / WHEEL).unlink()
    assert "DP011" in refused(capsys, folder)


def test_a_server_gets_what_its_model_needs_and_no_more() -> None:
    plain = names(serve_lock(manifest(), signatures=False))
    assert {"onnxruntime", "numpy", "fastapi", "uvicorn"} <= plain
    assert not {"cryptography", "protobuf", "scikit-learn", "pandas"} & plain
    assert names(serve_lock(manifest(), signatures=True)) - plain == {"cryptography", "cffi", "pycparser"}
    skops = names(serve_lock(manifest(model="skops", takes="frame"), signatures=False))
    assert {"skops", "scikit-learn", "scipy", "pandas"} <= skops
    assert "xgboost-cpu" in names(serve_lock(manifest(model="xgboost"), signatures=False))
    assert "lightgbm" in names(serve_lock(manifest(model="lightgbm"), signatures=False))


def test_the_loop_gets_the_libraries_of_its_candidates() -> None:
    plain = names(loop_lock(("linear", "random-forest")))
    assert {"mlflow-skinny", "psycopg", "scikit-learn"} <= plain
    assert names(loop_lock(("linear", "xgboost", "lightgbm"))) - plain == {"xgboost-cpu", "lightgbm"}


def test_a_lock_holds_each_requirement_with_all_its_hashes() -> None:
    lock = serve_lock(manifest(), signatures=True)
    blocks = re.split(r"(?m)^(?=[a-z])", lock)[1:]
    assert blocks
    for block in blocks:
        first, *hashes = block.rstrip("\n").splitlines()
        assert "==" in first
        assert hashes
        assert all(line.startswith("    --hash=sha256:") for line in hashes)
        assert not block.rstrip("\n").endswith("\\")


def test_a_project_as_it_is_told_of(tmp_path: Path) -> None:
    dockerfile = (written(docker_project(tmp_path, MORE)) / "loop.Dockerfile").read_text()
    assert "flights.csv ./" not in dockerfile
    assert "mount them at /srv/project/flights.csv" in dockerfile
    assert PLAIN not in dockerfile


def test_one_version_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = docker_project(tmp_path)
    words = ["deploy", "docker", "-C", str(folder), "--bundle", str(folder / "made"), "--version", "3"]
    assert main(words) == 2
    assert "one of --version and --bundle" in capsys.readouterr().err


def test_a_build_ends_at_a_bundle_that_the_dockerfile_does_not_name(tmp_path: Path) -> None:
    bundle = sealed(tmp_path / "made", LATE)
    right, wrong = (_rehearsed(bundle, digest) for digest in (digest_of(bundle), "0" * 64))
    assert (right.returncode, right.stdout) == (0, "flights: its golden rows come out as sealed\n")
    assert wrong.returncode == 1
    assert "BN005" in wrong.stderr
    (bundle / FILE_NAME).unlink()
    assert "BN001" in _rehearsed(bundle, "0" * 64).stderr


def _rehearsed(bundle: Path, digest: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "siklus.deploy.images.rehearsal", str(bundle), digest]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ)
    )
