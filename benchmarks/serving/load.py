"""Load: many connections that ask without a pause. wrk where it is, else a slower generator of our own."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec
import numpy as np

from benchmarks.serving.failures import BenchmarkError

WIRE = Path(__file__).with_name("wire.lua")
ANSWER_SECONDS = 20  # wrk counts an answer that takes longer as failed; BASELINE at 64 connections takes 1.5


@dataclass(frozen=True, kw_only=True)
class Wave:
    """``bodies``: a file with a JSON body a line."""

    url: str
    bodies: Path
    connections: int
    seconds: float


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came back of a wave. The seconds are those that it really took; failures are not 2xx, or none."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failures: int = 0


Load: TypeAlias = Callable[[Wave], Answered]


def wrk(wave: Wave) -> Answered:
    """One thread: on two cores the other one is the server's."""
    # wrk takes whole seconds only, and needs as many connections as threads at least.
    seconds = max(1, round(wave.seconds))
    timing = [f"--duration={seconds}s", f"--timeout={ANSWER_SECONDS}s"]
    command = ["wrk", "--threads=1", f"--connections={wave.connections}", *timing, f"--script={WIRE}"]
    done = subprocess.run(
        [*command, wave.url, "--", str(wave.bodies)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchmarkError(f"wrk ended with {done.returncode}: {done.stderr or done.stdout}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Answered)


def own(wave: Wave) -> Answered:
    """An asyncio client; it sends headers and body apart, as most Python clients do."""
    return asyncio.run(_ask_all(wave))


LOADS: Mapping[str, Load] = {"wrk": wrk, "own": own}


def available() -> str:
    """The best load that this machine has."""
    return "wrk" if shutil.which("wrk") else "own"


def answered(latencies_s: Sequence[float], *, seconds: float, failures: int = 0) -> Answered:
    """BenchmarkError when nothing was answered at all."""
    if not latencies_s:
        raise BenchmarkError("nothing was answered")
    p50, p99 = np.percentile(latencies_s, [50, 99]) * 1000
    return Answered(
        requests=len(latencies_s), seconds=seconds, p50_ms=float(p50), p99_ms=float(p99), failures=failures
    )


async def _ask_all(wave: Wave) -> Answered:
    parts = urlsplit(wave.url)
    bodies = wave.bodies.read_bytes().splitlines()
    start = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    requests = [(f"{start}Content-Length: {len(body)}\r\n\r\n".encode(), body) for body in bodies]
    latencies: list[float] = []
    started = time.perf_counter()
    failures = await asyncio.gather(
        *(
            _ask(parts.port or 80, cycle(requests), latencies, until=started + wave.seconds)
            for _ in range(wave.connections)
        )
    )
    return answered(latencies, seconds=time.perf_counter() - started, failures=sum(failures))


async def _ask(
    port: int, requests: Iterator[tuple[bytes, bytes]], latencies: list[float], *, until: float
) -> int:
    """Failures of one connection; its latencies, in seconds, are added."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    failures = 0
    try:
        while (asked := time.perf_counter()) < until:
            headers, body = next(requests)
            writer.write(headers)
            await asyncio.sleep(0)
            writer.write(body)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            latencies.append(time.perf_counter() - asked)
            failures += not head.startswith(b"http/1.1 2")
    finally:
        writer.close()
    return failures
