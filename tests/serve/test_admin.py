"""The admin port: only with its token, under its own name, and from no other page."""

import json
import re
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from siklus.automation.retraining.retrainings import Retrainings
from siklus.errors import ServeError
from siklus.project.paths import Paths
from siklus.registry.asks import MOST_WAITING, Ask, asks_folder, left_asks
from siklus.registry.control import open_control
from siklus.serve.admin.port import admin_token
from tests.serve.bundles import regressor
from tests.serve.published import ANSWER, ROW, eventually, publish, version_in
from tests.serve.servers import START_SECONDS, start
from tests.serve.wire import Answer, exchange

CALLS = {"GET /status", "GET /metrics", "POST /drain", "POST /reload", "POST /retrain"}
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]


@dataclass(frozen=True)
class Administered:
    """A server with an admin port, what it says, and a client with the token."""

    state: Path
    process: subprocess.Popen[str]
    said: list[dict[str, Any]]
    client: httpx.Client
    token: str
    port: int
    admin_port: int

    def ask(self, *lines: str, method: str = "GET", path: str = "/status") -> Answer:
        """With these header lines as they stand, and a host of this machine where they name none."""
        named = any(line.startswith("host:") for line in lines)
        given = lines if named else ("host: localhost", *lines)
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *given, "content-length: 0"])
        [answer] = exchange(self.admin_port, head.encode("latin-1") + b"\r\n\r\n")
        return answer

    def with_token(self, *lines: str, **what: str) -> Answer:
        return self.ask(*lines, f"authorization: Bearer {self.token}", **what)


@contextmanager
def administered(state: Path, *options: str) -> Iterator[Administered]:
    words = ["-m", "siklus.serve", "--state", str(state), "--port", "0", "--admin-port", "0", *options]
    process = start(*words)
    said: list[dict[str, Any]] = []
    reading = threading.Thread(target=_read, args=(process, said))
    reading.start()
    try:
        eventually(lambda: _port(said, "admin_listening"), what="never listened")
        token = (state / "admin.token").read_text().strip()
        admin_port = _port(said, "admin_listening")
        with httpx.Client(base_url=f"http://127.0.0.1:{admin_port}", timeout=START_SECONDS) as client:
            client.headers["Authorization"] = f"Bearer {token}"
            eventually(lambda: client.get("/status").json()["health"]["model_loaded"], what="no model")
            yield Administered(state, process, said, client, token, _port(said, "listening"), admin_port)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
        reading.join()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def _read(process: subprocess.Popen[str], said: list[dict[str, Any]]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        said += [json.loads(line)]


def _port(said: list[dict[str, Any]], event: str) -> int:
    urls = [each["url"] for each in said if each["event"] == event]
    return int(re.findall(r":(\d+)", urls[0])[-1]) if urls else 0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administered]:
    """Two workers that follow a policy."""
    state = tmp_path_factory.mktemp("administered")
    publish(state, 1, version_in(state, 1))
    with administered(state, "--workers", "2") as server:
        yield server


def test_every_method_and_path_needs_the_token(pair: Administered) -> None:
    paths = ["/status", "/metrics", "/drain", "/reload", "/retrain", "/", "/predict", "/live", "/nothing"]
    for path in paths:
        for method in METHODS:
            plain = pair.ask(method=method, path=path)
            assert plain.status == 401, (method, path)
            assert plain.said["error"]["code"] == "RQ043"
            for wrong in ("Bearer", "Bearer x", f"Basic {pair.token}", f"Bearer {pair.token}x"):
                answer = pair.ask(f"authorization: {wrong}", method=method, path=path)
                assert answer == plain
        assert httpx.head(f"http://127.0.0.1:{pair.admin_port}{path}").status_code == 401
    assert pair.process.poll() is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil",
        "10.0.0.1",
        "0",
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_a_name_that_was_made_to_point_here_is_refused(method: str, host: str, pair: Administered) -> None:
    for path in ("/status", "/drain", "/nothing"):
        answer = pair.with_token(f"host: {host}", method=method, path=path)
        assert answer.status == 403
        assert answer.said["error"]["code"] == "RQ042"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "127.0.0.1:9000", "[::1]:9000"])
def test_names_of_this_machine_are_let_in(host: str, pair: Administered) -> None:
    assert pair.with_token(f"host: {host}").status == 200


def test_two_hosts_are_refused(pair: Administered) -> None:
    assert pair.with_token("host: localhost", "host: localhost").status in {400, 403}


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "https://localhost:9000",
        "http://localhost:3000",
        "http://localhost",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/status"), ("POST", "/drain"), ("PUT", "/nothing")])
def test_another_page_may_not_ask(method: str, path: str, origin: str, pair: Administered) -> None:
    answer = pair.with_token("host: localhost:9000", f"origin: {origin}", method=method, path=path)
    assert (answer.status, answer.said["error"]["code"]) == (403, "RQ042")


def test_its_own_page_may_ask(pair: Administered) -> None:
    assert pair.with_token("host: localhost:9000", "origin: http://localhost:9000").status == 200


def test_with_the_token_only_its_calls_are_there(pair: Administered) -> None:
    assert pair.with_token(path="/nothing").status == 404
    assert pair.with_token(path="/predict", method="POST").status == 404
    assert pair.with_token(path="/drain").status == 405
    told = pair.with_token(path="/nothing").said["error"]["expected"]
    assert all(call.split()[1] in told for call in CALLS)


def test_the_token_is_the_owners_alone_and_no_key(pair: Administered) -> None:
    assert httpx.get(f"http://127.0.0.1:{pair.port}/status").status_code == 404
    assert pair.ask(f"x-api-key: {pair.token}").status == 401
    assert pair.ask(path=f"/status?token={pair.token}").status == 401


def test_the_status_is_that_of_the_whole_server(pair: Administered) -> None:
    url = f"http://127.0.0.1:{pair.port}/predict"
    written = pair.client.get("/status").json()["log"]["written"]
    for _ in range(6):
        assert httpx.post(url, json={"features": ROW}).json()["prediction"] == ANSWER
    eventually(lambda: pair.client.get("/status").json()["log"]["written"] == written + 6, what="not written")
    status = pair.client.get("/status").json()
    pids = {worker["pid"] for worker in status["workers"]}
    assert pids == {worker.pid for worker in psutil.Process(pair.process.pid).children()}
    assert status["workers_wanted"] == len(pids) == 2
    assert (status["draining"], status["keys_asked_for"], status["log"]["enabled"]) == (False, False, True)
    assert (status["health"]["revision"], status["health"]["status"]) == (1, "healthy")
    assert status["health"]["arms"] == [{"name": "champion", "version": "1", "share": 1.0}]


def test_the_metrics_are_the_servers(pair: Administered) -> None:
    text = pair.client.get("/metrics").text
    assert 'ml_predictions_total{endpoint="/predict",status="success",version="1"}' in text


def test_a_policy_that_was_refused_is_tried_again_at_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first, second = version_in(state, 1), version_in(state, 2)
    publish(state, 1, first)
    with administered(state) as server:
        model = state / "bundles" / second.digest / "model.onnx"
        sound = model.read_bytes()
        model.chmod(0o644)
        model.write_bytes(sound[:-1])
        publish(state, 2, second)
        # Refused at once, and again after 1, 2 and 4 seconds: by then it is tried ever more rarely.
        eventually(lambda: _refusals(server) >= 3, what="never refused")
        model.write_bytes(sound)
        began = time.monotonic()
        assert server.client.post("/reload").json() == {"status": "reloading"}
        eventually(lambda: server.client.get("/status").json()["health"]["revision"] == 2, what="never live")
        assert time.monotonic() - began < 3  # the next try would come 4 seconds after the last


def _refusals(server: Administered) -> int:
    return [each["event"] for each in server.said].count("traffic_refused")


def test_a_pinned_bundle_has_nothing_to_look_at(bundles: Path) -> None:
    with administered(bundles / "state", "--bundle", str(regressor(bundles / "minutes"))) as server:
        response = server.client.post("/reload")
        assert (response.status_code, response.json()["error"]["code"]) == (409, "RQ044")
        [worker] = psutil.Process(server.process.pid).children()
        worker.kill()
        eventually(lambda: _pid(server) not in {0, worker.pid}, what="the admin port went with its worker")
        assert server.client.post("/drain").status_code == 202
        assert server.process.wait(timeout=START_SECONDS) == 0


def _pid(server: Administered) -> int:
    """Of the worker that answers; 0 while none does."""
    try:
        workers = server.client.get("/status").json()["workers"]
    except httpx.TransportError:
        return 0
    return int(workers[0]["pid"]) if workers else 0


def test_draining_twice_hurries_nobody(tmp_path: Path) -> None:
    state = tmp_path / "state"
    publish(state, 1, version_in(state, 1))
    with administered(state, "--workers", "2") as server:
        answers = [server.client.post("/drain") for _ in range(3)]
        assert [answer.json() for answer in answers] == [{"status": "draining"}] * 3
        assert server.process.wait(timeout=START_SECONDS) == 0


def left(server: Administered) -> dict[str, Ask]:
    """The asks that wait for a loop, by id."""
    return {ask.id: ask for _, ask in left_asks(asks_folder(Paths.at(server.state))) if ask is not None}


def test_a_retraining_is_asked_for_and_waits_for_the_loop(pair: Administered) -> None:
    answer = pair.client.post("/retrain", json={"reason": "new fares\nsince Monday"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "asked"
    ask = left(pair)[answer.json()["id"]]
    assert (ask.by, ask.via, ask.reason) == ("webhook", "webhook", "new fares since Monday")
    assert pair.client.post("/retrain").status_code == 202  # `curl -X POST` without a body
    for _ in range(3):
        again = pair.client.post("/retrain", json={"id": "nightly-42"})
        assert (again.status_code, again.json()["id"]) == (202, "nightly-42")
    assert len(left(pair)) == 3
    with open_control(None, file=pair.state / "control.db") as control:
        retrainings = Retrainings(control, "minutes")
        assert retrainings.take_asks(asks_folder(Paths.at(pair.state))) == 3
        assert left(pair) == {}
        assert ask in retrainings.waiting()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"1",
        b'"x"',
        b'{"reasn": "x"}',
        b'{"reason": 1}',
        b'{"reason": null}',
        b'{"id": "../x"}',
        b'{"id": "A b"}',
        b'{"id": ""}',
        b'{"reason": "\xff"}',
        b'{"reason": "' + b"x" * 501 + b'"}',
        b"[" * 5000,
    ],
)
def test_what_asks_for_no_retraining_is_refused(pair: Administered, body: bytes) -> None:
    before = left(pair)
    answer = pair.client.post("/retrain", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "RQ046")
    assert left(pair) == before


def test_a_large_body_asks_for_nothing_either(pair: Administered) -> None:
    answer = pair.client.post("/retrain", content=b" " * 20_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "RQ008")


def test_more_asks_than_one_retraining_answers_are_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    publish(state, 1, version_in(state, 1))
    with administered(state) as server:
        codes = [server.client.post("/retrain").status_code for _ in range(MOST_WAITING + 3)]
        assert codes == [202] * MOST_WAITING + [429] * 3
        assert len(left(server)) == MOST_WAITING
        for path, _ in left_asks(asks_folder(Paths.at(state))):
            path.unlink()  # as the loop does that takes them
        assert server.client.post("/retrain").status_code == 202


def test_the_token_is_made_once_and_must_be_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "admin.token"
    made = admin_token(path)
    assert admin_token(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(ServeError, match="SV019"):
        admin_token(path)
    path.chmod(0o600)
    path.write_text("\n")
    with pytest.raises(ServeError, match="SV019"):
        admin_token(path)


@pytest.mark.parametrize(
    ("words", "code"),
    [([], "SV018"), (["--state", "STATE", "--admin-host", "192.0.2.1"], "SV023")],
)
def test_a_port_that_could_not_be_guarded_is_not_opened(words: list[str], code: str, bundles: Path) -> None:
    given = [word.replace("STATE", str(bundles / "state")) for word in words]
    bundle = str(regressor(bundles / "minutes"))
    process = start("-m", "siklus.serve", "--bundle", bundle, "--port", "0", "--admin-port", "0", *given)
    _, err = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2
    assert code in err


def test_no_token_is_ever_told(pair: Administered) -> None:
    pair.with_token(path=f"/{pair.token}")
    assert pair.token not in json.dumps(pair.said)
