"""Arrival: a sealed bundle out of a stream. Nothing of it counts before all of it is here and verified."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Self

from siklus.bundle.manifest import FILE_NAME
from siklus.errors import RegistryError
from siklus.files import disk_errors

MOST_MEMBERS = 1_000
MOST_BYTES = 8_000_000_000  # unpacked: what a stream unpacks to is not known before
MOST_NAMING = 65_536  # bytes of a header that only names what follows: those are read into memory
EXPECTED = "a tar of one sealed bundle: `tar -C BUNDLE -c .`"


@contextmanager
def arriving(stream: IO[bytes], bundles: Path) -> Iterator[Path]:
    """The directory that a tar (compressed or not) holds, beside ``bundles``; gone after the block unless it
    was moved. RegistryError RG021 for what is no such tar."""
    with disk_errors(bundles):
        bundles.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bundles, prefix=".arriving.") as folder:
        draft = Path(folder) / "bundle"
        draft.mkdir()
        try:
            with disk_errors(bundles), tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Header) as tar:
                _unpack(tar, draft)
        except (tarfile.TarError, EOFError, ValueError) as exc:
            raise _refused(f"what came is no whole tar: {exc}") from exc
        yield _root(draft)


class _Header(tarfile.TarInfo):
    """A header as it is read. Also a small stream could unpack to one that no memory holds."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE) and found.size > MOST_NAMING:
            raise _refused(f"a header of {found.size:,} bytes")
        return found


def _unpack(tar: tarfile.TarFile, draft: Path) -> None:
    """Plain files only, each below ``draft``: neither links nor devices can be made by a stream."""
    size = 0
    for count, member in enumerate(tar, start=1):
        size += member.size
        if count > MOST_MEMBERS or size > MOST_BYTES:
            raise _refused(f"more than {MOST_MEMBERS:,} files and folders, or {MOST_BYTES:,} bytes")
        if not member.isdir():
            _put(tar, member, draft / _name(member))


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            if content is not None:
                shutil.copyfileobj(content, file)
    except (FileExistsError, NotADirectoryError) as exc:
        raise _refused(f"{member.name!r} stands twice, or is both file and folder") from exc


def _name(member: tarfile.TarInfo) -> PurePosixPath:
    name = PurePosixPath(member.name)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise _refused(f"{member.name!r} is no plain file")
    if name.is_absolute() or ".." in name.parts or "\0" in member.name or not name.parts:
        raise _refused(f"{member.name!r} does not lie in the bundle")
    return name


def _root(draft: Path) -> Path:
    """Where the manifest lies: at the top, or in the one directory there."""
    if not (draft / FILE_NAME).exists():
        inside = list(draft.iterdir())
        if len(inside) == 1 and (inside[0] / FILE_NAME).is_file():
            return inside[0]
        raise _refused(f"no {FILE_NAME} came")
    return draft


def _refused(what: str) -> RegistryError:
    return RegistryError("RG021", f"--bundle -: {what}", expected=EXPECTED)
