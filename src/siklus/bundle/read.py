"""Opening a bundle: digests first, then parse, then golden rows; code never runs from inside it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from siklus.bundle.manifest import FILE_NAME, Manifest, read_manifest
from siklus.bundle.papers import Golden, Provenance
from siklus.bundle.session import Predictions, Session, open_session
from siklus.contract.columns import Contract, parse_contract
from siklus.contract.decode import Rows, decode_records
from siklus.errors import BundleError
from siklus.files import sha256

MAX_JSON_BYTES = 64_000_000  # of one document in a bundle: a hostile one must not fill the memory


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An opened bundle: what it promises (``contract``) and what answers (``session``).

    ``version`` is the registered number, or the first 12 characters of the digest where it has none.
    """

    path: Path
    manifest: Manifest
    contract: Contract
    session: Session
    version: str

    def predict(self, rows: Rows) -> Predictions:
        return self.session.run(rows)

    def labels(self, predictions: Predictions) -> list[Any]:
        """Classes as the data has them, or numbers; one a row."""
        classes = self.contract.target.classes
        if classes is None:
            numbers: list[Any] = predictions.values.tolist()
            return numbers
        return [classes[i] for i in predictions.class_indices.tolist()]

    def document(self, name: str) -> Any:
        """A JSON document of the bundle, such as `evaluation.json`."""
        return msgspec.json.decode(_read(self.path / name))

    def provenance(self) -> Provenance:
        return msgspec.json.decode(_read(self.path / "provenance.json"), type=Provenance)


def open_bundle(path: Path, *, version: str | None = None) -> Bundle:
    """Verify and open. BundleError BN001 to BN009 says what differs from what was sealed."""
    manifest = read_manifest(path)
    verify(path, manifest)
    contract = parse_contract(_read(path / "contract.json"), where=str(path / "contract.json"))
    session = open_session(path / manifest.model_file, manifest=manifest, contract=contract)
    bundle = Bundle(
        path=path,
        manifest=manifest,
        contract=contract,
        session=session,
        version=version or sha256(path / FILE_NAME)[:12],
    )
    check_golden(bundle)
    return bundle


def with_version(bundle: Bundle, version: str) -> Bundle:
    return replace(bundle, version=version)


def verify(path: Path, manifest: Manifest) -> None:
    """Every file is there, is what was sealed, and nothing else is there."""
    found = {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()} - {FILE_NAME}
    for name in sorted(found ^ set(manifest.files)):
        what = "is missing" if name in manifest.files else "was not sealed with it"
        raise BundleError("BN004", f"{path}: {name} {what}", expected="exactly the sealed files")
    if manifest.model_file not in manifest.files:
        raise BundleError("BN004", f"{path}: {manifest.model_file} is missing", expected="exactly the sealed files")
    for name, entry in manifest.files.items():
        file = path / name
        if file.is_symlink() or file.stat().st_size != entry.size or sha256(file) != entry.sha256:
            raise BundleError("BN005", f"{file}: differs from what was sealed", expected=f"sha256 {entry.sha256}")


def check_golden(bundle: Bundle) -> None:
    """The golden rows must come out as they did when the bundle was sealed."""
    golden = msgspec.json.decode(_read(bundle.path / "golden.json"), type=Golden)
    if not golden.instances:
        return
    rows = decode_records(golden.instances, bundle.contract).accepted()
    answers = bundle.predict(rows).raw.reshape(len(rows), -1)
    wanted = np.asarray(golden.outputs, dtype=np.float64)
    if answers.shape != wanted.shape or not np.allclose(answers, wanted, rtol=golden.tolerance, atol=golden.tolerance):
        raise BundleError(
            "BN006", f"{bundle.path}: golden rows do not come out as sealed", expected=f"within {golden.tolerance:g}"
        )


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise BundleError("BN009", f"{path}: {path.stat().st_size} bytes", expected=f"at most {MAX_JSON_BYTES}")
    return path.read_bytes()
