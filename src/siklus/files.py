"""Files that are either whole or not there: atomic writes, digests, a lock."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from siklus.errors import FileError

# What says that the disk is full or closed to us; any other OSError is not about this file.
DISK_TROUBLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EBUSY,
    errno.ENAMETOOLONG,
}

Draft = TypeVar("Draft")

CHUNK_BYTES = 1 << 20  # read at once when digesting: large enough that the loop costs nothing


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever the file is replaced or touched; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Say a full or read-only disk as FS001."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in DISK_TROUBLE:
            raise
        raise FileError(
            "FS001",
            f"{path}: cannot be written: {exc.strerror or exc}",
            expected="a writable disk with room left",
        ) from exc


def write_atomic(path: Path, content: bytes | str, *, mode: int = 0o644) -> None:
    """Write the whole file or none of it: a reader sees the old content or the new, never a part.

    ``mode``: who may read it; nobody else could at any moment before.
    """
    with disk_errors(path), _drafted(path, content, mode=mode) as draft:
        draft.replace(path)


def write_once(path: Path, content: bytes | str, *, mode: int = 0o644) -> bool:
    """The same, unless the file is there: of several writers the first one's stays; whether it was this."""
    with disk_errors(path), _drafted(path, content, mode=mode) as draft:
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return False
    return True


@contextmanager
def _drafted(path: Path, content: bytes | str, *, mode: int) -> Iterator[Path]:
    """The content under another name beside ``path``, on the disk; what is done with it is made durable."""
    data = content.encode() if isinstance(content, str) else content
    handle, name = _beside(path, tempfile.mkstemp)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
    sync_directory(path.parent)


def _beside(path: Path, make: Callable[..., Draft]) -> Draft:
    """A draft in the directory of ``path``, which is made; as tempfile's functions give it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return make(dir=path.parent, prefix=f".{path.name}.")
    except FileNotFoundError as exc:
        # All above it is there or was made, so it is no directory of a disk: /proc is none.
        raise PermissionError(errno.EACCES, "nothing can be made in its directory") from exc


@contextmanager
def directory_atomic(target: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes ``target`` when the block ends well, and vanishes otherwise.

    An existing ``target`` is replaced. Everything is synced before the rename.
    """
    with disk_errors(target):
        draft = Path(_beside(target, tempfile.mkdtemp))
    try:
        with disk_errors(target):
            yield draft
            _sync_tree(draft)
            draft.chmod(0o755)
            _put_in_place(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _sync_tree(directory: Path) -> None:
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir():
            sync_directory(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _put_in_place(draft: Path, target: Path) -> None:
    if target.exists():
        # A directory that is not empty cannot be renamed over: the old one steps aside first.
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        target.rename(aside)
        draft.rename(target)
        shutil.rmtree(aside)
    else:
        draft.rename(target)
    sync_directory(target.parent)


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def lock(path: Path, *, what: str) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; FS002 at once when another process holds it.

    The kernel lets go when the process dies, so a crash leaves no lock behind.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise FileError(
                "FS002", f"{path}: {what} is already running here", expected="one at a time"
            ) from exc
        yield
