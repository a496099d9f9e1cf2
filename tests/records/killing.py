"""`python -m tests.records.killing DIR COUNT`: kills writers at random times, and counts what is left.

A program of its own, because it forks: nothing is imported twice, so that a writer costs milliseconds.
"""

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

from siklus.project.sections import Records
from siklus.records.segments import adopt, all_segments
from tests.records.rows import expected_of, number_of, open_log, record_of, written_to

LONGEST_LIFE_SECONDS = 0.022


def write_for_ever(directory: Path, acknowledged: mmap.mmap) -> None:
    """Tells in ``acknowledged`` how many records are written, after they are."""
    adopt(directory, now=time.time())
    settings = Records(segment_bytes=20_000, segment_seconds=0.02)
    log = open_log(directory, settings)
    i = 0
    while True:
        for _ in range(20):
            log.append(record_of(i))
            i += 1
        log.flush()
        struct.pack_into("<Q", acknowledged, 0, log.written)


def killed_writers(directory: Path, count: int) -> dict[str, int]:
    chance = random.Random(11)
    acknowledged = mmap.mmap(-1, 8)
    told: list[tuple[str, int]] = []
    for _ in range(count):
        struct.pack_into("<Q", acknowledged, 0, 0)
        before = {path.stem for path in all_segments(directory)}
        child = os.fork()
        if child == 0:
            write_for_ever(directory, acknowledged)
        time.sleep(chance.uniform(0.004, LONGEST_LIFE_SECONDS))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        [written] = struct.unpack_from("<Q", acknowledged, 0)
        logs = {path.stem.rpartition("-")[0] for path in all_segments(directory) if path.stem not in before}
        told += [(log, written) for log in logs]
    return summed_up(directory, told)


def summed_up(directory: Path, told: list[tuple[str, int]]) -> dict[str, int]:
    """``told``: of each log, how many of its records were acknowledged."""
    found: dict[str, list[int]] = {}
    wrong = 0
    for record in written_to(directory):
        i = number_of(record)
        wrong += record != expected_of(i, log=record.log, sequence=i)
        found.setdefault(record.log, []).append(i)
    lost = sum(len(set(range(written)) - set(found.get(log, []))) for log, written in told)
    doubled = sum(len(numbers) - len(set(numbers)) for numbers in found.values())
    acknowledged = sum(written for _, written in told)
    return {"acknowledged": acknowledged, "lost": lost, "wrong": wrong, "doubled": doubled, "logs": len(told)}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(json.dumps(killed_writers(folder, int(sys.argv[2]))))
