"""`python -m siklus.deploy.images.slim DIRECTORY`: takes out of installed packages what no server reads.

Runs while an image is built, so it needs nothing but Python. What it takes out it names, with its size.
"""

import shutil
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

OTHER_ROOMS = (
    "assess", "automation", "cli", "demo", "deploy/templates", "deploy/watching", "doctor", "drill",
    "monitor", "papers", "train",
)  # fmt: skip
# Below site-packages → who reads it. What a later version of a package does not have any more is no matter.
NEEDLESS: Mapping[str, str] = {
    "**/tests": "whoever develops the package",
    "**/*.pyi": "type checkers",
    "**/*.pxd": "Cython",
    "**/*.pyx": "Cython",
    "**/*.[ch]": "compilers",
    "**/*.a": "linkers",
    "numpy/_core/_*_tests.*.so": "numpy's tests",
    "numpy/_core/_simd.*.so": "numpy's tests",
    "numpy/distutils": "builds of C extensions",
    "onnxruntime/capi/libonnxruntime.so.*": "programs in C; Python's own copy lies beside it",
    "onnxruntime/quantization": "whoever makes models",
    "onnxruntime/tools": "whoever makes models",
    "onnxruntime/transformers": "whoever makes models",
    # Whatever stands above `serve` or beside it in ARCHITECTURE.md, which it therefore cannot import.
    **dict.fromkeys([f"siklus/{room}" for room in OTHER_ROOMS], "the rest of Siklus"),
    "siklus/deploy/images/*.lock": "whoever writes Dockerfiles",
}
ELF_64 = b"\x7fELF\x02\x01"  # 64 bits, the lowest byte first: x86-64 and arm64
SECTIONS_AT, SEGMENTS_AT, SEGMENT_SIZE, SECTION_SIZE = 40, 32, 54, 58  # bytes into the header
FILE_OFFSET, FILE_SIZE = 8, 32  # bytes into a segment's entry
SYMBOLS = "debuggers"


def slim(packages: Path) -> dict[str, int]:
    """Bytes saved, by what was taken out. ``packages``: the directory that Python imports from."""
    saved: dict[str, int] = {}
    for pattern in NEEDLESS:
        for path in sorted(packages.glob(pattern)):
            saved[pattern] = saved.get(pattern, 0) + _size(path)
            _remove(path)
    saved["symbols"] = sum(cut_symbols(library) for library in sorted(packages.rglob("*.so*")))
    return saved


def drop_commands(environment: Path) -> None:
    """Leave nothing but Python to run: `siklus` and others would end at what was taken out of packages."""
    for command in sorted((environment / "bin").iterdir()):
        if not command.name.startswith("python"):
            _remove(command)


def cut_symbols(library: Path) -> int:
    """Bytes saved by ending a shared library behind what is loaded of it.

    Symbols and debug information mostly lie behind that, where only debuggers look. Nothing moves, so a
    library whose parts wheels have rearranged stays sound.
    """
    content = bytearray(library.read_bytes())
    if not content.startswith(ELF_64):
        return 0
    end = _end_of_loaded(content)
    if end >= len(content):
        return 0
    # No table of sections any more: where it lay, how long an entry is, how many, and who names them.
    struct.pack_into("<Q", content, SECTIONS_AT, 0)
    struct.pack_into("<HHH", content, SECTION_SIZE, 0, 0, 0)
    # Another file under its name: an installer may have linked this one to where it keeps all its packages.
    cut = library.with_name(f"{library.name}.cut")
    cut.write_bytes(content[:end])
    shutil.copymode(library, cut)
    cut.replace(library)
    return len(content) - end


def _end_of_loaded(content: bytes | bytearray) -> int:
    start = int(struct.unpack_from("<Q", content, SEGMENTS_AT)[0])
    size, count = (int(word) for word in struct.unpack_from("<HH", content, SEGMENT_SIZE))
    entries = [start + number * size for number in range(count)]
    ends = [
        sum(int(struct.unpack_from("<Q", content, entry + field)[0]) for field in (FILE_OFFSET, FILE_SIZE))
        for entry in entries
    ]
    return max(start + count * size, *ends)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    return path.lstat().st_size


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _site_packages(environment: Path) -> Iterator[Path]:
    yield from environment.glob("lib/python3*/site-packages")


def main(arguments: Sequence[str]) -> int:
    """``arguments``: the directory of a virtual environment."""
    found = list(_site_packages(Path(*arguments)))
    if len(arguments) != 1 or not found:
        sys.stderr.write("usage: python -m siklus.deploy.images.slim VIRTUAL-ENVIRONMENT\n")
        return 2
    drop_commands(Path(*arguments))
    for packages in found:
        for what, size in slim(packages).items():
            reader = NEEDLESS.get(what, SYMBOLS)
            sys.stdout.write(f"{size / 1e6:6.1f} MB  {what} (for {reader})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
