"""What a retraining beside the server costs those who ask: latency with one at work and without, in turn.

`python -m benchmarks.training`, with wrk. The retraining is the loop's own process, at the loop's priority.
"""

import argparse
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from statistics import median

from siklus.automation.retraining.workshop import Workshop
from siklus.cli.main import main as siklus
from siklus.project.file import open_project

ROWS = 40_000  # trained on for longer than all rounds take
CONNECTIONS = 16
START_SECONDS = 60.0
MODEL = {"SIKLUS_TRAIN__CANDIDATES": '["hist-gradient-boosting"]', "SIKLUS_TRAIN__TRIALS": "2"}
LONG = {"SIKLUS_TRAIN__TRIALS": "200", "SIKLUS_TRAIN__SECONDS": "3600", "SIKLUS_TRAIN__SEED": "7"}
LUA = 'wrk.method = "POST"; wrk.body = \'{"features": {"a": 0.3, "b": -1.2, "side": "l"}}\''
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def project_in(folder: Path) -> Path:
    """A project with its first version."""
    chance = random.Random(7)  # noqa: S311 - rows of no importance
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "side", "y"])
        for _ in range(ROWS):
            a, b, side = chance.gauss(0, 1), chance.gauss(0, 1), chance.choice("lr")
            writer.writerow([round(a, 4), round(b, 4), side, round(2 * abs(a) - b + chance.gauss(0, 0.1), 4)])
    os.environ.update(MODEL)
    for words in (
        ["init", str(folder), "--data", str(folder / "rows.csv"), "--target", "y"],
        ["train", "-C", str(folder)],
    ):
        with redirect_stdout(sys.stderr):
            if siklus(words) != 0:
                raise SystemExit(f"siklus {words[0]} failed")
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The server's address."""
    command = [sys.executable, "-c", "import sys; from siklus.cli.main import main; sys.exit(main())"]
    words = ["serve", "-C", str(folder), "--port", "0", "--workers", "1"]
    process = subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr or ():
            if found := re.search(r'"url": "([^"]+)"', line):
                time.sleep(2)  # its model is loaded by then
                yield found[1]
                return
        raise SystemExit("the server did not start")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=START_SECONDS)


def latencies(url: str, script: Path, *, seconds: float) -> tuple[float, float, float]:
    """(requests a second, median and 99 % latency in ms)."""
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-s", str(script)]
    said = subprocess.run([*load, f"{url}/predict"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    half, most = (_milliseconds(said, share) for share in ("50%", "99%"))
    return rate, half, most


def _milliseconds(said: str, share: str) -> float:
    [(value, unit)] = re.findall(rf"^\s+{share}\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    return float(value) * UNITS[unit]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    given = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk")
    alone, beside = [], []
    with tempfile.TemporaryDirectory() as place, served(project_in(Path(place))) as url:
        script = Path(place) / "ask.lua"
        script.write_text(LUA)
        settings = open_project(Path(place), environment={})
        workshop = Workshop(settings.paths, environment={**os.environ, **LONG})
        for number in range(1, given.rounds + 1):
            alone.append(latencies(url, script, seconds=given.seconds))
            workshop.start(number, trigger="asked by a benchmark")  # as nice as its own process makes it
            time.sleep(START_SECONDS / 6)  # until it fits models
            if not workshop.busy:
                raise SystemExit("the retraining was over before anything was measured")
            beside.append(latencies(url, script, seconds=given.seconds))
            workshop.end()
    names = ("requests_per_second", "median_ms", "p99_ms")
    found = {
        kind: dict(
            zip(names, (round(median(column), 3) for column in zip(*rounds, strict=True)), strict=True)
        )
        for kind, rounds in (("alone", alone), ("beside_training", beside))
    }
    ratios = {name: round(found["beside_training"][name] / found["alone"][name], 2) for name in names}
    print(json.dumps({**found, "ratios": ratios}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
