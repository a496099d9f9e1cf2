"""A bundle out of a stream: what a hostile one cannot make of the machine that reads it."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from siklus.errors import RegistryError
from siklus.registry.arrival import arriving


def header(name: str, kind: bytes, size: int = 0) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE], ids=["name", "pax"])
def test_no_header_is_read_that_fills_the_memory(kind: bytes, tmp_path: Path) -> None:
    """As it comes it is small, and it unpacks to what it says."""
    stream = io.BytesIO(gzip.compress(header("large", kind, 32_000_000) + bytes(32_000_000), compresslevel=1))
    with pytest.raises(RegistryError, match="a header of 32,000,000 bytes"), arriving(stream, tmp_path):
        pass


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    many = b"".join(header(f"folder{i}", tarfile.DIRTYPE) for i in range(2_000))
    with pytest.raises(RegistryError, match="more than 1,000"), arriving(io.BytesIO(many), tmp_path):
        pass
