"""The process: how it starts and stops, what it loads and says, from a terminal, a script and a notebook."""

import signal
import socket
from pathlib import Path

import httpx
import pytest

from siklus.serve.__main__ import main
from tests.serve.bundles import brittle_regressor, classifier, regressor, slow_regressor
from tests.serve.servers import START_SECONDS, Server, events, serving, serving_bundle, start

FROM_PYTHON = "import sys, siklus; siklus.serve(sys.argv[1], port=0)"
WITH_A_BUNDLE = """
import sys, pathlib, siklus
from siklus.bundle.read import open_bundle
siklus.serve(open_bundle(pathlib.Path(sys.argv[1]), version="9"), port=0)
"""
# What a notebook's cell has around it: an event loop that runs in this thread already.
IN_A_NOTEBOOK = """
import asyncio, sys, siklus
async def cell():
    siklus.serve(sys.argv[1], port=0)
asyncio.run(cell())
"""
LIGHT = """
import sys, time, siklus
heavy = {"numpy", "onnxruntime", "fastapi", "uvicorn", "msgspec"} & set(sys.modules)
print(sorted(heavy), callable(siklus.serve), siklus.serve.__name__, "pandas" in sys.modules)
"""


def stopped(server: Server, number: signal.Signals) -> tuple[int, str]:
    """Its exit code and what it said last, after this signal."""
    server.process.send_signal(number)
    _, said = server.process.communicate(timeout=START_SECONDS)
    return server.process.returncode, said


def test_it_stops_when_told_and_finishes_what_it_began(bundles: Path) -> None:
    body = b'{"features": [3]}'
    slow = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with serving_bundle(slow_regressor(bundles / "slow", rounds=60_000)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=START_SECONDS) as connection:
            # Sent as one piece: once the first is answered, the second is there too.
            connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n" + slow)
            answers = b""
            while b"alive" not in answers:
                answers += connection.recv(65536)
            code, said = stopped(server, signal.SIGTERM)
            assert (code, [event for event in events(said) if event["level"] != "info"]) == (0, [])
            while piece := connection.recv(65536):
                answers += piece
        assert b'{"prediction":3.0,' in answers
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.client.base_url}/live")


def test_what_a_model_says_when_it_fails_is_one_line_of_the_log_and_no_clients_to_know(bundles: Path) -> None:
    with serving_bundle(brittle_regressor(bundles / "brittle")) as server:
        version = server.predict([1])["version"]
        calls = [("/predict", {"features": [7]}), ("/predict/batch", {"instances": [[1], [7]]})]
        answers = [server.client.post(path, json=body) for path, body in calls]
        again = server.predict([2])["prediction"]
        code, said = stopped(server, signal.SIGTERM)
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (500, "SV024")
    ] * 2
    assert "Gather" not in answers[0].text + answers[1].text
    told = [event for event in events(said) if event["level"] != "info"]
    wanted = [("model_failed", version, endpoint, "BN012") for endpoint, _ in calls]
    assert [(each["event"], each["version"], each["endpoint"], each["code"]) for each in told] == wanted
    assert all("GatherElements" in each["reason"] and "exception" not in each for each in told)
    assert (again, code) == (2.0, 0)


@pytest.mark.parametrize("script", [FROM_PYTHON, WITH_A_BUNDLE, IN_A_NOTEBOOK])
def test_python_serves_with_one_call(script: str, bundles: Path) -> None:
    path = regressor(bundles / "minutes")
    with serving("-c", script, str(path)) as server:
        assert server.predict([8, 9])["prediction"] == 5.0
        code, said = stopped(server, signal.SIGINT)
    assert (code, said) == (0, "")


def test_importing_the_package_is_light_and_its_call_is_there() -> None:
    done = start("-c", LIGHT)
    said, wrong = done.communicate(timeout=START_SECONDS)
    assert said.split() == ["[]", "True", "siklus.serve", "False"], wrong


def test_a_damaged_bundle_is_never_served(bundles: Path) -> None:
    path = classifier(bundles / "damaged")
    content = bytearray((path / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (path / "model.onnx").write_bytes(bytes(content))
    process = start("-m", "siklus.serve", "--bundle", str(path), "--port", "0")
    _, said = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2
    assert "BN005" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--bundle", "{folder}"], "BN001"),
        (["--bundle", "{bundle}", "--port", "{taken}"], "SV003"),
        # An address that no machine has.
        (["--bundle", "{bundle}", "--host", "192.0.2.1", "--insecure"], "SV003"),
        (["--bundle", "{bundle}", "--host", "no such host", "--insecure"], "SV003"),
    ],
)
def test_what_cannot_be_started_is_told_in_a_line(
    options: list[str], told: str, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = classifier(bundles / "irises")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = main([option.format(bundle=path, folder=bundles, taken=port) for option in options])
    said = capsys.readouterr().err
    assert (code, len(said.splitlines())) == (2, 1)
    assert told in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--bundle", "x", "--port", "70000"], "65535"),
        (["--bundle", "x", "--port", "http"], "int"),
        (["--bundle", "x", "--max-body-bytes", "0"], "max_body_bytes"),
        (["--bundle", "x", "--werkers", "2"], "--werkers"),
        ([], "--bundle"),
    ],
)
def test_wrong_usage_is_told(options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_it_listens_where_it_is_told(bundles: Path) -> None:
    path = classifier(bundles / "irises")
    process = start("-m", "siklus.serve", "--bundle", str(path), "--host", "::1", "--port", "0")
    assert process.stderr is not None
    try:
        [listening] = events(process.stderr.readline())
        url = listening["url"]
        assert url.startswith("http://[::1]:")
        assert httpx.get(f"{url}/live", timeout=START_SECONDS).json() == {"status": "alive"}
    finally:
        process.terminate()
        process.communicate(timeout=START_SECONDS)


def test_answers_do_not_tell_what_runs_here(irises: Server) -> None:
    assert {"server", "date", "x-powered-by"} & set(irises.client.get("/live").headers) == set()


def test_a_kept_connection_serves_many_requests(irises: Server) -> None:
    request = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", irises.port), timeout=20) as connection:
        connection.sendall(request * 10)  # pipelined: all are sent before the first answer is read
        answers = b""
        while answers.count(b"alive") < 10:
            answers += connection.recv(65536)
    assert answers.count(b"HTTP/1.1 200 OK") == 10


ANSWERING = """
import asyncio, pathlib, sys, time, httpx
from siklus.serve.app import create_app
from siklus.serve.desk import open_desk
from siklus.serve.plan import Plan

async def ask(desk):
    transport = httpx.ASGITransport(app=create_app(desk))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        while (await client.get("/ready")).status_code != 200:
            time.sleep(0.01)
        for path in ("/docs", "/openapi.json", "/metrics"):
            assert (await client.get(path)).status_code == 200
        assert (await client.post("/predict", json={"features": [8, 9]})).json()["prediction"] == 5

with open_desk(Plan(bundle=pathlib.Path(sys.argv[1]))) as desk:
    asyncio.run(ask(desk))
training = {"sklearn", "mlflow", "duckdb", "pandas", "scipy", "matplotlib", "onnx", "skl2onnx"}
print(sorted(training & set(sys.modules)))
"""


def test_answering_needs_no_training_package_and_leaves_nothing_behind(bundles: Path, tmp_path: Path) -> None:
    """What a request imports late would show here, and so would a library that notes what it does."""
    path, home = regressor(bundles / "minutes"), tmp_path / "home"
    home.mkdir()
    said, wrong = start("-c", ANSWERING, str(path), home=home).communicate(timeout=START_SECONDS)
    assert said.strip() == "[]", wrong
    assert list(home.rglob("*")) == []
