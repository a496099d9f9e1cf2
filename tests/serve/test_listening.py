"""Where a server listens: a Unix socket, TLS, and what it does with files that are in the way."""

import signal
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from siklus.serve.__main__ import main
from tests.serve.bundles import regressor
from tests.serve.servers import START_SECONDS, events, start

ASKED = {"features": [8, 9]}


@contextmanager
def listening(bundle: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server's process and where it says that it listens."""
    process = start("-m", "siklus.serve", "--bundle", str(bundle), "--port", "0", *options)
    assert process.stderr is not None
    try:
        [first] = events(process.stderr.readline())
        yield first["url"], process
    finally:
        process.terminate()
        process.communicate(timeout=START_SECONDS)


def first_answer(client: httpx.Client, base: str) -> httpx.Response:
    while client.get(f"{base}/ready").status_code != 200:
        pass
    return client.post(f"{base}/predict", json=ASKED)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_unix_socket_is_for_owner_and_group_and_goes_with_the_server(workers: str, tmp_path: Path) -> None:
    path = tmp_path / "siklus.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))  # as a server leaves it that was killed
    with listening(regressor(tmp_path / "b"), "--uds", str(path), "--workers", workers) as (url, _):
        assert url == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=START_SECONDS) as client:
            assert first_answer(client, "http://here").json()["prediction"] == 5.0
    assert not path.exists()


def test_a_unix_socket_stays_when_a_worker_alone_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "siklus.sock"
    with listening(regressor(tmp_path / "b"), "--uds", str(path)) as (_, process):
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=START_SECONDS) as client:
            first_answer(client, "http://here")
        [victim] = psutil.Process(process.pid).children()
        victim.terminate()
        psutil.wait_procs([victim], timeout=START_SECONDS)
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=START_SECONDS) as client:
            assert first_answer(client, "http://here").json()["prediction"] == 5.0
    assert not path.exists()


def test_a_server_takes_all_descriptors_it_is_granted_and_says_where_they_are_few(tmp_path: Path) -> None:
    limits = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1000));"
    server = "sys.argv = ['siklus', *sys.argv[1:]]; runpy.run_module('siklus.serve', run_name='__main__')"
    process = start("-c", limits + server, "--bundle", str(regressor(tmp_path / "b")), "--port", "0")
    assert process.stderr is not None
    said = [events(process.stderr.readline())[0] for _ in range(4)]
    [worker] = psutil.Process(process.pid).children()
    assert worker.rlimit(psutil.RLIMIT_NOFILE) == (1000, 1000)
    process.terminate()
    process.communicate(timeout=START_SECONDS)
    [few] = [event for event in said if event["event"] == "descriptors_few"]
    assert (few["granted"], few["needed"] > 2048) == (1000, True)


def test_every_question_for_readiness_is_answered_with_no_in_a_drain(tmp_path: Path) -> None:
    paths = ("/ready", "/v2/health/ready", "/ping")
    with listening(regressor(tmp_path / "b")) as (url, process), ExitStack() as clients:
        for path in paths:
            client = clients.enter_context(httpx.Client(timeout=START_SECONDS))
            first_answer(client, url)
            assert client.get(f"{url}{path}").status_code == 200
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        asked = [clients.enter_context(socket.create_connection(address, timeout=5)) for _ in paths]
        for path, each in zip(paths, asked, strict=True):
            each.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode())
        time.sleep(0.1)
        process.terminate()
        time.sleep(0.3)  # in which the worker learns of it, and waits for what has begun
        for each in asked:
            each.sendall(b"\r\n")
        answers = [each.makefile("rb").read() for each in asked]
    assert [answer.split()[1] for answer in answers] == [b"503"] * 3
    assert all(b"SV006" in answer for answer in answers)


def test_a_path_that_somebody_has_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, path, file = regressor(tmp_path / "b"), tmp_path / "taken.sock", tmp_path / "file"
    file.write_text("mine")
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(path))
        taken.listen()
        for there in (path, file, tmp_path / "no folder" / "x.sock"):
            assert main(["--bundle", str(bundle), "--uds", str(there)]) == 2
            assert "SV003" in capsys.readouterr().err
        assert path.exists()
    assert file.read_text() == "mine"


def test_a_second_server_does_not_share_the_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = regressor(tmp_path / "b")
    with listening(bundle, "--workers", "2") as (url, _):
        port = url.rpartition(":")[2]
        assert main(["--bundle", str(bundle), "--workers", "2", "--port", port]) == 2
        assert "SV003" in capsys.readouterr().err


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    return certified(folder / "cert.pem", folder / "key.pem")


def certified(certificate: Path, key: Path) -> tuple[Path, Path]:
    asked = ["-subj", "/CN=siklus", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *kind, *asked, *files], check=True, capture_output=True)
    return certificate, key


def test_https_is_spoken_with_a_certificate_and_nothing_else(
    papers: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate, key = papers
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with listening(regressor(tmp_path / "b"), *options) as (url, process):
        assert url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(verify=trusted, timeout=START_SECONDS) as client:
            assert first_answer(client, url).json()["prediction"] == 5.0
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https", "http"))
        process.terminate()
        said = process.communicate(timeout=START_SECONDS)[1]
    assert [event for event in events(said) if event["level"] == "error"] == []


def test_who_never_begins_to_speak_tls_is_hung_up_on(papers: tuple[Path, Path], tmp_path: Path) -> None:
    options = ["--tls-certificate", str(papers[0]), "--tls-key", str(papers[1]), "--header-seconds", "1"]
    with listening(regressor(tmp_path / "b"), *options) as (url, _):
        with httpx.Client(verify=ssl.create_default_context(cafile=str(papers[0]))) as client:
            first_answer(client, url)
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20) as silent:
            began = time.monotonic()
            assert silent.recv(1) == b""
    assert 0.5 < time.monotonic() - began < 20  # a minute, where nobody says otherwise


def test_a_renewed_certificate_is_spoken_with_after_a_hangup(tmp_path: Path) -> None:
    certificate, key = certified(tmp_path / "cert.pem", tmp_path / "key.pem")
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with listening(regressor(tmp_path / "b"), *options) as (url, process):
        with httpx.Client(verify=ssl.create_default_context(cafile=str(certificate))) as client:
            first_answer(client, url)
        certificate.write_text("no certificate")
        process.send_signal(signal.SIGHUP)  # nothing sound to read: the former one stays
        certified(certificate, key)
        renewed = certificate.read_text()
        process.send_signal(signal.SIGHUP)
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        deadline = time.monotonic() + START_SECONDS
        while ssl.get_server_certificate(address).split() != renewed.split():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tls-certificate", "{certificate}"], "both"),
        (["--tls-certificate", "{certificate}", "--tls-key", "{folder}/none.pem"], "no such file"),
        (["--tls-certificate", "{certificate}", "--tls-key", "{certificate}"], "PEM"),
        (["--tls-certificate", "{certificate}", "--tls-key", "{other}"], "belongs"),
        (["--tls-certificate", "{certificate}", "--tls-key", "{locked}"], "password"),
    ],
)
def test_tls_files_that_do_not_fit_are_told_at_once(
    options: list[str],
    told: str,
    papers: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    certificate, key = papers
    _, other = certified(tmp_path / "other-cert.pem", tmp_path / "other-key.pem")
    locked = tmp_path / "locked.pem"
    locking = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", "pass:secret"]
    subprocess.run(locking, check=True, capture_output=True)
    places = {"certificate": certificate, "folder": tmp_path, "other": other, "locked": locked}
    words = [option.format(**places) for option in options]
    assert main(["--bundle", str(regressor(tmp_path / "b")), "--port", "0", *words]) == 2
    said = capsys.readouterr().err
    assert "SV012" in said
    assert told in said
