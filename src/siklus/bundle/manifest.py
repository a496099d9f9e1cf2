"""What a bundle says about itself: its files with their digests, and how its model is to be read."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from siklus.contract.columns import Task
from siklus.errors import BundleError

FORMAT = 1
FILE_NAME = "manifest.json"
ONNX_FILE = "model.onnx"
MAX_MANIFEST_BYTES = 1_000_000  # some 5,000 files

# The only formats that a bundle may hold: each can be read without running code that came with it.
NATIVE_FILES = {"skops": "native/model.skops", "xgboost": "native/model.ubj", "lightgbm": "native/model.txt"}

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sha256: Sha256
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``model`` names the format; ``takes`` what a native model is fed: the decoded float32 rows, or a
    pandas frame of the raw columns (a packaged pipeline with its own preparation). ONNX takes rows."""

    format: int
    name: str
    task: Task
    created: datetime
    model: Literal["onnx", "skops", "xgboost", "lightgbm"]
    takes: Literal["rows", "frame"] = "rows"
    files: dict[str, FileEntry]

    @property
    def model_file(self) -> str:
        return ONNX_FILE if self.model == "onnx" else NATIVE_FILES[self.model]


def read_manifest(path: Path) -> Manifest:
    """JSON only: nothing of the bundle is imported or run."""
    return parse_manifest(manifest_bytes(path), path)


def manifest_bytes(path: Path) -> bytes:
    """The file of the bundle at ``path``, which its digest and its signatures are of."""
    file = path / FILE_NAME
    if not file.is_file():
        raise BundleError("BN001", f"{path}: no {FILE_NAME} in it", expected="the directory of a bundle")
    size = file.stat().st_size
    if size > MAX_MANIFEST_BYTES:
        raise BundleError("BN009", f"{file}: {size} bytes", expected=f"at most {MAX_MANIFEST_BYTES}")
    return file.read_bytes()


def parse_manifest(raw: bytes, path: Path) -> Manifest:
    """What these bytes of the bundle at ``path`` say."""
    file = path / FILE_NAME
    try:
        number = msgspec.json.decode(raw, type=_FormatOnly).format
        if number != FORMAT:
            raise BundleError("BN002", f"{file}: bundle format {number}", expected=f"format {FORMAT}")
        return msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as exc:
        raise BundleError("BN003", f"{file}: {exc}", expected="the manifest as it was sealed") from exc


class _FormatOnly(msgspec.Struct):
    format: int
