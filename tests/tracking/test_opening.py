"""Opening MLflow: whole databases, quick refusals, and no trace left in the process around it."""

import contextlib
import http.server
import logging
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from siklus.errors import FileError, SiklusError, TrackingError
from siklus.tracking.mlflow import Tracking, open_tracking
from tests.tracking.stores import project


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a project")


@pytest.fixture(scope="module")
def tracking(root: Path) -> Tracking:
    return open_tracking(None, paths=project(root))


@pytest.fixture(scope="module")
def database(tracking: Tracking, root: Path) -> bytes:
    """MLflow's database, ready to be laid elsewhere: making one takes a second."""
    return (root / ".siklus" / "mlflow.db").read_bytes()


def refusal(uri: str, root: Path) -> TrackingError:
    with pytest.raises(TrackingError) as caught:
        open_tracking(uri, paths=project(root))
    return caught.value


def test_without_a_uri_everything_lies_in_the_project_s_state(tracking: Tracking, root: Path) -> None:
    with tracking.run(experiment="flights", name="train") as run:
        run.artifact("a.txt", b"a")
    assert tracking.uri == f"sqlite:///{root}/.siklus/mlflow.db"
    assert run.artifact_uri == f"{root}/.siklus/artifacts/{run.id}/artifacts"
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == ["a.txt", "mlflow.db"]


@pytest.mark.parametrize("name", ["data/runs.db", "s", "./runs.db", "runs.db?timeout=5"])
def test_a_relative_database_lies_beside_the_project_file(database: bytes, tmp_path: Path, name: str) -> None:
    file = tmp_path / name.partition("?")[0]
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(database)
    with open_tracking(f"sqlite:///{name}", paths=project(tmp_path)).run(experiment="new", name="train"):
        pass
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_opening_leaves_environment_and_loggers_as_they_were(
    root: Path, tracking: Tracking, capfd: pytest.CaptureFixture[str]
) -> None:
    loggers = {name: logging.getLogger(name).level for name in ("mlflow", "alembic")}
    before = dict(os.environ)
    with open_tracking(None, paths=project(root)).run(experiment="flights", name="train"):
        assert dict(os.environ) == before
    refusal("http://127.0.0.1:9", root)
    assert dict(os.environ) == before
    assert {name: logging.getLogger(name).level for name in loggers} == loggers
    assert capfd.readouterr() == ("", "")


def test_a_user_s_own_settings_of_mlflow_are_kept(
    root: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with tracking.calling():
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


BARE = """
import sys
attempts = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
        attempts.append((event, arguments))
sys.addaudithook(watch)

import time, warnings
from pathlib import Path
warnings.simplefilter("error")
from tests.tracking.stores import project
from siklus.tracking.mlflow import open_tracking

with open_tracking(None, paths=project(Path(sys.argv[1]))).run(experiment="flights", name="train") as run:
    run.metrics({"mae": 1.0})
    run.artifact("a", b"a")
time.sleep(0.3)  # telemetry would go out from another thread
print(attempts)
"""


def test_a_first_run_calls_nobody_says_nothing_and_leaves_the_home_directory_empty(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    # Not the variables by which MLflow would see that it is under test, and keep quiet anyway.
    kept = {
        key: os.environ[key] for key in ("PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE") if key in os.environ
    }
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path / "project")],
        env={**kept, "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert list((tmp_path / "home").iterdir()) == []


def test_a_server_that_is_not_there_is_refused_at_once_without_its_password(tmp_path: Path) -> None:
    started = time.perf_counter()
    error = refusal("http://user:se%2Fcret@127.0.0.1:9/mlflow", tmp_path)
    assert error.code == "TK001"
    assert "http://user:***@127.0.0.1:9/mlflow" in str(error)
    assert "cret" not in str(error)
    assert time.perf_counter() - started < 10


def test_a_server_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # 8 without it, which a test needs not wait for
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.perf_counter()
        assert refusal(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path).code == "TK001"
    assert time.perf_counter() - started < 5


@contextlib.contextmanager
def web_server() -> Iterator[str]:
    """Some server that is no MLflow: it knows no path and no method."""

    class Quiet(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_is_no_mlflow_is_refused(tmp_path: Path) -> None:
    with web_server() as uri:
        assert refusal(uri, tmp_path).code == "TK002"


@pytest.mark.parametrize("uri", ["foo://x", "runs.db", "", "file:///tmp/mlruns", "postgresql:/broken"])
def test_a_uri_that_mlflow_cannot_open_is_refused(tmp_path: Path, uri: str) -> None:
    error = refusal(uri, tmp_path)
    assert (error.code, "postgresql://" in (error.expected or "")) == ("TK003", True)


@pytest.mark.parametrize("folder", ["50%25", "why?"])
def test_a_project_in_a_folder_whose_name_no_database_url_can_hold_is_refused(
    tmp_path: Path, folder: str
) -> None:
    with pytest.raises(TrackingError) as caught:
        open_tracking(None, paths=project(tmp_path / folder))
    assert caught.value.code == "TK003"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["a b", "c#d", "ö", "it's", "100%"])
def test_a_project_may_lie_in_a_folder_of_any_other_name(
    database: bytes, tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder / ".siklus").mkdir(parents=True)
    (tmp_path / folder / ".siklus" / "mlflow.db").write_bytes(database)
    with open_tracking(None, paths=project(tmp_path / folder)).run(experiment="new", name="train") as run:
        run.artifact("a b/é.txt", b"a")
    kept = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    artifacts = Path(folder, ".siklus", "artifacts", run.id, "artifacts")
    assert sorted(kept) == sorted([artifacts / "a b" / "é.txt", Path(folder, ".siklus", "mlflow.db")])


@pytest.mark.skipif(find_spec("pymssql") is not None, reason="the driver is installed")
def test_a_database_whose_driver_is_missing_says_which(tmp_path: Path) -> None:
    error = refusal("mssql+pymssql://sa:secret@localhost/mlflow", tmp_path)
    assert (error.code, error.expected) == ("TK004", "pip install pymssql")
    assert "secret" not in str(error)


def test_a_file_that_is_no_database_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_text("no database, but long enough to have a header of its own: " * 4)
    started = time.perf_counter()
    assert refusal("sqlite:///runs.db", tmp_path).code == "TK001"
    assert time.perf_counter() - started < 10


@contextlib.contextmanager
def full_disk(room: int) -> Iterator[None]:
    """A disk that takes no more than ``room`` bytes of any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_half_made_database(tmp_path: Path) -> None:
    with pytest.raises(SiklusError) as caught, full_disk(room=100_000):
        open_tracking(None, paths=project(tmp_path))
    assert caught.value.code == "FS001"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_artifact_that_the_disk_does_not_take_is_said(tracking: Tracking) -> None:
    runs = tracking.run(experiment="flights", name="train")
    with pytest.raises(FileError) as caught, runs as run, full_disk(room=2_000_000):
        run.artifact("large.bin", bytes(3_000_000))
    assert caught.value.code == "FS001"
    with tracking.calling():
        assert tracking.client.get_run(run.id).info.status == "FAILED"


def test_a_run_that_cannot_be_closed_does_not_hide_what_ended_it(database: bytes, tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_bytes(database)
    tracking = open_tracking("sqlite:///runs.db", paths=project(tmp_path))
    runs = tracking.run(experiment="other", name="train")
    with pytest.raises(ValueError, match="the reason") as caught, runs as run:
        fail_and_drop_the_runs(tmp_path / "runs.db")
    assert len(caught.value.__notes__) == 1
    assert run.id in caught.value.__notes__[0]


def fail_and_drop_the_runs(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE runs")
    raise ValueError("the reason")
