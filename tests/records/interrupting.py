"""`python -m tests.records.interrupting DIR STRIDE`: kills a compaction before each STRIDE-th of its steps.

A step is whatever Python does to a file (its audit events). After each kill the records are counted, a
compaction is run to its end, and they are counted again. A program of its own, because it forks.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from siklus.project.sections import Records
from siklus.records.compact import compact
from siklus.records.layout import Layout
from siklus.records.query import query
from tests.records.rows import NOON_US, open_log, record_of

STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
DAYS = 2
ROWS = 60
COUNT = """
SELECT count(*), count(DISTINCT prediction_id), sum(predicted_number IS NULL)::BIGINT
FROM (FROM predictions UNION ALL FROM shadows)
"""


def fill(layout: Layout) -> None:
    """Segments of two days and one that is still written."""
    for part in range(3):
        log = open_log(layout.segments, Records(segment_bytes=1_000))
        for i in range(part * ROWS // 3, (part + 1) * ROWS // 3):
            record = list(record_of(i))
            record[1] = NOON_US + part % DAYS * 86_400_000_000
            log.append(tuple(record))  # type: ignore[arg-type]  # a record again
            if i % 5 == 4:
                log.flush()
        log.close()


def compact_all(layout: Layout) -> None:
    # A week later: every day is over, so that its files are merged too.
    compact(layout, Records(), now=NOON_US / 1e6 + 7 * 86_400)


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Whether the work was killed before it had made that many steps."""
    child = os.fork()
    if child == 0:
        made = 0

        def count(event: str, _arguments: object) -> None:
            nonlocal made
            if event in STEPS:
                made += 1
                if made == step:
                    end(signal.SIGKILL)

        sys.addaudithook(count)
        work()
        end(signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def end(number: signal.Signals) -> None:
    """End this child at once: it must not go on with what its parent does."""
    os.kill(os.getpid(), number)


def in_a_child(work: Callable[[], object]) -> object:
    """DuckDB has threads, and a process with threads must not fork: so it works in children only."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(work()).encode())
        end(signal.SIGTERM)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said)


def looked_at(layout: Layout) -> list[object]:
    """What is counted, before and after another compaction."""
    counted = [query(layout, COUNT).rows[0]]
    compact_all(layout)
    return [*counted, query(layout, COUNT).rows[0]]


def main(directory: Path, stride: int) -> None:
    filled = Layout(directory / "filled")
    in_a_child(lambda: fill(filled))
    steps, wrong, step = 0, 0, 1 - stride
    is_killed = True
    while is_killed:
        step += stride
        layout = Layout(directory / "tried")
        shutil.copytree(filled.root, layout.root)
        is_killed = killed_at(step, lambda layout=layout: compact_all(layout))
        counted = in_a_child(lambda layout=layout: looked_at(layout))
        left = len(list(layout.segments.iterdir()))
        files = len(list(layout.parquet.glob("*/*")))
        wrong += counted != [[ROWS, ROWS, ROWS]] * 2 or left != 0 or files != DAYS
        steps += is_killed
        shutil.rmtree(layout.root)
    sys.stdout.write(json.dumps({"steps": steps, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
