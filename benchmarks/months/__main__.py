"""`python -m benchmarks.months`: train January's model as the demo does, then look at the year; minutes."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import msgspec

from benchmarks.months.champion import trained
from benchmarks.months.page import Study, markdown
from benchmarks.months.year import NAMES, Shuffle, control, month, months, whole_year
from siklus.demo.flights import make_project

REST_OF_YEAR = range(2, 13)
SHUFFLES = 10
FIT_ROWS = 26_000  # about January's
WINDOW_ROWS = (27_000, 500)  # about a month's, and about half a day's
WINDOWS = 11  # of a shuffle


def main(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        found = study(given.cache or Path(scratch), shuffles=given.shuffles)
    encoded = msgspec.json.encode(found)
    if given.output:
        given.output.write_bytes(encoded + b"\n")
    print(encoded.decode() if given.json else markdown(found))
    return 0


def study(folder: Path, *, shuffles: int) -> Study:
    """In ``folder``: the demo's project. What was trained there before is not trained again."""
    project = make_project(folder)
    champion = trained(project)
    tables = [(NAMES[number - 1], month(folder, number)) for number in REST_OF_YEAR]
    looks = tuple(months(champion, tables))
    year = whole_year(folder)
    # The demo's gate is about January; here the floor is the default, a quarter more error than measured.
    settings = msgspec.structs.replace(project.settings, gates=type(project.settings.gates)())
    random = [
        look
        for seed, rows in product(range(shuffles), WINDOW_ROWS)
        for look in control(
            year,
            champion.contract,
            settings,
            Shuffle(seed=seed, fit_rows=FIT_ROWS, window_rows=rows, windows=WINDOWS),
        )
    ]
    return Study(evaluated=champion.evaluated, floor=champion.floor, months=looks, control=tuple(random))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.months", description=__doc__)
    parser.add_argument("--cache", type=Path, help="a folder for the demo's project; else a new one")
    parser.add_argument("--shuffles", type=int, default=SHUFFLES, help="of the year, for the control")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of the tables")
    parser.add_argument("--output", type=Path, help="a file for the JSON as well")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
