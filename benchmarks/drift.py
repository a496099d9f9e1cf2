"""`python -m benchmarks.drift`: seconds to profile a window of a million rows, and to judge it."""

import argparse
import sys
import timeit
from collections.abc import Sequence

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table as Printed

from siklus.contract.columns import Category, Contract, Number, Target
from siklus.monitor.drift.judge import drift, drift_watch
from siklus.monitor.drift.rows import WindowRows, profile_reference, profile_window
from siklus.project.sections import Monitor
from siklus.stats.profile import Profile

NUMBERS, WORDS, VOCABULARY = 15, 5, 50  # columns of either kind, words in each of the latter
TRAINED = 100_000  # rows of the reference
STEPS = 60  # as many as repeated looks go back
REPEATS = 3  # the fastest counts: whatever else ran on the machine can only add


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the window (%(default)s)")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    given = parser.parse_args(arguments)
    found = {name: round(seconds, 4) for name, seconds in measured(given.rows).items()}
    if given.json:
        sys.stdout.write(msgspec.json.encode({"seconds": found}).decode() + "\n")
        return 0
    table = Printed("what", "seconds", title=f"{given.rows:,} rows of {NUMBERS + WORDS} columns")
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.4g}")
    Console().print(table)
    return 0


def measured(count: int, *, repeats: int = REPEATS) -> dict[str, float]:
    """Seconds of each part of the work, the fastest of the repeats."""
    reference = profile_reference(rows(TRAINED, seed=0))
    window, settings = rows(count, seed=1), Monitor()
    profile = profile_window(window, reference)
    steps: list[Profile] = [profile] * STEPS
    work = {
        "profile": lambda: profile_window(window, reference),
        "judge": lambda: drift(reference, profile, settings=settings),
        f"evidence of {STEPS} steps": lambda: drift_watch(reference, steps, settings=settings),
    }
    return {name: min(timeit.repeat(done, number=1, repeat=repeats)) for name, done in work.items()}


def rows(count: int, *, seed: int) -> WindowRows:
    """Decoded rows without drift: every third number is skewed or has gaps, and words follow Zipf's law."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(count, NUMBERS)).astype(np.float32)
    numbers[:, ::3] = np.exp(numbers[:, ::3])
    numbers[rng.random(count) < 0.02, 1::3] = np.nan
    shares = 1 / np.arange(1, VOCABULARY + 1)
    words = rng.choice(VOCABULARY, size=(count, WORDS), p=shares / shares.sum()).astype(np.float32)
    vocabulary = tuple(f"w{i}" for i in range(VOCABULARY))
    contract = Contract(
        columns=(
            *(Number(name=f"n{i}", minimum=-1e6, maximum=1e6, nullable=True) for i in range(NUMBERS)),
            *(Category(name=f"c{i}", vocabulary=vocabulary) for i in range(WORDS)),
        ),
        target=Target(name="y"),
    )
    return WindowRows(contract, np.hstack([numbers, words]), rng.normal(size=count))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
