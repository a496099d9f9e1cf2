"""Contenders: every server that is compared, by name, and how each is started."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from benchmarks.serving.case import Case
from benchmarks.serving.dialects import (
    CONSTANT,
    CONSTANT_NAMED,
    INFERENCE,
    INVOCATIONS,
    NAMED,
    TUTORIAL,
    Dialect,
)
from benchmarks.serving.failures import BenchmarkError

ROOT = Path(__file__).parents[2]
SERVERS = Path(__file__).parent / "servers"
PEERS = Path(__file__).parent / "peers"
SIKLUS = "siklus"
PROJECT = """
[project]
name = "tutorial"
task = "classification"

[data]
path = "rows.csv"
target = "target"

[state]
directory = "state"

[monitor]
look = "5s"
step = "30s"
joint = "never"
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """``scratch``: a directory for what the server writes, new at each start."""

    case: Case
    port: int
    scratch: Path


@dataclass(frozen=True, kw_only=True)
class Command:
    arguments: list[str]
    environment: Mapping[str, str]


Starting: TypeAlias = Callable[[Start], Command]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """``named``: how it takes features by name, where it does. ``batches``: it answers /predict/batch."""

    name: str
    start: Starting
    dialect: Dialect
    named: Dialect | None = None
    batches: bool = False


def _ours(start: Start, *, watched: bool) -> Command:
    """Without a state directory there is nowhere to keep a log, nor counters that outlive a worker."""
    pinned = ["--bundle", str(start.case.bundle), "--port", str(start.port)]
    state = ["--state", str(start.scratch / "state")] if watched else []
    return Command(
        arguments=[sys.executable, "-m", "siklus.serve", *pinned, *state], environment=_inherited()
    )


def _ours_with_watch(start: Start) -> Command:
    """As `siklus serve` starts a project's server, but that the watch looks every five seconds."""
    project = start.scratch / "siklus.toml"
    project.write_text(PROJECT)
    watch = [sys.executable, "-m", "siklus.monitor.watch", "--project", str(project.parent)]
    command = _ours(start, watched=True)
    watch += ["--bundle", str(start.case.bundle), "--version", "1"]
    words = ["--version", "1", "--companion", shlex.join(watch)]
    return Command(arguments=[*command.arguments, *words], environment=command.environment)


def _app(start: Start, *, app: str, graph: bool) -> Command:
    listen = ["--port", str(start.port), "--workers", "1", "--log-level", "warning"]
    model = start.case.graph if graph else start.case.pickle
    return Command(
        arguments=[sys.executable, "-m", "uvicorn", f"benchmarks.serving.servers.{app}:app", *listen],
        environment={**_inherited(), "MODEL": str(model)},
    )


def _constant(start: Start) -> Command:
    return _module("constant", "--port", str(start.port), "--bundle", str(start.case.bundle))


def _wire(start: Start) -> Command:
    return _module("wire", "--port", str(start.port))


def _module(name: str, *options: str) -> Command:
    module = f"benchmarks.serving.servers.{name}"
    return Command(arguments=[sys.executable, "-m", module, *options], environment=_inherited())


def _peer(start: Start, *, name: str, python: Path, graph: bool) -> Command:
    model = start.case.graph if graph else start.case.pickle
    return Command(
        arguments=[str(python), str(PEERS / name / "server.py"), str(start.port), str(model)],
        environment=_foreign(python, start.scratch),
    )


def _inherited() -> dict[str, str]:
    """Ours, so that a checkout serves itself, installed or not."""
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}


def _foreign(python: Path, scratch: Path) -> dict[str, str]:
    """Another environment: nothing of ours but the way in which the forest is opened."""
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    return {
        **kept,
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(SERVERS),
        "OMP_NUM_THREADS": "1",
        "SCRATCH": str(scratch),
    }


OWN: Mapping[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender(
            name=SIKLUS, start=partial(_ours, watched=True), dialect=TUTORIAL, named=NAMED, batches=True
        ),
        Contender(
            name="baseline", start=partial(_app, app="baseline", graph=False), dialect=TUTORIAL, batches=True
        ),
        Contender(name="constant", start=_constant, dialect=CONSTANT, named=CONSTANT_NAMED),
        Contender(name="wire", start=_wire, dialect=CONSTANT, named=CONSTANT_NAMED),
        Contender(
            name="bare", start=partial(_ours, watched=False), dialect=TUTORIAL, named=NAMED, batches=True
        ),
        Contender(name="watch", start=_ours_with_watch, dialect=TUTORIAL, named=NAMED, batches=True),
        Contender(
            name="fastapi-onnx",
            start=partial(_app, app="fastapi_onnx", graph=True),
            dialect=TUTORIAL,
            batches=True,
        ),
    )
}

PEER_DIALECTS: Mapping[str, Dialect] = {
    "bentoml": TUTORIAL,
    "litserve": TUTORIAL,
    "mlflow": INVOCATIONS,
    "mlserver": INFERENCE,
    "rayserve": TUTORIAL,
}


def environment_of(peer: str, cache: Path) -> Path:
    """Where this peer's own environment is, or would be."""
    return cache / "peers" / peer


def installed_peers(cache: Path) -> list[str]:
    return [peer for peer in PEER_DIALECTS if _mark(peer, cache).exists()]


def mark_installed(peer: str, cache: Path) -> None:
    """Say that its installation went through to the end."""
    _mark(peer, cache).touch()


def _mark(peer: str, cache: Path) -> Path:
    return environment_of(peer, cache) / "installed"


def peer_contenders(peer: str, cache: Path) -> list[Contender]:
    """The peer with our graph, and with the scikit-learn model; BenchmarkError when it is not installed."""
    if peer not in installed_peers(cache):
        raise BenchmarkError(f"{peer} is not installed: python -m benchmarks.serving --install {peer}")
    python = environment_of(peer, cache) / "bin" / "python"
    return [
        Contender(
            name=name,
            start=partial(_peer, name=peer, python=python, graph=graph),
            dialect=PEER_DIALECTS[peer],
        )
        for name, graph in ((peer, True), (f"{peer}-sklearn", False))
    ]
