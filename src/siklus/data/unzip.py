"""The one table inside a zip file, unpacked with a limit."""

import zipfile
import zlib
from pathlib import Path

from siklus.errors import DataError
from siklus.files import disk_errors

CHUNK_BYTES = 1 << 20

# A table shrinks 3 to 20 times, a bomb 1000 times: what unpacks to more than both limits is refused.
FREE_BYTES = 1 << 30
LARGEST_RATIO = 200


def unpack(path: Path, *, into: Path) -> Path:
    """Write the zip's only member into a directory and return where; DA010 for none, several, or too much.

    Directories and the resource forks that macOS adds do not count as members.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive, path)
            target = into / Path(member.filename).name
            _write(archive, member, target, path)
            return target
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
        # zipfile says an encrypted member as a RuntimeError, an unknown compression as NotImplementedError.
        raise DataError("DA010", f"{path}: {exc}", expected="a whole zip file without a password") from exc


def _only_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and not member.filename.startswith("__MACOSX/")
        and not member.filename.endswith(".DS_Store")
    ]
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:5]) or "none"
        raise DataError(
            "DA010", f"{path}: {len(members)} files inside ({names})", expected="exactly one table inside"
        )
    return members[0]


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, path: Path) -> None:
    limit = max(FREE_BYTES, LARGEST_RATIO * member.compress_size)
    written = 0
    with archive.open(member) as packed, disk_errors(target), target.open("wb") as file:
        # The size that the archive declares is the archive's word, so it is counted as well.
        while (chunk := packed.read(CHUNK_BYTES)) and max(written, member.file_size) <= limit:
            written += file.write(chunk)
    if max(written, member.file_size) > limit:
        target.unlink()
        raise DataError(
            "DA010",
            f"{path}: {member.filename} unpacks to more than {limit >> 20} MiB",
            expected=f"at most {FREE_BYTES >> 20} MiB, or {LARGEST_RATIO} times the packed size",
        )
