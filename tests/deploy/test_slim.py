"""What is taken out of an image: nothing that is needed, and libraries still load."""

import ctypes
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from siklus.deploy.images.slim import NEEDLESS, cut_symbols, drop_commands, slim
from tests.architecture.source import SRC

BUILT = find_spec("msgspec._core")  # a library that its wheel has compiled


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A shared library with something behind what is loaded, as most wheels have it."""
    assert BUILT is not None
    assert BUILT.origin is not None
    path = tmp_path / "lib.so"
    path.write_bytes(Path(BUILT.origin).read_bytes() + b"symbols" * 1000)
    return path


def test_a_cut_library_is_loaded_as_before(library: Path) -> None:
    before = library.stat().st_size
    linked = library.with_name("cache.so")
    linked.hardlink_to(library)
    saved = cut_symbols(library)
    assert 7000 <= saved == before - library.stat().st_size
    assert ctypes.CDLL(str(library)).PyInit__core
    assert cut_symbols(library) == 0, "there is nothing left to cut"
    assert linked.stat().st_size == before, "where an installer keeps its packages, they stay whole"


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(80), b"! a linker's text"])
def test_what_is_no_library_of_64_bits_stays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(content)
    assert cut_symbols(path) == 0
    assert path.read_bytes() == content


def test_only_what_is_listed_goes(tmp_path: Path) -> None:
    kept = ["numpy/core.py", "numpy/testing/x.py", "onnxruntime/capi/state.so", "siklus/serve/app.py"]
    gone = [
        "numpy/tests/t.py",
        "numpy/a.pyi",
        "numpy/distutils/x.py",
        "siklus/train/run.py",
        "onnxruntime/tools/x.py",
    ]
    for name in kept + gone:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x" * 10)
    saved = slim(tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == set(kept)
    assert sum(saved.values()) == 10 * len(gone)
    assert saved.keys() <= NEEDLESS.keys() | {"symbols"}


def test_python_is_the_only_command_that_stays(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3.11", "siklus", "uvicorn", "activate"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
    drop_commands(tmp_path)
    assert {path.name for path in (tmp_path / "bin").iterdir()} == {"python", "python3.11"}


def test_each_room_of_ours_that_goes_exists() -> None:
    rooms = [name for name in NEEDLESS if name.startswith("siklus/")]
    assert rooms
    assert all(any(SRC.glob(room)) for room in rooms)


def test_it_wants_an_environment(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "siklus.deploy.images.slim", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage:")
