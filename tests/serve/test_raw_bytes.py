"""Bytes that no client library would send: each is refused, in JSON where that can be, and costs nothing."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.figures import Figure
from tests.serve.bundles import regressor
from tests.serve.servers import Server, serving_bundle
from tests.serve.wire import Answer, exchange, features, read_answer, request

GROWTH_BYTES = 50_000_000
SOUND = request(features(3, 3))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with deadlines that a test can wait for."""
    bundle = regressor(tmp_path_factory.mktemp("bundles") / "minutes")
    deadlines = ["--header-seconds", "1", "--body-seconds", "1", "--idle-seconds", "1.5"]
    with serving_bundle(bundle, *deadlines, "--max-connections", "1600") as server:
        yield server


def body(text: bytes) -> bytes:
    return request(b'{"features": ' + text + b"}")


# What has to come, by status (None: the connection just ends).
CHUNKED = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
UPGRADE = ("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13")
CORPUS: dict[str, tuple[bytes, tuple[int | None, ...]]] = {
    "NaN": (body(b"[NaN, 1]"), (422,)),
    "infinity": (body(b"[1, -Infinity]"), (422,)),
    "beyond float64": (body(b"[1e999, 1]"), (422,)),
    "beyond float32": (body(b"[1e39, 1]"), (422,)),
    "a million digits": (body(b"[" + b"1" * 1_000_000 + b", 1]"), (422,)),
    "100,000 brackets": (body(b"[" * 100_000), (400,)),
    "100,000 brackets, closed": (body(b"[" * 100_000 + b"]" * 100_000), (400, 422)),
    "100,000 objects": (body(b'{"a":' * 100_000), (400,)),
    "bad UTF-8 in a key": (request(b'{"feat\xffures": [1, 1]}'), (400,)),
    "bad UTF-8 in a word": (body(b'["\xc3\x28", 1]'), (400, 422)),
    "half a surrogate pair": (body(b'["\\ud800", 1]'), (400, 422)),
    "a byte order mark": (request(b"\xef\xbb\xbf" + features(3, 3)), (400,)),
    "UTF-16": (request(features(3, 3).decode().encode("utf-16")), (400,)),
    "NUL bytes": (body(b"[1, \x00]"), (400,)),
    "an empty body": (request(b""), (400,)),
    "two documents": (request(features(3, 3) * 2), (400,)),
    "a key twice": (request(b'{"features": [1], "features": [3, 3]}'), (200,)),
    "gzip": (request(gzip.compress(bytes(50_000_000)), "content-encoding: gzip"), (415,)),
    "form data": (SOUND.replace(b"application/json", b"multipart/form-data"), (415,)),
    "10,000 headers": (request(features(3, 3), *(f"x-{i}: {i}" for i in range(10_000))), (431,)),
    "a header of 1 MB": (request(features(3, 3), "x: " + "y" * 1_000_000), (431,)),
    "a path of 1 MB": (request(features(3, 3), path="/" + "y" * 1_000_000), (431,)),
    "two lengths": (request(features(3, 3), "content-length: 3"), (400,)),
    "two equal lengths": (request(features(3, 3), f"content-length: {len(features(3, 3))}"), (400,)),
    "length and chunks": (request(features(3, 3), "transfer-encoding: chunked"), (400,)),
    "chunks spelt otherwise": (request(features(3, 3), "transfer-encoding: xchunked"), (400,)),
    "chunks after a space": (request(features(3, 3), "transfer-encoding : chunked"), (400,)),
    "a folded header": (request(features(3, 3), "x: a\r\n b"), (400,)),
    "a header without a name": (request(features(3, 3), ": a"), (400,)),
    "a header without a colon": (request(features(3, 3), "nonsense"), (400,)),
    "NUL in a header": (request(features(3, 3), "x: a\0b"), (400,)),
    "a lone line feed in a header": (request(features(3, 3), "x: a\ny: b"), (200, 400)),
    "a negative length": (SOUND.replace(b"content-length: ", b"content-length: -"), (400,)),
    "a length with a plus": (SOUND.replace(b"content-length: ", b"content-length: +"), (400,)),
    "a length in hexadecimal": (SOUND.replace(b"content-length: ", b"content-length: 0x"), (400,)),
    "a length of 31 digits": (SOUND.replace(b"length: ", b"length: " + b"9" * 29), (400, 413)),
    "a length beyond the limit": (SOUND.replace(b"content-length: ", b"content-length: 1000000000"), (413,)),
    "a broken chunk": (CHUNKED + b"zz\r\n", (400,)),
    "a chunk of 2**64 bytes": (CHUNKED + b"f" * 17 + b"\r\n", (400,)),
    "HTTP/9.9": (SOUND.replace(b"HTTP/1.1", b"HTTP/9.9"), (400,)),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400,)),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400,)),
    "no method": (b"/predict HTTP/1.1\r\n\r\n", (400,)),
    "a method of its own": (SOUND.replace(b"POST", b"STEAL"), (400,)),
    "a websocket": (request(b"", *UPGRADE, method="GET", path="/"), (307,)),
    "line noise": (bytes(range(256)) * 40, (400,)),
    "spaces before the request": (b"  " + SOUND, (400,)),
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
def test_each_form_is_told_what_is_wrong(guarded: Server, name: str) -> None:
    sent, statuses = CORPUS[name]
    answers = _sent(guarded.port, sent)
    assert (answers[0].status if answers else None) in statuses
    if answers and answers[0].status >= 400:
        error = answers[0].said["error"]
        assert error["code"]
        assert "Traceback" not in json.dumps(error)
    _is_well(guarded)


def test_no_form_is_kept_in_memory(guarded: Server, figure: Figure) -> None:
    before = _resident(guarded)
    for sent, _ in CORPUS.values():
        _sent(guarded.port, sent)
    grown = _resident(guarded) - before
    figure(f"{len(CORPUS)} malformed requests once more, memory grows by", f"{grown / 1e6:.1f} MB")
    assert grown < GROWTH_BYTES
    _is_well(guarded)


def _sent(port: int, data: bytes) -> list[Answer]:
    try:
        return exchange(port, data)
    except (BrokenPipeError, ConnectionResetError):  # it was refused before all was sent
        return []


def _is_well(server: Server) -> None:
    (answer,) = exchange(server.port, SOUND)
    assert answer.said["prediction"] == 3.0


@pytest.mark.parametrize(
    "smuggled",
    [
        b"POST /live HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /live HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 40\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\ttransfer-encoding: chunked\r\n\r\n0",
    ],
)
def test_nothing_is_answered_behind_a_request_of_doubtful_length(guarded: Server, smuggled: bytes) -> None:
    answers = exchange(guarded.port, smuggled + SOUND, answers=2)
    assert [answer.status for answer in answers] == [400]


def test_a_refusal_waits_for_the_answers_to_what_came_before(guarded: Server) -> None:
    """Sent at once it would be taken for the answer to somebody else's request."""
    asked = request(b"", path="/docs", method="GET")
    broken = CHUNKED + b"zz\r\n"
    for garbage in (b"line noise\r\n\r\n", broken, request(b"", "x: " + "y" * 50_000)):
        answers = exchange(guarded.port, asked + asked + garbage, answers=4)
        assert [answer.status for answer in answers[:2]] == [200, 200]
        assert [answer.status for answer in answers[2:]] in ([400], [431])


def test_a_client_that_takes_nothing_is_let_go(guarded: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", guarded.port))
        connection.sendall(request(b"", path="/docs", method="GET") * 400)
        time.sleep(4)  # beyond the second that the body's deadline gives it
        with pytest.raises(ConnectionResetError):  # noqa: PT012 - either may meet it
            while connection.recv(65_536):
                pass
            raise ConnectionResetError  # closed in order, because all was sent meanwhile
    _is_well(guarded)


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"", None),
        (b"POST", 408),
        (SOUND[:60], 408),
        (SOUND[:-3], 408),
        (request(features(3, 3), "x: 1", "x: 2")[:-3], 408),
        (b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n", 408),
    ],
    ids=["nothing", "a word", "half a head", "half a body", "half a body by the app", "half the chunks"],
)
def test_who_does_not_finish_is_not_waited_for(guarded: Server, begun: bytes, status: int | None) -> None:
    started = time.monotonic()
    answers = exchange(guarded.port, begun)
    assert 0.9 < time.monotonic() - started < 10
    assert [answer.status for answer in answers] == ([] if status is None else [status])


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_trickle_is_no_progress(guarded: Server, path: str, figure: Figure) -> None:
    """A byte now and then keeps a connection busy for ever, unless the whole has a deadline."""
    whole = request(features(3, 3), path=path)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", guarded.port)) as connection:
        connection.sendall(whole[:-30])
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012 - any of these may meet it
            for byte in whole[-30:-1]:
                time.sleep(0.2)
                connection.sendall(bytes([byte]))
    took = time.monotonic() - started
    figure(f"a body for {path} byte by byte, with a second to come in, is cut off after", f"{took:.1f} s")
    assert took < 5


def test_an_idle_connection_is_closed(guarded: Server) -> None:
    started = time.monotonic()
    assert len(exchange(guarded.port, SOUND, answers=2)) == 1
    assert 1.4 < time.monotonic() - started < 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", [SOUND, request(b"", path="/live", method="GET")], ids=["quick", "by the app"]
)
def test_an_idle_connection_is_kept_as_long_as_it_is_said(first: bytes, tmp_path: Path) -> None:
    """Longer than the 5 s that uvicorn would keep it."""
    with (
        serving_bundle(regressor(tmp_path / "minutes")) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection,
    ):
        for pause in (0, 8):
            time.sleep(pause)
            connection.sendall(first)
            answer = b""
            while (whole := read_answer(answer)) is None:  # it may come in several reads
                piece = connection.recv(65_536)
                assert piece, "the connection was closed"
                answer += piece
            assert whole[0].status == 200


def test_half_open_connections_keep_nobody_out(guarded: Server, figure: Figure) -> None:
    before = _resident(guarded)
    sockets = [socket.create_connection(("127.0.0.1", guarded.port)) for _ in range(1500)]
    try:
        waits = []
        for _ in range(5):
            started = time.monotonic()
            (answer,) = exchange(guarded.port, request(b"", path="/health", method="GET"))
            waits.append(time.monotonic() - started)
            assert answer.status == 200
        figure("1,500 half-open connections, /health answers in", f"{1000 * sorted(waits)[2]:.1f} ms")
        grown = _resident(guarded) - before
        figure("1,500 half-open connections, memory grows by", f"{grown / 1e6:.1f} MB")
        assert sorted(waits)[2] < 0.1
        assert grown < GROWTH_BYTES
    finally:
        for held in sockets:
            held.close()


def test_connections_beyond_the_limit_are_told_so(tmp_path: Path) -> None:
    with serving_bundle(regressor(tmp_path / "minutes"), "--max-connections", "20") as server:
        server.client.close()
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        try:
            deadline = time.monotonic() + 10
            while (answer := exchange(server.port, SOUND))[0].status == 200:
                assert time.monotonic() < deadline
            assert (answer[0].status, answer[0].said["error"]["code"]) == (503, "SV021")
            assert b"retry-after: 1" in answer[0].head
        finally:
            for connection in held:
                connection.close()


def test_large_bodies_are_refused_and_not_kept(tmp_path: Path, figure: Figure) -> None:
    with serving_bundle(regressor(tmp_path / "minutes")) as server:
        before = _resident(server)
        announced = b"POST /predict/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 200000000\r\n\r\n"
        chunked = b"POST /predict/batch HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"1000000\r\n" + b" " * 0x1000000 + b"\r\n"
        peak = 0
        for head, piece, times in [(announced, b" " * 1_000_000, 200), (chunked, chunk, 12)]:
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(head)
                try:
                    for _ in range(times):
                        connection.sendall(piece)
                        peak = max(peak, _resident(server))
                except (BrokenPipeError, ConnectionResetError):
                    continue
                assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
        grown = max(peak, _resident(server)) - before
        figure("bodies of 200 MB, memory grows by", f"{grown / 1e6:.1f} MB")
        assert grown < GROWTH_BYTES
        _is_well(server)


def _resident(server: Server) -> int:
    process = psutil.Process(server.process.pid)
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
