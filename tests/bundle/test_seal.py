"""Sealing: whole or not at all, by the digest of every file."""

import hashlib
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from siklus.bundle.manifest import read_manifest
from siklus.bundle.read import cached, open_bundle
from siklus.bundle.write import digest_of, place, seal
from siklus.errors import FileError
from tests.bundle.sealed import MINUTES, NOW, contents, files_of, sealed


def test_the_manifest_holds_the_digest_and_size_of_every_other_file(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    manifest = read_manifest(path)
    assert sorted(manifest.files) == [name for name in files_of(path) if name != "manifest.json"]
    for name, entry in manifest.files.items():
        data = (path / name).read_bytes()
        assert (entry.sha256, entry.size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_bundle_holds_what_the_design_lists(tmp_path: Path) -> None:
    assert files_of(sealed(tmp_path / "b")) == [
        "MLmodel",
        "card.md",
        "contract.json",
        "evaluation.json",
        "golden.json",
        "input_example.json",
        "manifest.json",
        "model.onnx",
        "pictures/residuals.png",
        "profile.json",
        "provenance.json",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    ]


def test_sealing_returns_the_digest_that_names_the_bundle(tmp_path: Path) -> None:
    digest = seal(contents(), tmp_path / "b", now=NOW)
    manifest = (tmp_path / "b" / "manifest.json").read_bytes()
    assert digest == digest_of(tmp_path / "b") == hashlib.sha256(manifest).hexdigest()


def test_the_same_contents_seal_to_the_same_digest_and_others_to_another(tmp_path: Path) -> None:
    first = seal(contents(), tmp_path / "a", now=NOW)
    assert seal(contents(), tmp_path / "b", now=NOW) == first
    assert seal(contents(card="# other\n"), tmp_path / "c", now=NOW) != first


def test_the_documents_come_back_as_they_were_given(tmp_path: Path) -> None:
    bundle = open_bundle(sealed(tmp_path / "b"))
    assert bundle.contract == MINUTES
    assert bundle.document("evaluation.json") == {"mae": 9.5}
    assert bundle.provenance().data_digest == "d" * 64
    assert (bundle.path / "card.md").read_text() == "# flights\n"


FULL_DISK = """
import resource, sys
from pathlib import Path
from siklus.bundle.write import seal
from siklus.errors import FileError
from tests.bundle.sealed import NOW, contents

# A disk that takes no more than this of any file: what a full one does, without filling one.
resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
try:
    seal(contents(), Path(sys.argv[1]), now=NOW)
except FileError as exc:
    print(exc)
"""


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "bundles" / "b"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(target)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("FS001"), done.stderr
    assert list(target.parent.iterdir()) == []


def test_a_full_disk_leaves_the_former_bundle_whole(tmp_path: Path) -> None:
    target = sealed(tmp_path / "b", card="# former\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(FileError) as caught:
            seal(contents(), target, now=NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "FS001"
    assert open_bundle(target).document("evaluation.json") == {"mae": 9.5}
    assert (target / "card.md").read_text() == "# former\n"
    assert list(tmp_path.iterdir()) == [target]


def test_a_bundle_is_placed_under_its_digest(tmp_path: Path) -> None:
    draft = sealed(tmp_path / "draft")
    digest = digest_of(draft)
    assert place(draft, tmp_path / "bundles") == tmp_path / "bundles" / digest
    assert cached(digest, tmp_path / "bundles") == tmp_path / "bundles" / digest
    assert not draft.exists()


def test_placing_a_bundle_again_keeps_the_one_that_a_server_may_be_reading(tmp_path: Path) -> None:
    target = place(sealed(tmp_path / "draft"), tmp_path / "bundles")
    inode = target.stat().st_ino
    assert place(sealed(tmp_path / "draft"), tmp_path / "bundles") == target
    assert target.stat().st_ino == inode
    assert not (tmp_path / "draft").exists()


def test_a_damaged_bundle_makes_room_for_a_sound_one(tmp_path: Path) -> None:
    target = place(sealed(tmp_path / "draft"), tmp_path / "bundles")
    (target / "model.onnx").write_bytes(b"")
    assert cached(target.name, tmp_path / "bundles") is None
    assert place(sealed(tmp_path / "draft"), tmp_path / "bundles") == target
    assert cached(target.name, tmp_path / "bundles") == target


def test_the_cache_gives_nothing_for_a_bundle_under_a_wrong_name(tmp_path: Path) -> None:
    target = place(sealed(tmp_path / "draft"), tmp_path / "bundles")
    target.rename(target.with_name("0" * 64))
    assert cached("0" * 64, tmp_path / "bundles") is None
    assert cached("1" * 64, tmp_path / "bundles") is None


def test_the_golden_rows_are_those_of_the_sealed_model(tmp_path: Path) -> None:
    golden = json.loads((sealed(tmp_path / "b") / "golden.json").read_bytes())
    # 100.5 + 2·3 + 4·1 + 8·1 + 16·2 + 32·5 + 64·1
    assert golden["outputs"][0] == [374.5]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_training_was_at_the_same_moment_wherever_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, moment: datetime
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        provenance = msgspec.structs.replace(contents().provenance, trained=written)
        assert provenance.trained_at == moment
    finally:
        monkeypatch.undo()
        time.tzset()
