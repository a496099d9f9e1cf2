"""Sealing: the bundle's directory appears whole, with the digest of every file, or not at all."""

import errno
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from siklus.bundle.manifest import FILE_NAME, FORMAT, FileEntry, Manifest
from siklus.bundle.mlmodel import mlflow_files
from siklus.bundle.papers import Golden, Provenance
from siklus.bundle.read import cached
from siklus.contract.columns import Contract, contract_text
from siklus.files import directory_atomic, disk_errors, sha256, sync_directory
from siklus.stats.profile import Profile


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is sealed. ``model`` is the file's bytes in the format that ``model_format`` names;
    ``evaluation`` is any JSON document, ``pictures`` PNG files by name, ``card`` Markdown."""

    name: str
    contract: Contract
    model: bytes
    model_format: str
    takes: str = "rows"
    golden: Golden
    provenance: Provenance
    profile: Profile
    evaluation: Mapping[str, object] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    card: str = ""


def seal(contents: Contents, target: Path, *, now: datetime) -> str:
    """Write the bundle to ``target`` atomically; its digest (SHA-256 of the manifest) comes back.

    FileError FS001 when the disk is full: nothing is left behind then.
    """
    with directory_atomic(target) as draft:
        manifest = manifest_of(contents, now=now)
        for name, data in _documents(contents, manifest).items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(data)
        files = {
            str(path.relative_to(draft)): FileEntry(sha256=sha256(path), size=path.stat().st_size)
            for path in sorted(draft.rglob("*"))
            if path.is_file()
        }
        sealed = msgspec.structs.replace(manifest, files=files)
        raw = msgspec.json.format(msgspec.json.encode(sealed), indent=2)
        (draft / FILE_NAME).write_bytes(raw)
        return hashlib.sha256(raw).hexdigest()


def digest_of(path: Path) -> str:
    """The digest that names a bundle: that of its manifest, which holds those of all its files."""
    return sha256(path / FILE_NAME)


def place(draft: Path, bundles: Path) -> Path:
    """Move a sealed bundle to where its digest names it; a damaged one that lies there makes room.

    An intact one stays, since a server may be reading it, and ``draft`` is dropped.
    """
    digest = digest_of(draft)
    target = bundles / digest
    with disk_errors(target):
        bundles.mkdir(parents=True, exist_ok=True)
        if target.exists() and cached(digest, bundles) is None:
            shutil.rmtree(target)
        try:
            draft.rename(target)
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(draft)
        sync_directory(bundles)
    return target


def manifest_of(contents: Contents, *, now: datetime) -> Manifest:
    """The manifest before its files are known."""
    return msgspec.convert(
        {
            "format": FORMAT,
            "name": contents.name,
            "task": contents.contract.task,
            "created": now,
            "model": contents.model_format,
            "takes": contents.takes,
            "files": {},
        },
        type=Manifest,
    )


def _documents(contents: Contents, manifest: Manifest) -> dict[str, bytes]:
    papers = mlflow_files(
        contents.contract, contents.golden, manifest, environment=contents.provenance.environment
    )
    documents = {
        manifest.model_file: contents.model,
        **{name: text.encode() for name, text in papers.items()},
        "contract.json": contract_text(contents.contract).encode(),
        "profile.json": _json(contents.profile),
        "evaluation.json": _json(contents.evaluation),
        "provenance.json": _json(contents.provenance),
        "golden.json": _json(contents.golden),
        "card.md": contents.card.encode(),
    }
    return documents | {f"pictures/{name}": data for name, data in contents.pictures.items()}


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
