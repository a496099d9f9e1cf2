"""Limits: a body is cut off while it streams, whatever it promised, and a batch has a longest length."""

import json
import socket

import psutil
import pytest

from tests.serve.conftest import FEW_ROWS, SMALL_BODY
from tests.serve.servers import Server

MUCH_LARGER = 2000 * SMALL_BODY


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send pieces over one raw connection, and read until the server closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def post(*headers: bytes) -> bytes:
    lines = [
        b"POST /predict HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Type: application/json",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def test_a_body_that_says_it_is_too_large_is_refused(minutes: Server) -> None:
    response = minutes.client.post("/predict", content=b" " * (SMALL_BODY + 1))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "RQ008")


def test_a_body_of_the_largest_size_is_read(minutes: Server) -> None:
    body = b'{"features": [8, 9]}'.ljust(SMALL_BODY)
    assert minutes.client.post("/predict", content=body).json()["prediction"] == 5.0


def test_a_body_that_does_not_say_its_size_is_counted(minutes: Server) -> None:
    pieces = [chunk(b" " * 4096)] * (SMALL_BODY // 4096 + 1)
    answer = exchange(minutes.port, post(b"Transfer-Encoding: chunked"), *pieces, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"RQ008"' in answer


def test_a_chunked_body_within_the_limit_is_read(minutes: Server) -> None:
    pieces = [chunk(bytes([byte])) for byte in b'{"features": [8, 9]}']
    answer = exchange(minutes.port, post(b"Transfer-Encoding: chunked"), *pieces, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_an_endless_body_is_answered_and_kept_nowhere(minutes: Server) -> None:
    [memory] = psutil.Process(minutes.process.pid).children()
    before = memory.memory_info().rss
    with socket.create_connection(("127.0.0.1", minutes.port), timeout=20) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MUCH_LARGER // 1_000_000):
            connection.sendall(chunk(b" " * 1_000_000))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert memory.memory_info().rss - before < MUCH_LARGER / 4


def test_a_body_that_breaks_off_harms_nobody(minutes: Server) -> None:
    with socket.create_connection(("127.0.0.1", minutes.port), timeout=20) as connection:
        connection.sendall(post(b"Content-Length: 100") + b'{"features":')
    assert minutes.predict([8, 9])["prediction"] == 5.0


@pytest.mark.parametrize(("rows", "status"), [(FEW_ROWS, 200), (FEW_ROWS + 1, 413)])
def test_a_batch_has_a_longest_length(rows: int, status: int, minutes: Server) -> None:
    body = json.dumps({"instances": [[8, 9]] * rows})
    response = minutes.client.post("/predict/batch", content=body)
    assert response.status_code == status
    if status == 413:
        assert response.json()["error"]["code"] == "RQ007"


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\nHELLO\r\n\r\n"]
)
def test_what_is_no_http_is_told_so_without_internals(garbage: bytes, minutes: Server) -> None:
    answer = exchange(minutes.port, garbage)
    assert b" 400 " in answer.splitlines()[0]
    assert b"Traceback" not in answer
