"""The image's health check: what a server says of itself, as an exit code."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from siklus.serve.health import REQUEST, main
from tests.bundle.sealed import sealed
from tests.serve.servers import serving_bundle


@contextmanager
def answering(line: bytes) -> Iterator[int]:
    """The port of a server that answers one request with this line."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1000) == REQUEST
                connection.sendall(line)

        thread = threading.Thread(target=answer)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(timeout=30)


def test_a_server_with_its_model_is_healthy(tmp_path: Path) -> None:
    with serving_bundle(sealed(tmp_path / "bundle")) as server:
        assert main([str(server.port)]) == 0


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 0),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1),
        (b"HTTP/1.1 2000 OK\r\n\r\n", 1),
        (b"", 1),
        (b"SSH-2.0-200\r\n", 1),
    ],
)
def test_only_200_is_healthy(line: bytes, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(line) as port:
        assert main([str(port)]) == code
    assert capsys.readouterr().out.strip() == line.decode().strip()


def test_nobody_there_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert main([str(port)]) == 1
    assert capsys.readouterr().out.startswith("no answer: ")


@pytest.mark.parametrize("words", [["one"], ["1", "2"], ["-1"], [""]])
def test_wrong_words_are_no_answer_about_health(words: list[str]) -> None:
    assert main(words) == 2


def test_a_port_that_cannot_be_is_unhealthy() -> None:
    assert main(["99999999"]) == 1


def test_little_is_loaded_for_it() -> None:
    code = "import sys; import siklus.serve.health; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    loaded = done.stdout.decode().split()
    assert not {"ssl", "asyncio", "numpy", "http.client"} & set(loaded)
