"""Clients: the libraries that Python programs ask with, over one connection that stays open.

They send headers and body apart, and are slower than what answers: look at the server's CPU a request.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from typing import TypeAlias

from benchmarks.serving.load import Answered, Wave, answered

Client: TypeAlias = Callable[[Wave], Answered]

JSON = {"Content-Type": "application/json"}


def httpx(wave: Wave) -> Answered:
    library = import_module("httpx")
    with library.Client() as client:
        return _ask(wave, lambda body: client.post(wave.url, content=body, headers=JSON).status_code)


def requests(wave: Wave) -> Answered:
    library = import_module("requests")
    with library.Session() as session:
        return _ask(wave, lambda body: session.post(wave.url, data=body, headers=JSON).status_code)


def aiohttp(wave: Wave) -> Answered:
    return asyncio.run(_aiohttp(wave))


CLIENTS: Mapping[str, Client] = {"httpx": httpx, "requests": requests, "aiohttp": aiohttp}


def installed_clients() -> list[str]:
    return [name for name in CLIENTS if find_spec(name) is not None]


def _ask(wave: Wave, post: Callable[[bytes], int]) -> Answered:
    latencies: list[float] = []
    failures = 0
    started = asked = time.perf_counter()
    for body in cycle(wave.bodies.read_bytes().splitlines()):
        failures += not 200 <= post(body) < 300
        now = time.perf_counter()
        latencies.append(now - asked)
        if now - started >= wave.seconds:
            break
        asked = now
    return answered(latencies, seconds=time.perf_counter() - started, failures=failures)


async def _aiohttp(wave: Wave) -> Answered:
    library = import_module("aiohttp")
    latencies: list[float] = []
    failures = 0
    started = time.perf_counter()
    async with library.ClientSession() as session:
        for body in cycle(wave.bodies.read_bytes().splitlines()):
            asked = time.perf_counter()
            async with session.post(wave.url, data=body, headers=JSON) as answer:
                await answer.read()
            failures += not 200 <= answer.status < 300
            latencies.append(time.perf_counter() - asked)
            if time.perf_counter() - started >= wave.seconds:
                break
    return answered(latencies, seconds=time.perf_counter() - started, failures=failures)
