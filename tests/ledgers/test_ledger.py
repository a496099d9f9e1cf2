"""Ledgers: what one process adds, all can read, and nothing that lies in the directory can stop a server."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from siklus.ledgers.ledger import MAGIC, Title, open_row, read_file
from siklus.serve.counting.shelf import Shelf, shared_counters

TITLE = Title(text=b'{"what":"a test"}', counts=5, sums=2)

ADD_FOREVER = """
import sys
from pathlib import Path
from siklus.ledgers.ledger import Title
from siklus.serve.counting.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]), row=int(sys.argv[2]))
row = shelf.open("x", Title(text=b'{"what":"a test"}', counts=5, sums=2))
times = int(sys.argv[3])
print(shelf.row, flush=True)
while times:
    row.counts[0] += 1
    row.sums[1] += 0.5
    times -= 1
"""


def adder(directory: Path, *, row: int, times: int) -> subprocess.Popen[str]:
    """A process that adds 1 and 0.5 so many times; below 0: until it is killed."""
    arguments = [sys.executable, "-c", ADD_FOREVER, str(directory), str(row), str(times)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def read(directory: Path) -> tuple[list[int], list[float]]:
    sheet = read_file(directory / "x.ledger")
    assert sheet is not None
    assert sheet.text == TITLE.text
    return sheet.counts.sum(axis=0).tolist(), sheet.sums.sum(axis=0).tolist()


def test_rows_add_up_and_outlive_their_processes(tmp_path: Path) -> None:
    processes = [adder(tmp_path, row=row, times=20_000) for row in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    for process in processes:
        process.communicate()
    assert read(tmp_path) == ([80_000, 0, 0, 0, 0], [0, 40_000.0])


def test_whoever_comes_next_goes_on_in_the_same_row(tmp_path: Path) -> None:
    for times in (3, 4):
        process = adder(tmp_path, row=2, times=times)
        assert process.communicate(timeout=60)[0] == "2\n"
    assert read(tmp_path)[0][0] == 7


def test_no_two_living_processes_have_one_row(tmp_path: Path) -> None:
    first, second = Shelf(tmp_path, row=1), Shelf(tmp_path, row=1)
    assert (first.row, second.row) == (1, 2)
    first.close()
    third = Shelf(tmp_path, row=1)
    assert third.row == 1
    for shelf in (second, third):
        shelf.close()


def test_a_reader_never_sees_a_count_fall_while_others_add_or_are_killed(tmp_path: Path) -> None:
    writers = [adder(tmp_path, row=row, times=-1) for row in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    seen, stop = [read(tmp_path)], time.monotonic() + 1.5
    killed = False
    while time.monotonic() < stop:
        seen.append(read(tmp_path))
        if not killed and time.monotonic() > stop - 0.7:
            writers[0].send_signal(signal.SIGKILL)
            killed = True
    for writer in writers:
        writer.kill()
        writer.communicate()
    counts, sums = np.array([count for count, _ in seen]), np.array([total for _, total in seen])
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (np.diff(sums, axis=0) >= 0).all()
    assert counts[-1, 0] > counts[0, 0]
    total, halves = read(tmp_path)
    assert abs(total[0] / 2 - halves[1]) <= len(writers) / 2, "a kill falls between two additions at most"


def test_another_title_begins_a_new_ledger(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, row=0)
    shelf.open("x", TITLE).counts[0] += 5
    shelf.open("x", Title(text=b"other", counts=5, sums=2)).counts[0] += 1
    [sheet] = shelf.sheets()
    assert (sheet.text, sheet.counts[0, 0]) == (b"other", 1)
    shelf.close()


def test_more_rows_than_before_find_their_place(tmp_path: Path) -> None:
    for row in (0, 1, 9):
        shelf = Shelf(tmp_path, row=row)
        shelf.open("x", TITLE).counts[0] += 1
        shelf.close()
    assert read(tmp_path)[0][0] == 3


HEAD = TITLE.head
TORN = {
    "empty": b"",
    "a few bytes": b"SIKLUS",
    "noise": os.urandom(9000),
    "half a head": HEAD[:2000],
    "no rows": HEAD,
    "another format": HEAD[:8] + struct.pack("<Q", 2) + HEAD[16:],
    "a title that was changed": HEAD.replace(b"a test", b"a tost"),
    "counts beyond all bounds": struct.pack("<8sQQQQ", MAGIC, 1, 2**63, 2**63, 17) + HEAD[40:],
    "a title beyond all bounds": struct.pack("<8sQQQQ", MAGIC, 1, 5, 2, 2**63) + HEAD[40:],
}


@pytest.mark.parametrize("content", TORN.values(), ids=TORN)
def test_a_torn_or_foreign_file_is_passed_over_and_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.ledger"
    path.write_bytes(content)
    found = read_file(path)
    assert found is None or not found.counts.sum()
    row = open_row(path, TITLE, row=1)
    row.counts[4] += 1
    assert read(tmp_path)[0] == [0, 0, 0, 0, 1]


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "folder.ledger").mkdir()
    os.mkfifo(tmp_path / "pipe.ledger")
    (tmp_path / "link.ledger").symlink_to("/etc/hostname")
    shelf = Shelf(tmp_path, row=0)
    assert shelf.sheets() == []
    for name in ("folder", "pipe", "link"):
        shelf.open(name, TITLE).counts[0] += 1
    assert [sheet.counts[0, 0] for sheet in shelf.sheets()] == [1, 1, 1], "each counts in memory instead"
    shelf.close()


def test_a_directory_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shelf = Shelf(tmp_path / "file" / "counters", row=3)
    shelf.open("x", TITLE).counts[0] += 1
    assert [sheet.counts[3, 0] for sheet in shelf.sheets()] == [1]
    shelf.close()


COUNT_WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
from siklus.ledgers.ledger import Title
from siklus.serve.counting.shelf import Shelf
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
shelf = Shelf(Path(sys.argv[1]), row=0)
row = shelf.open("x", Title(text=b"x", counts=5000, sums=0))
for place in range(5000):
    row.counts[place] += 1
print(sum(sheet.counts.sum() for sheet in shelf.sheets()))
"""


def test_a_full_disk_is_no_reason_to_stop(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_WITHOUT_ROOM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "5000\n"
    assert "counts in its memory" in done.stderr


def test_counters_without_a_state_directory_end_with_the_server() -> None:
    with shared_counters(None) as directory:
        shelf = Shelf(directory, row=0)
        shelf.open("x", TITLE)
        shelf.close()
        assert directory.is_dir()
    assert not directory.exists()


def test_what_killed_servers_left_behind_is_removed() -> None:
    with shared_counters(None) as one, shared_counters(None) as other:
        alive = Shelf(one, row=0)
        for directory in (one, other):
            os.utime(directory, (0, 0))
        with shared_counters(None):
            assert one.is_dir()
            assert not other.exists()
        alive.close()


def test_counters_with_a_state_directory_stay(tmp_path: Path) -> None:
    with shared_counters(tmp_path / "run") as directory:
        Shelf(directory, row=0).close()
    assert directory == tmp_path / "run" / "counters"
    assert directory.is_dir()
