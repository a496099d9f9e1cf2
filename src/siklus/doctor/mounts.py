"""Mounts: which file system a path lies on. Linux's /proc; elsewhere nothing is known."""

import re
from pathlib import Path

from msgspec import Struct

# On these locks and memory maps of several machines do not meet, which SQLite's WAL mode needs.
SHARED = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.s3fs"}
)
MOUNTS = Path("/proc/self/mounts")


class Mount(Struct, frozen=True, kw_only=True):
    """``kind``: such as ext4. ``read_only``: nothing there can be written."""

    place: str
    kind: str
    read_only: bool

    @property
    def shared(self) -> bool:
        return self.kind in SHARED


def mount_of(path: Path, *, table: str | None = None) -> Mount | None:
    """The mount that holds ``path``: of those above it the nearest, of those at one place the last.

    >>> mount_of(Path("/srv/state/a"), table="/dev/a / ext4 rw 0 0\\nhost:/x /srv/state nfs4 rw 0 0").kind
    'nfs4'
    """
    text = _table() if table is None else table
    found = None
    for line in text.splitlines():
        _, place, kind, options, *_ = line.split()
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place)
        inside = path == Path(place) or Path(place) in path.parents
        if inside and (found is None or len(place) >= len(found.place)):
            found = Mount(place=place, kind=kind, read_only="ro" in options.split(","))
    return found


def _table() -> str:
    try:
        return MOUNTS.read_text()
    except OSError:
        return ""
