"""Arrival: a sealed bundle out of a stream. Nothing of it counts before all of it is here and verified."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from siklus.bundle.manifest import FILE_NAME
from siklus.errors import RegistryError
from siklus.files import disk_errors

MOST_FILES = 1_000
MOST_BYTES = 8_000_000_000  # unpacked: what a stream unpacks to is not known before
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
            with disk_errors(bundles), tarfile.open(fileobj=stream, mode="r|*") as tar:
                _unpack(tar, draft)
        except (tarfile.TarError, EOFError, ValueError) as exc:
            raise _refused(f"what came is no whole tar: {exc}") from exc
        yield _root(draft)


def _unpack(tar: tarfile.TarFile, draft: Path) -> None:
    """Plain files only, each below ``draft``: neither links nor devices can be made by a stream."""
    files = size = 0
    for member in tar:
        if member.isdir():
            continue
        name = _name(member)
        files, size = files + 1, size + member.size
        if files > MOST_FILES or size > MOST_BYTES:
            raise _refused(f"more than {MOST_FILES} files or {MOST_BYTES:,} bytes")
        content = tar.extractfile(member)
        target = draft / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None or target.exists():
            raise _refused(f"{name} stands twice, or is no file")
        with content, target.open("xb") as file:
            shutil.copyfileobj(content, file)


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
