"""A server as users start it: a process of its own, on a free port."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from fastapi import FastAPI

from siklus.bundle.read import Bundle
from siklus.serve.app import create_app
from siklus.serve.desk import open_desk
from siklus.serve.plan import Plan

SRC = Path(__file__).parents[2] / "src"
START_SECONDS = 60  # a loaded machine may need ten times what a free one does


@dataclass(frozen=True)
class Server:
    """A running server: its process, and a client that keeps its connection."""

    process: subprocess.Popen[str]
    client: httpx.Client
    port: int

    def predict(self, features: object, query: str = "") -> Any:
        return self.answered(f"/predict{query}", {"features": features})

    def batch(self, instances: list[Any], query: str = "") -> Any:
        return self.answered(f"/predict/batch{query}", {"instances": instances})

    def answered(self, path: str, body: object) -> Any:
        response = self.client.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def series(self) -> dict[str, float]:
        """Each line of `/metrics` that is a value, by its name and labels."""
        lines = self.client.get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def wait_until_ready(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while self.client.get("/ready").status_code != 200:
            assert time.monotonic() < give_up, "never became ready"
            time.sleep(0.02)


def start(
    *arguments: str, home: Path = Path("/nonexistent"), more: Mapping[str, str] = MappingProxyType({})
) -> subprocess.Popen[str]:
    """Start Python with these arguments, as a bare process with nothing but our sources.

    ``more``: further variables of its environment.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": str(SRC),
        "OMP_NUM_THREADS": "1",
        **more,
    }
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(said: str) -> list[dict[str, Any]]:
    """What a server said on stderr, where that is no terminal."""
    return [json.loads(line) for line in said.splitlines()]


@contextmanager
def answering(process: subprocess.Popen[str]) -> Iterator[Server]:
    """The server that this process is, once it is ready to answer."""
    assert process.stderr is not None
    said = process.stderr.readline()
    listening = re.search(r"http://127\.0\.0\.1:(\d+)", said)
    assert listening, said + process.stderr.read()
    port = int(listening[1])
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_SECONDS) as client:
        server = Server(process, client, port)
        server.wait_until_ready()
        yield server


@contextmanager
def serving(*arguments: str, more: Mapping[str, str] = MappingProxyType({})) -> Iterator[Server]:
    """`python ARGUMENTS` until it is ready to answer; stopped afterwards, whatever happened."""
    process = start(*arguments, more=more)
    try:
        with answering(process) as server:
            yield server
    finally:
        process.terminate()
        process.communicate(timeout=START_SECONDS)


def serving_bundle(bundle: Path, *options: str) -> Any:
    return serving("-m", "siklus.serve", "--bundle", str(bundle), "--port", "0", *options)


@contextmanager
def app_of(bundle: Path | Callable[[], Bundle], *, version: str | None = None) -> Iterator[FastAPI]:
    """The app of a worker in this process, for a bundle or for what opens it."""
    with open_desk(Plan(bundle=bundle, version=version)) as desk:
        yield create_app(desk)


@contextmanager
def loaded_app(bundle: Path, *, version: str | None = None) -> Iterator[FastAPI]:
    """The same, once its model answers."""
    with app_of(bundle, version=version) as app:
        yield loaded(app)


def ask(app: FastAPI, *calls: tuple[str, str, object]) -> list[httpx.Response]:
    """Ask an app in this process: (method, path, JSON body or None), one call after the other."""

    async def one_by_one() -> list[httpx.Response]:
        # What an app raises is for its server's log; here, as there, only the answer counts.
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return [await client.request(method, path, json=body) for method, path, body in calls]

    return asyncio.run(one_by_one())


def loaded(app: FastAPI) -> FastAPI:
    """The app, once its model answers."""
    give_up = time.monotonic() + START_SECONDS
    while ask(app, ("GET", "/ready", None))[0].status_code != 200:
        assert time.monotonic() < give_up, "never became ready"
    return app
