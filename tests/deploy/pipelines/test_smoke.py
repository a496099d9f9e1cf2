"""`siklus smoke`: what it takes for a service that was just deployed to pass, and what it says of others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from siklus.cli.main import main
from tests.deploy.pipelines.saying import saying
from tests.deploy.pipelines.sealed import ROWS, sealed_irises, sealed_minutes
from tests.deploy.programs import free_port
from tests.serve.servers import Server, serving_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed_minutes(tmp_path_factory.mktemp("sealed") / "minutes")


@pytest.fixture(scope="module")
def minutes(bundle: Path) -> Iterator[Server]:
    with serving_bundle(bundle, "--version", "7") as server:
        yield server


def looked(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> Any:
    assert main(["smoke", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_golden_rows_come_out_as_sealed(
    minutes: Server, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = looked(
        capsys, f"http://127.0.0.1:{minutes.port}/", "--bundle", str(bundle), "--expect", "7", code=0
    )
    assert (found["passed"], found["version"], found["rows"]) == (True, "7", len(ROWS))
    assert found["farthest"] <= 1e-6, "float32 beside float64"


def test_probabilities_are_compared_class_by_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = sealed_irises(tmp_path / "irises")
    with serving_bundle(sealed) as server:
        found = looked(capsys, f"http://127.0.0.1:{server.port}", "--bundle", str(sealed), code=0)
    assert (found["passed"], found["rows"]) == (True, 1)


def test_another_model_does_not_pass(
    minutes: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = sealed_irises(tmp_path / "irises")
    url = f"http://127.0.0.1:{minutes.port}"
    assert "RW" in looked(capsys, url, "--bundle", str(other), "--timeout", "0", code=1)["why"]


def test_answers_that_differ_are_told(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = json.loads((bundle / "golden.json").read_text())
    values = [row[0] for row in golden["outputs"]]
    answers = {"/ready": (200, {}), "/predict/batch": (200, {"predictions": values, "version": "3"})}
    with saying(answers) as url:
        assert looked(capsys, url, "--bundle", str(bundle), code=0)["farthest"] == 0.0
    values[1] += 0.25
    with saying(answers) as url:
        found = looked(capsys, url, "--bundle", str(bundle), "--timeout", "0", code=1)
    assert "version 3: golden row 1 came out as" in found["why"]


def test_the_version_that_must_answer(minutes: Server, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{minutes.port}"
    assert looked(capsys, url, "--health", "--expect", "7", code=0)["version"] == "7"
    found = looked(capsys, url, "--health", "--expect", "8", "--timeout", "0.6", code=1)
    assert found["why"] == "version 7 answers, and not 8"
    assert found["seconds"] >= 0.5, "it was asked again: a new version takes a moment to be taken over"


def test_nobody_there_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert "refused" in looked(capsys, url, "--health", "--timeout", "0", code=1)["why"]


@pytest.mark.parametrize(
    ("ready", "told"),
    [
        ((503, {"error": "loading"}), "answered 503"),
        ((302, "http://127.0.0.1:1/elsewhere"), "answered 302"),
        ((401, {"error": "no key"}), "answered 401"),
    ],
)
def test_what_is_not_ready_is_told(
    ready: tuple[int, object], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with saying({"/ready": ready}) as url:
        assert told in looked(capsys, url, "--health", "--timeout", "0", code=1)["why"]


def test_a_refused_key_ends_the_waiting_and_how_one_goes_along_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with saying({"/ready": (401, {})}) as url:
        found = looked(capsys, url, "--health", "--timeout", "300", code=1)
    assert found["seconds"] < 200
    assert "--key-file" in found["why"]


def test_something_else_that_answers_is_no_server_of_ours(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with saying({"/ready": (200, {}), "/predict/batch": (200, ["a page"])}) as url:
        found = looked(capsys, url, "--bundle", str(bundle), "--timeout", "0", code=1)
    assert "is that a server of Siklus?" in found["why"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x", "http://me:secret@host", "http://a b", "http://a\n", "$(id)"]
)
def test_what_is_no_url_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smoke", url, "--health"]) == 2
    assert "DP040" in capsys.readouterr().err


def test_a_key_file_holds_one_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("", "two words", "a\nb", "ключ"):
        (tmp_path / "key").write_text(content)
        assert main(["smoke", "http://h", "--health", "--key-file", str(tmp_path / "key")]) == 2
        assert "DP041" in capsys.readouterr().err


def test_without_a_project_only_readiness_counts(
    minutes: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = looked(capsys, f"http://127.0.0.1:{minutes.port}", "-C", str(tmp_path), code=0)
    assert (found["passed"], found["rows"]) == (True, 0)
