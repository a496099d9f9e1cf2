"""Bundles that must never answer: each is damaged, forged or hostile in a way of its own."""

import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siklus.bundle.manifest import FILE_NAME, FileEntry, read_manifest
from siklus.bundle.write import digest_of
from siklus.files import sha256

FLIPS = 3  # single bits, in each file


@dataclass(frozen=True)
class Explosive:
    """Leaves a trace wherever it is unpickled."""

    trace: str

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path(self.trace),))


@dataclass(frozen=True)
class Damage:
    """``harm`` changes a sound bundle in place; ``resealed``: the policy then names what came out."""

    name: str
    harm: Callable[[Path], None]
    resealed: bool = False


def damages(sound: Path, trace: Path) -> Iterator[Damage]:
    """Every way, for a copy of this bundle; whatever code runs leaves ``trace``."""
    chance = random.Random(7)
    names = sorted(str(file.relative_to(sound)) for file in sound.rglob("*") if file.is_file())
    for name in names:
        size = (sound / name).stat().st_size
        for _ in range(FLIPS):
            bit = chance.randrange(size * 8)
            yield Damage(f"bit {bit} of {name}", lambda path, name=name, bit=bit: _flip(path / name, bit))
        for kept in (0, size // 2, size - 1):
            yield Damage(
                f"{kept} bytes of {name}", lambda path, name=name, kept=kept: _cut(path / name, kept)
            )
        yield Damage(f"without {name}", lambda path, name=name: (path / name).unlink())
        yield Damage(f"{name} is a link", lambda path, name=name: _link(path / name))
    explosive = pickle.dumps(Explosive(str(trace)))
    yield Damage("a pickle beside it", lambda path: _put(path / "model.pkl", explosive))
    yield Damage("a pickle as the model", lambda path: _put(path / "model.onnx", explosive))
    yield Damage("nothing is there", shutil.rmtree)
    yield Damage("a pickle as the model, sealed", lambda path: _resealed(path, "model.onnx", explosive), True)
    yield Damage("half a model, sealed", _half_a_model, True)
    yield Damage("other golden rows, sealed", _other_golden_rows, True)
    yield Damage("another format, sealed", lambda path: _manifest(path, b'"format":1', b'"format":2'), True)
    yield Damage("a skops file that is none", lambda path: _manifest(path, b'"onnx"', b'"skops"'), True)


def _flip(file: Path, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


def _cut(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])


def _link(file: Path) -> None:
    content = file.with_name(f"{file.name}.elsewhere")
    outside = file.parents[1] / content.name
    file.rename(outside)
    file.symlink_to(outside)


def _put(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def _resealed(path: Path, name: str, content: bytes) -> None:
    """Another content, and a manifest that vouches for it."""
    file, manifest = path / name, read_manifest(path)
    file.write_bytes(content)
    entry = FileEntry(sha256=sha256(file), size=len(content))
    files = {**manifest.files, name: entry}
    (path / FILE_NAME).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, files=files)))


def _half_a_model(path: Path) -> None:
    content = (path / "model.onnx").read_bytes()
    _resealed(path, "model.onnx", content[: len(content) // 2])


def _other_golden_rows(path: Path) -> None:
    golden = msgspec.json.decode((path / "golden.json").read_bytes())
    golden["outputs"][0][0] += 1.0
    _resealed(path, "golden.json", msgspec.json.encode(golden))


def _manifest(path: Path, old: bytes, new: bytes) -> None:
    manifest = msgspec.json.encode(read_manifest(path))
    assert old in manifest
    (path / FILE_NAME).write_bytes(manifest.replace(old, new, 1))


def damaged(sound: Path, bundles: Path, damage: Damage) -> str:
    """A damaged copy among ``bundles``; the digest under which a policy would name it."""
    copy = bundles / "copy"
    shutil.copytree(sound, copy)
    digest = digest_of(copy)
    damage.harm(copy)
    if damage.resealed:
        digest = sha256(copy / FILE_NAME)
    if copy.exists():
        copy.rename(bundles / digest)
    return digest
