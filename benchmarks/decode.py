"""`python -m benchmarks.decode`: microseconds a row of each way from a request's bytes to float32."""

import argparse
import sys
import timeit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table as Printed

from benchmarks.serving.case import Case, default_cache, open_case
from benchmarks.serving.dialects import NAMED, TUTORIAL, Dialect
from benchmarks.serving.failures import BenchmarkError
from siklus.bundle.read import open_bundle
from siklus.contract.columns import Contract
from siklus.contract.decode import decode_records, decode_table
from siklus.contract.quick import QuickReader
from siklus.table import Table

TICK = 16  # requests that one turn of the event loop finds at 16 connections
BATCH = 10_000
REPEATS = 5  # the fastest counts: whatever else ran on the machine can only add


@dataclass(frozen=True, kw_only=True)
class Way:
    """``rows``: how many one call decodes."""

    name: str
    rows: int
    decode: Callable[[], object]

    def row_us(self, *, seconds: float) -> float:
        """Microseconds a row, the fastest of the repeats, which take these seconds together at least."""
        timer = timeit.Timer(self.decode)
        once = min(timer.repeat(REPEATS, 1))
        calls = max(1, int(seconds / REPEATS / once))
        return min(timer.repeat(REPEATS, calls)) / calls / self.rows * 1e6


def main(arguments: Sequence[str]) -> int:
    """0; 1 with the reason on stderr when there is nothing to measure with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decode", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1, help="of each way (%(default)s)")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    parser.add_argument("--cache", type=Path, help="where the model is kept")
    given = parser.parse_args(arguments)
    try:
        case = open_case(given.cache or default_cache())
    except BenchmarkError as error:
        sys.stderr.write(f"benchmarks.decode: {error}\n")
        return 1
    found = {way.name: round(way.row_us(seconds=given.seconds), 3) for way in ways(case)}
    if given.json:
        sys.stdout.write(msgspec.json.encode({"row_us": found}).decode() + "\n")
        return 0
    table = Printed("way", "µs a row", title=f"{len(case.columns)} numbers a row")
    for name, cost in found.items():
        table.add_row(name, f"{cost:g}")
    Console().print(table)
    return 0


def ways(case: Case) -> Iterator[Way]:
    """The hot path, the app's path, batches, and the path of training."""
    contract = open_bundle(case.bundle).contract
    for kind, dialect in (("list", TUTORIAL), ("object", NAMED)):
        body = _body(case, 0, dialect)
        bodies = [_body(case, row, dialect) for row in range(TICK)]
        reader = QuickReader(contract)
        yield Way(name=f"hot path, one {kind}", rows=1, decode=lambda r=reader, b=body: _quick(r, [b]))
        yield Way(name=f"hot path, {TICK} {kind}s", rows=TICK, decode=lambda r=reader, b=bodies: _quick(r, b))
        yield Way(name=f"app, one {kind}", rows=1, decode=lambda b=body: _records(b, contract))
    rows = (case.rows * (-(-BATCH // len(case.rows))))[:BATCH]
    batch = msgspec.json.encode({"instances": rows})
    yield Way(
        name=f"batch of {BATCH:,} lists",
        rows=BATCH,
        decode=lambda: decode_records(msgspec.json.decode(batch)["instances"], contract),
    )
    table = Table(dict(zip(case.columns, np.array(rows).T, strict=True)))
    yield Way(name=f"table of {BATCH:,} rows", rows=BATCH, decode=lambda: decode_table(table, contract))


def _body(case: Case, row: int, dialect: Dialect) -> bytes:
    return msgspec.json.encode(dialect.write(case.rows[row], case.columns))


def _quick(reader: QuickReader, bodies: Sequence[bytes]) -> None:
    rows = [row for body in bodies if (row := reader.row(body)) is not None]
    assert len(rows) == len(bodies)
    assert reader.rows(rows) is not None


def _records(body: bytes, contract: Contract) -> None:
    assert not decode_records([msgspec.json.decode(body)["features"]], contract).problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
