"""Files are whole or not there: whatever happens to their writer, and to the disk."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from siklus.errors import FileError
from siklus.files import directory_atomic, lock, sha256, write_atomic, write_once

# A writer that says when it begins and then never stops: whole files of a's and of b's in turn.
ENDLESS_FILE = """
import sys
from pathlib import Path
from siklus.files import write_atomic
while True:
    for letter in "ab":
        write_atomic(Path(sys.argv[1]), letter * 3_000_000)
        print(letter, flush=True)
"""

ENDLESS_DIRECTORY = """
import sys
from pathlib import Path
from siklus.files import directory_atomic
while True:
    for letter in "ab":
        with directory_atomic(Path(sys.argv[1])) as draft:
            for name in ("one", "two"):
                (draft / name).write_text(letter * 100_000)
        print(letter, flush=True)
"""

# No file of this process may grow beyond 100,000 bytes: what a full disk looks like to it.
SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from siklus.errors import FileError
from siklus.files import directory_atomic, write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
target = Path(sys.argv[1])
try:
    if target.is_dir():
        with directory_atomic(target) as draft:
            (draft / "first").write_bytes(b"new" * 10)
            (draft / "second").write_bytes(b"new" * 100_000)
    else:
        write_atomic(target, b"new" * 100_000)
except FileError as exc:
    print(exc)
"""

HOLDER = """
import sys, time
from pathlib import Path
from siklus.files import lock
with lock(Path(sys.argv[1]), what="a training"):
    print("held", flush=True)
    time.sleep(60)
"""


def start(code: str, path: Path) -> subprocess.Popen[str]:
    """Run ``code`` in a process of its own, and wait until it has said its first word."""
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def entries(folder: Path) -> list[str]:
    """All names, the hidden ones of drafts too."""
    return sorted(path.name for path in folder.iterdir())


def visible(folder: Path) -> list[str]:
    return [name for name in entries(folder) if not name.startswith(".")]


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path, seed: int) -> None:
    target = tmp_path / "file"
    process = start(ENDLESS_FILE, target)
    time.sleep(random.Random(seed).uniform(0, 0.05))
    kill(process)
    content = target.read_text()
    assert content in {"a" * 3_000_000, "b" * 3_000_000}
    assert visible(tmp_path) == ["file"]


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_writer_leaves_a_whole_directory_or_none(tmp_path: Path, seed: int) -> None:
    target = tmp_path / "bundle"
    process = start(ENDLESS_DIRECTORY, target)
    time.sleep(random.Random(seed).uniform(0, 0.05))
    kill(process)
    found = [(target / name).read_text() for name in ("one", "two")] if target.exists() else []
    assert found in ([], ["a" * 100_000] * 2, ["b" * 100_000] * 2)


def run_on_a_small_disk(target: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(target)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomic(target, "old")
    assert run_on_a_small_disk(target).startswith(f"FS001 {target}: cannot be written: File too large")
    assert target.read_text() == "old"
    assert entries(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_directory_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with directory_atomic(target) as draft:
        (draft / "first").write_text("old")
    assert run_on_a_small_disk(target).startswith(f"FS001 {target}: cannot be written: File too large")
    assert visible(target) == ["first"]
    assert (target / "first").read_text() == "old"
    assert entries(tmp_path) == ["bundle"]


def test_a_file_is_written_whole_into_folders_that_are_made(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file"
    for content in ("first", b"second \xff"):
        write_atomic(target, content)
        assert target.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert entries(target.parent) == ["file"]
    assert target.stat().st_mode & 0o777 == 0o644, "others may read what one user wrote"


def test_a_name_that_no_disk_takes_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="name too long"):
        write_atomic(tmp_path / ("x" * 300), "a page")


@pytest.mark.parametrize("name", ["page.html", "new/page.html"])
def test_a_directory_that_is_of_no_disk_is_said(name: str) -> None:
    path = Path("/proc") / name
    with pytest.raises(FileError, match=rf"FS001 {path}: cannot be written"):
        write_atomic(path, "")
    with pytest.raises(FileError, match=rf"FS001 {path}: cannot be written"), directory_atomic(path):
        raise AssertionError("never reached")


def test_a_directory_appears_whole_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with directory_atomic(target) as draft:
        (draft / "inner").mkdir()
        (draft / "inner" / "file").write_text("content")
        assert not target.exists()
    assert (target / "inner" / "file").read_text() == "content"
    assert entries(tmp_path) == ["bundle"]


def write_halfway(target: Path, trouble: BaseException) -> None:
    with directory_atomic(target) as draft:
        (draft / "file").write_text("new")
        raise trouble


@pytest.mark.parametrize(
    "trouble", [ValueError("no"), KeyboardInterrupt(), FileNotFoundError(2, "of another file")]
)
def test_a_directory_whose_block_fails_never_was(tmp_path: Path, trouble: BaseException) -> None:
    target = tmp_path / "bundle"
    with directory_atomic(target) as draft:
        (draft / "file").write_text("old")
    with pytest.raises(type(trouble)):
        write_halfway(target, trouble)
    assert (target / "file").read_text() == "old"
    assert entries(tmp_path) == ["bundle"]


def test_a_directory_that_is_replaced_keeps_nothing_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    for name in ("old", "new"):
        with directory_atomic(target) as draft:
            (draft / name).write_text(name)
    assert visible(target) == ["new"]
    assert entries(tmp_path) == ["bundle"]


def test_a_second_process_is_told_at_once_that_the_first_is_running(tmp_path: Path) -> None:
    path = tmp_path / "run" / "train.lock"
    path.parent.mkdir()
    holder = start(HOLDER, path)
    try:
        with (
            pytest.raises(FileError, match=r"^FS002 .*a training is already running"),
            lock(path, what="a training"),
        ):
            raise AssertionError("two hold one lock")
    finally:
        kill(holder)
    with lock(path, what="a training"):  # what a killed process held is free
        pass
    with lock(path, what="a training"):  # and so is what a block has left
        pass


def test_the_digest_is_sha256_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = random.Random(0).randbytes(2_500_000)  # more than is read at once
    path.write_bytes(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()


def test_what_is_written_once_stays_as_the_first_one_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token"
    assert write_once(path, "first", mode=0o600)
    assert not write_once(path, "second")
    assert path.read_text() == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["token"]
