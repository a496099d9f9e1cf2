"""Running: a server from its start to its end, known to answer rightly before anything is measured."""

import http.client
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.serving import processes
from benchmarks.serving.case import Case
from benchmarks.serving.contenders import Contender, Start
from benchmarks.serving.dialects import Dialect
from benchmarks.serving.failures import BenchmarkError

HOST = "127.0.0.1"
START_SECONDS = 90.0  # the slowest peer takes 20 on two cores
GRACE_SECONDS = 15.0
ASK_EVERY_SECONDS = 0.005
CHECKED_ROWS = 50
TOLD_LINES = 15  # of a log, when something went wrong


@dataclass(frozen=True, kw_only=True)
class Running:
    """``startup_s``: from its start to its first right answer."""

    contender: Contender
    port: int
    pid: int
    log: Path
    startup_s: float

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"


@contextmanager
def running(contender: Contender, *, case: Case, scratch: Path) -> Iterator[Running]:
    """The server, answering rightly; ended afterwards with all that it started.

    BenchmarkError when it ends by itself, does not answer in time, or answers wrongly.
    """
    scratch.mkdir(parents=True)
    log = scratch / "log"
    port = free_port()
    command = contender.start(Start(case=case, port=port, scratch=scratch))
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command.arguments, env=dict(command.environment), cwd=scratch, stdout=output, stderr=output
        )
    try:
        _await_answer(contender, process, port=port, case=case, log=log)
        startup_s = time.perf_counter() - started
        for dialect in filter(None, (contender.dialect, contender.named)):
            check_answers(contender.name, dialect, port=port, case=case)
        yield Running(contender=contender, port=port, pid=process.pid, log=log, startup_s=startup_s)
    finally:
        processes.end_tree(process.pid, grace_seconds=GRACE_SECONDS)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def post(port: int, path: str, body: bytes, *, kind: str = "application/json", timeout: float = 60) -> bytes:
    """The body of the answer; BenchmarkError unless its status is 2xx, OSError without an answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise BenchmarkError(f"POST {path}: {answer.status}: {content[:300].decode(errors='replace')}")
    return content


def check_answers(name: str, dialect: Dialect, *, port: int, case: Case) -> None:
    """The classes that scikit-learn gives; BenchmarkError names the first row that has another."""
    for index, (row, expected) in enumerate(zip(case.rows[:CHECKED_ROWS], case.classes, strict=False)):
        body = msgspec.json.encode(dialect.write(row, case.columns))
        answer = msgspec.json.decode(post(port, dialect.path, body))
        if dialect.class_of is not None and (found := dialect.class_of(answer)) != expected:
            raise BenchmarkError(f"{name}: row {index}: class {found} in {answer}, expected {expected}")


def _await_answer(
    contender: Contender, process: subprocess.Popen[bytes], *, port: int, case: Case, log: Path
) -> None:
    dialect = contender.dialect
    body = msgspec.json.encode(dialect.write(case.rows[0], case.columns))
    deadline = time.monotonic() + START_SECONDS
    reason: Exception | None = None
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchmarkError(f"{contender.name} ended with {process.returncode}:\n{_tail(log)}")
        try:
            post(port, dialect.path, body, timeout=10)
        except (
            OSError,
            http.client.HTTPException,
            BenchmarkError,
        ) as exc:  # BenchmarkError: 503, it still loads
            reason = exc
            time.sleep(ASK_EVERY_SECONDS)
        else:
            return
    raise BenchmarkError(
        f"{contender.name} did not answer within {START_SECONDS:g} s ({reason}):\n{_tail(log)}"
    )


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TOLD_LINES:])
