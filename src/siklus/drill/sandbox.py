"""The sandbox: a project in a folder of its own, with the champion of the real one, really running.

Bundle and snapshot are copied, never linked, as some faults damage them. Registry, control database and
records are new: those of the project name its folders and databases, and nothing here may write there.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import OK, HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import msgspec

from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.write import digest_of
from siklus.contract.columns import contract_text
from siklus.data.snapshot import check_out
from siklus.drill.challengers import register, registry_of
from siklus.drill.sandbox_settings import ROWS_FILE, sandboxed, toml_text
from siklus.drill.sink import Sink
from siklus.errors import DrillError
from siklus.project.file import FILE_NAME, KNOWN, OpenProject, open_project
from siklus.project.overrides import PREFIX, override
from siklus.project.paths import Paths
from siklus.registry.control import Control, open_control
from siklus.registry.policy import PolicyArm, everything_to
from siklus.registry.publish import publish
from siklus.registry.traffic import NOTHING, Traffic
from siklus.serve.options import words_of
from siklus.tracking.mlflow import open_tracking

START_SECONDS = 60.0
STOP_SECONDS = 20.0
LOG = "server.log"  # in the sandbox's folder: what server and loop say of themselves
SCRATCH = "scratch"  # likewise: their temporary files
LOOP = "siklus.automation.loop"


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """``champion``: version 1 here, whatever its number is in the project. ``server``: the supervisor."""

    project: OpenProject
    champion: Bundle
    sink: Sink
    port: int
    server: "subprocess.Popen[bytes]"

    @property
    def log(self) -> Path:
        return self.project.paths.root / LOG

    @contextmanager
    def control(self) -> Iterator[Control]:
        with open_control(None, file=self.project.paths.control_database) as control:
            yield control

    def events(self) -> list[dict[str, Any]]:
        """What server, workers and loop have said, a line each; a line that is still written is left out."""
        return list(_events(self.log))

    def workers(self) -> dict[int, int]:
        """The process of each worker that was started last, by the worker's number."""
        return {
            event["worker"]: event["worker_pid"]
            for event in self.events()
            if event.get("event") == "worker_started"
        }


def raw_project(root: Path, *, environment: Mapping[str, str]) -> dict[str, Any]:
    """The project file, which has been read without error, with the overrides of the environment."""
    raw = tomllib.loads((root / FILE_NAME).read_text(encoding="utf-8-sig"))
    override(raw, environment, sections=KNOWN)
    return raw


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What sandboxes are made of. ``raw``: the project file with the environment's overrides; ``champion``:
    the version that is drilled; ``store``: an empty database of MLflow's, which takes ten seconds to make."""

    raw: Mapping[str, Any]
    champion: Bundle
    snapshots: Path
    store: Path

    @classmethod
    def of(cls, project: OpenProject, raw: Mapping[str, Any], champion: Bundle, *, folder: Path) -> "Stock":
        """``folder``: where the empty database is made."""
        paths = Paths.at(folder)
        open_tracking(None, paths=paths)
        snapshots, store = project.paths.snapshots, paths.tracking_database
        return cls(raw=raw, champion=champion, snapshots=snapshots, store=store)


@contextmanager
def open_sandbox(folder: Path, stock: Stock, sink: Sink) -> Iterator[Sandbox]:
    """Lay it out in ``folder``, start server and loop, and end both with the block.

    DrillError DR003 when the server does not become ready.
    """
    text = toml_text(sandboxed(stock.raw, port=0, smtp=f"smtp://127.0.0.1:{sink.port}"))
    project = _laid_out(folder, text, stock)
    inside = _first_version(project, stock.champion)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    # What a training that is killed at the end leaves goes with the sandbox.
    environment["TMPDIR"] = str(folder / SCRATCH)
    (folder / SCRATCH).mkdir()
    with (folder / LOG).open("wb") as log:
        server = subprocess.Popen(
            _command(project),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is the drill's to answer
        )
    try:
        port = _ready(server, folder / LOG)
        yield Sandbox(project=project, champion=inside, sink=sink, port=port, server=server)
    finally:
        _end(server)


def _laid_out(folder: Path, text: str, stock: Stock) -> OpenProject:
    champion = stock.champion
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    (folder / "contract.json").write_text(contract_text(champion.contract), encoding="utf-8")
    project = open_project(folder, environment={})
    shutil.copytree(champion.path, project.paths.bundles / digest_of(champion.path))
    shutil.copy2(stock.store, project.paths.tracking_database)
    digest = champion.provenance().data_digest
    kept = None if digest is None else stock.snapshots / f"{digest}.parquet"
    if digest is not None and kept is not None and kept.is_file():
        project.paths.snapshots.mkdir(parents=True)
        shutil.copy2(kept, project.paths.snapshots)
        check_out(digest, project.paths.snapshots, to=folder / ROWS_FILE)
    return project


def _first_version(project: OpenProject, champion: Bundle) -> Bundle:
    digest = digest_of(champion.path)
    copied = project.paths.bundles / digest
    version = register(project, copied, stage="production", about="the champion, copied")
    arm = PolicyArm(name="champion", version=version.number, share=1.0, digest=digest)
    with open_control(None, file=project.paths.control_database) as control:
        policy = Traffic(control, project.settings.project.name).append(
            everything_to(arm, after=None),
            follows=NOTHING,
            by="siklus drill",
            now=datetime.now(UTC),
            reason="the first to be served",
        )
    publish(policy, project.paths, registry=lambda: registry_of(project))
    return open_bundle(copied, version=str(version.number))


def _command(project: OpenProject) -> list[str]:
    settings, paths = project.settings, project.paths
    loop = [sys.executable, "-m", LOOP, "--project", str(paths.root)]
    words = [*words_of(settings.records), "--state", str(paths.state), "--companion", shlex.join(loop)]
    server = [sys.executable, "-m", "siklus.serve", *words, *words_of(settings.serve)]
    return [sys.executable, "-m", "siklus.drill.leash", str(os.getpid()), *server]


def _ready(server: "subprocess.Popen[bytes]", log: Path) -> int:
    """The port that it listens on, once it answers there."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        port = next((_port(event) for event in _events(log) if event.get("event") == "listening"), None)
        if port is not None and _answers(port):
            return port
        time.sleep(0.05)
    said = log.read_text(errors="replace").strip().splitlines()
    told = said[-1][:300] if said else "it said nothing"
    raise DrillError(
        "DR003", f"the sandbox's server did not become ready: {told}", expected="`siklus serve` shows why"
    )


def _port(event: Mapping[str, Any]) -> int:
    return int(str(event["url"]).rpartition(":")[2])


def _answers(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
        try:
            connection.request("GET", "/ready")
            return bool(connection.getresponse().status == OK)
        except (OSError, HTTPException):
            return False


def _events(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_bytes().splitlines():
        try:
            event = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue  # half a line, or what a library has said
        if isinstance(event, dict):
            yield event


def _end(server: "subprocess.Popen[bytes]") -> None:
    """Told to end, then killed with all that it started."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of them have ended by themselves
    finally:
        server.wait()
