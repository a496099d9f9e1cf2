"""A disk that is full, or a file that may not grow: records are dropped and counted, and the log goes on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.figures import Figure

FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.records.rows import open_log, record_of, written_to, is_right
from siklus.project.sections import Records
directory = Path(sys.argv[1])
log = open_log(directory, Records(segment_bytes=30_000))
fill = directory / "filler"
def send(start, count):
    for i in range(start, start + count):
        log.append(record_of(i))
        if i % 20 == 19:
            log.flush()
    log.flush()
    return log.written, log.dropped
first = send(0, 400)
try:
    with fill.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    pass
full = send(400, 2000)
fill.unlink()
after = send(2400, 400)
log.close()
records = written_to(directory)
print(*first, *full, *after, len(records), sum(not is_right(r) for r in records))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_drops_and_counts_and_when_there_is_room_again_the_log_goes_on(
    small_disk: Path, figure: Figure
) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(small_disk)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'src'}:{root}"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    written, dropped, full_written, full_dropped, after_written, after_dropped, found, wrong = map(
        int, done.stdout.split()
    )
    assert (written, dropped) == (400, 0)
    assert full_dropped > 0
    assert full_written + full_dropped == 2400  # every record is one or the other
    assert (after_written, after_dropped) == (full_written + 400, full_dropped)
    assert (found, wrong) == (after_written, 0)
    figure(
        "full disk below the log: records said to be written and lost", f"{after_written - found} of {found}"
    )


TOO_LARGE = """
import resource, sys
from pathlib import Path
from tests.records.rows import open_log, record_of, written_to, is_right
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
log = open_log(Path(sys.argv[1]))
for i in range(1000):
    log.append(record_of(i))
    if i % 20 == 19:
        log.flush()
log.close()
records = written_to(Path(sys.argv[1]))
print(log.written, log.dropped, len(records), sum(not is_right(r) for r in records))
"""


def test_a_file_that_may_not_grow_is_left_for_another(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", TOO_LARGE, str(tmp_path)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{root / 'src'}:{root}"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    written, dropped, found, wrong = map(int, done.stdout.split())
    assert written + dropped == 1000
    assert (found, wrong) == (written, 0)
    assert written > 900  # one group is lost at each turn


NO_DESCRIPTORS = """
import os, resource, sys, time
from pathlib import Path
from tests.records.rows import open_log, record_of
from siklus.project.sections import Records
log = open_log(Path(sys.argv[1]), Records(durability=sys.argv[2]))
log.append(record_of(0))
log.flush()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for i in range(1, 5):
    log.append(record_of(i))
    time.sleep(0.1)
before = log.written, log.synced
for descriptor in taken:
    os.close(descriptor)
give_up = time.monotonic() + 20
while log.synced < 5 and time.monotonic() < give_up:
    time.sleep(0.01)
print(*before, log.synced, log.dropped)
log.close()
"""


@pytest.mark.parametrize("durability", ["written", "synced"])
def test_without_descriptors_the_log_goes_on_and_syncs_later(durability: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_DESCRIPTORS, str(tmp_path), durability],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["5", "1", "5", "0"], done.stderr
