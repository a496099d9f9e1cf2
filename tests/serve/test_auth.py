"""Auth: with a key one is let in, without one is not, at every call; and no key is ever told to anybody."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

import siklus
from siklus.errors import ServeError
from siklus.project.paths import Paths
from siklus.serve.access.auth import is_loopback
from siklus.serve.access.keys import add_key, revoke_key
from tests.figures import Figure
from tests.records.stored import stored_outcomes
from tests.serve.bundles import brittle_regressor, regressor
from tests.serve.servers import START_SECONDS, Server, serving, start
from tests.serve.wire import exchange, features, request

NOW = datetime(2026, 1, 31, tzinfo=UTC)
FOLLOWED_SECONDS = 1.0  # within which a worker knows of other keys
OPEN = {"/live", "/ready", "/health", "/v2/health/live", "/v2/health/ready", "/ping"}
ROW = features(8, 9)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def key(state: Path) -> str:
    return add_key(Paths.at(state).keys, "first", per_second=None, now=NOW)


@pytest.fixture(scope="module")
def guarded(state: Path, key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, asked with a key by ``client``."""
    bundle = regressor(tmp_path_factory.mktemp("bundles") / "minutes")
    with serving(*serve_words(bundle, state, "--workers", "2")) as server:
        server.client.headers["Authorization"] = f"Bearer {key}"
        yield server


def serve_words(bundle: Path, state: Path, *more: str) -> list[str]:
    where = ["--bundle", str(bundle), "--state", str(state), "--port", "0"]
    return ["-m", "siklus.serve", *where, *more]


def without_key(server: Server) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=START_SECONDS)


def ask(server: Server, *lines: str, body: bytes = ROW, path: str = "/predict") -> int:
    """The status of a plain request with these header lines, on a connection of its own."""
    [answer] = exchange(server.port, request(body, *lines, path=path))
    return answer.status


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def test_every_call_needs_a_key_but_those_that_say_that_the_server_lives(guarded: Server) -> None:
    described = guarded.client.get("/openapi.json").json()["paths"]
    calls = [(method, path) for path, methods in described.items() for method in methods]
    assert len(calls) > len(OPEN)
    told = {path for path, methods in described.items() for call in methods.values() if "security" in call}
    assert told == described.keys() - OPEN
    with without_key(guarded) as client:
        for method, path in calls:
            response = client.request(method, path.replace("{name}", "minutes"), follow_redirects=False)
            refused = response.status_code == 401
            assert refused is (path not in OPEN), (method, path)
            assert ("www-authenticate" in response.headers) is refused
            with_key = guarded.client.request(method, path, follow_redirects=False)
            assert with_key.status_code not in {401, 429}


@pytest.mark.parametrize("scheme", ["Authorization: Bearer ", "authorization: bearer  ", "X-API-Key: "])
def test_a_key_is_sent_in_one_of_two_headers(scheme: str, guarded: Server, key: str) -> None:
    assert ask(guarded, scheme + key) == 200


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["authorization: Bearer"],
        ["authorization: Bearer "],
        ["authorization: KEY"],
        ["authorization: Basic KEY"],
        ["authorization: Bearer KEYx"],
        ["authorization: Bearer xKEY"],
        ["authorization: Bearer sk_"],
        ["authorization: Bearer KEY, Bearer KEY"],
        ["authorization: Bearer KEY", "authorization: Bearer KEY"],
        ["authorization: Bearer KEY", "authorization: Bearer other"],
        ["x-api-key: KEY", "x-api-key: KEY"],
        ["authorization: Bearer KEY", "x-api-key: KEY"],
        ["authorization: Bearer \xff"],
        ["x-api-key: Bearer KEY"],
        ["cookie: sk=KEY"],
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_anything_else_is_refused_in_the_same_words(
    lines: list[str], path: str, guarded: Server, key: str
) -> None:
    given = [line.replace("KEY", key) for line in lines]
    [plain] = exchange(guarded.port, request(ROW, path=path))
    [answer] = exchange(guarded.port, request(ROW, path=path).replace(b"\r\n\r\n", head_end(given), 1))
    assert (answer.status, answer.said["error"]["code"]) == (401, "RQ040")
    assert answer == plain


def head_end(lines: list[str]) -> bytes:
    return "".join(f"\r\n{line}" for line in lines).encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "Authorization", "x-api-key"])
def test_a_key_in_the_query_is_no_key(name: str, guarded: Server, key: str) -> None:
    assert ask(guarded, path=f"/predict?{name}={key}") == 401


def test_requests_of_one_connection_are_judged_one_by_one(guarded: Server, key: str) -> None:
    good, bad = request(ROW, f"authorization: Bearer {key}"), request(ROW)
    answers = exchange(guarded.port, good + bad + good + bad, answers=4)
    assert [answer.status for answer in answers] == [200, 401, 200, 401]


def test_protocols_whose_errors_are_texts_are_refused_in_theirs(guarded: Server) -> None:
    with without_key(guarded) as client:
        said = client.post("/v2/models/minutes/infer", json={}).json()
    assert said["error"].startswith("RQ040")


def test_refusals_are_counted_by_what_refused(guarded: Server) -> None:
    before = guarded.series()['ml_limited_total{limit="key"}']
    for _ in range(3):
        ask(guarded, path="/predict/batch")
        ask(guarded)
    assert guarded.series()['ml_limited_total{limit="key"}'] - before == 3 + 3


def test_keys_are_added_and_revoked_under_a_running_server(
    guarded: Server, state: Path, figure: Figure
) -> None:
    late = add_key(Paths.at(state).keys, "late", per_second=None, now=NOW)
    line = f"authorization: Bearer {late}"
    # Whichever worker is asked: a connection goes to either of them.
    assert within(FOLLOWED_SECONDS + 2, lambda: all(ask(guarded, line) == 200 for _ in range(8)))
    revoke_key(Paths.at(state).keys, "late")
    began = time.monotonic()
    assert within(FOLLOWED_SECONDS + 2, lambda: all(ask(guarded, line) == 401 for _ in range(8)))
    figure("A revoked key is refused by all workers after", f"{time.monotonic() - began:.2f} s")
    assert guarded.predict([8, 9])["prediction"] == 5.0


def test_a_damaged_file_changes_nothing(guarded: Server, state: Path) -> None:
    path = Paths.at(state).keys
    sound = path.read_bytes()
    path.write_bytes(b"{")
    time.sleep(FOLLOWED_SECONDS)
    assert guarded.predict([8, 9])["prediction"] == 5.0
    assert ask(guarded) == 401
    path.write_bytes(sound)


def test_a_rate_holds_for_all_workers_and_both_ways_through_the_server(guarded: Server, state: Path) -> None:
    burst, extra = 20, 12
    limited = add_key(Paths.at(state).keys, "limited", per_second=burst, now=NOW)
    line = f"authorization: Bearer {limited}"
    time.sleep(2 * FOLLOWED_SECONDS)  # until both workers know it, and its bucket is full
    began = time.monotonic()
    statuses = []
    for i in range(burst + extra):
        # Plain; refused, for which the hot path leaves it to the app; and none of the hot path's.
        [body, path] = [(ROW, "/predict"), (b"{}", "/predict"), (b"{}", "/predict/batch")][i % 3]
        statuses.append(ask(guarded, line, body=body, path=path))
    let_in = sum(status != 429 for status in statuses)
    assert burst <= let_in <= burst + 1 + burst * (time.monotonic() - began)
    assert set(statuses[:burst]) == {200, 400}


def test_too_many_requests_are_told_when_to_come_again(guarded: Server, state: Path) -> None:
    slow = add_key(Paths.at(state).keys, "slow", per_second=1 / 30, now=NOW)
    with without_key(guarded) as client:
        client.headers["X-API-Key"] = slow
        assert within(FOLLOWED_SECONDS + 2, lambda: client.post("/predict", content=ROW).status_code == 200)
        response = client.post("/predict", content=ROW)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "RQ041")
    assert 25 <= int(response.headers["retry-after"]) <= 30
    assert guarded.predict([8, 9])["prediction"] == 5.0  # another key


def test_an_outcome_names_the_key_that_it_came_with(guarded: Server, state: Path) -> None:
    name = guarded.predict([8, 9])["prediction_id"]
    guarded.answered("/feedback", {"prediction_id": name, "outcome": 5.5})
    clients = {found[0]: found[4] for found in stored_outcomes(Paths.at(state).records / "outcomes.db")}
    assert clients == {name: "first"}


def test_without_a_file_this_machine_may_ask_and_without_a_key_left_nobody(bundles: Path) -> None:
    state = bundles / "state"
    path = Paths.at(state).keys
    with serving(*serve_words(regressor(bundles / "minutes"), state)) as server:
        assert ask(server) == 200
        key = add_key(path, "only", per_second=None, now=NOW)
        assert within(FOLLOWED_SECONDS + 2, lambda: ask(server) == 401)
        assert ask(server, f"x-api-key: {key}") == 200
        revoke_key(path, "only")
        assert within(FOLLOWED_SECONDS + 2, lambda: ask(server, f"x-api-key: {key}") == 401)
        path.unlink()
        assert within(FOLLOWED_SECONDS + 2, lambda: ask(server) == 200)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_other_machines_are_not_let_in_without_keys(host: str, bundles: Path) -> None:
    words = serve_words(regressor(bundles / "minutes"), bundles / "state", "--host", host)
    process = start(*words)
    out, err = process.communicate(timeout=START_SECONDS)
    assert (process.returncode, out) == (2, "")
    assert err.count("SV013") == 1


def test_no_server_starts_with_keys_that_it_cannot_read(bundles: Path) -> None:
    state = bundles / "state"
    state.mkdir(parents=True)
    Paths.at(state).keys.write_text("{")
    process = start(*serve_words(regressor(bundles / "minutes"), state))
    _, err = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2
    assert "SV014" in err


@pytest.mark.parametrize("way", ["insecure", "key", "socket"])
def test_other_machines_are_let_in_by_key_or_on_purpose(way: str, bundles: Path) -> None:
    state = bundles / "state"
    more = {
        "insecure": ["--host", "0.0.0.0", "--insecure"],
        "key": ["--host", "0.0.0.0"],
        "socket": ["--host", "0.0.0.0", "--uds", str(bundles / "s")],
    }[way]
    if way == "key":
        add_key(Paths.at(state).keys, "only", per_second=None, now=NOW)
    process = start(*serve_words(regressor(bundles / "minutes"), state, *more))
    assert process.stderr is not None
    said = process.stderr.readline()
    process.terminate()
    process.communicate(timeout=START_SECONDS)
    assert json.loads(said)["event"] == "listening"


def test_a_call_from_python_lets_only_this_machine_in(bundles: Path) -> None:
    with pytest.raises(ServeError, match="SV013"):
        siklus.serve(regressor(bundles / "minutes"), host="0.0.0.0", port=0)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_addresses_of_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "::", "0", "10.0.0.1", "localhost.example.com", "::ffff:10.0.0.1"])
def test_addresses_that_others_reach(host: str) -> None:
    assert not is_loopback(host)


def test_no_key_is_ever_written_down(bundles: Path) -> None:
    state = bundles / "state"
    key = add_key(Paths.at(state).keys, "only", per_second=None, now=NOW)
    process = start(*serve_words(brittle_regressor(bundles / "brittle"), state))
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        statuses = statuses_of_a_session(int(re.findall(r":(\d+)", said)[-1]), key)
    finally:
        process.terminate()
        _, rest = process.communicate(timeout=START_SECONDS)
    assert statuses == {200, 400, 401, 404, 500}
    assert "model_failed" in rest  # what failed is told there
    assert key not in said + rest
    written = [path for path in state.rglob("*") if path.is_file()]
    assert any(path.name == "keys.json" for path in written)
    assert [path for path in written if key.encode() in path.read_bytes()] == []


def statuses_of_a_session(port: int, key: str) -> set[int]:
    """Of requests that bring the key in every way, right and wrong."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_SECONDS) as client:
        assert within(START_SECONDS, lambda: client.get("/ready").status_code == 200)
        client.headers["Authorization"] = f"Bearer {key}"
        client.get("/metrics")
        return {
            client.post("/predict", json={"features": [1]}).status_code,
            client.post("/predict", json={"features": [99]}).status_code,
            client.post(f"/predict?key={key}", json={"features": [1]}).status_code,
            client.post("/predict", content=b"{", headers={"X-API-Key": key}).status_code,
            client.get(f"/{key}").status_code,
        }


def test_a_failure_shows_nothing_of_the_inside(bundles: Path) -> None:
    with serving(*serve_words(brittle_regressor(bundles / "brittle"), bundles / "state")) as server:
        for path, body in [
            ("/predict", {"features": [99]}),
            ("/predict/batch", {"instances": [[1], [99]]}),
            ("/v2/models/brittle/infer", {"inputs": [tensor(99)]}),
            ("/v1/models/brittle:predict", {"instances": [[99]]}),
            ("/invocations", {"inputs": [[99]]}),
        ]:
            response = server.client.post(path, json=body)
            assert response.status_code == 500
            told = (response.text + str(response.headers)).lower()
            inside = [
                "/",
                "siklus",
                "traceback",
                "file ",
                ".py",
                "onnx",
                "uvicorn",
                "python",
                "gather",
                "server:",
            ]
            assert [word for word in inside if word in told.replace("application/json", "")] == []
            assert response.headers.keys() <= {"connection", "content-length", "content-type"}


def tensor(value: float) -> dict[str, object]:
    return {"name": "a", "shape": [1], "datatype": "FP32", "data": [value]}
