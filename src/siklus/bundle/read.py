"""Opening a bundle: digests first, then parse, then golden rows; code never runs from inside it."""

import hashlib
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from siklus.bundle.manifest import FILE_NAME, Manifest, manifest_bytes, parse_manifest, read_manifest
from siklus.bundle.papers import Golden, Provenance
from siklus.bundle.session import Predictions, Session, open_session
from siklus.bundle.signatures import SIGNATURE_FILE, TrustedKeys
from siklus.contract.columns import Contract, parse_contract
from siklus.contract.decode import Rows, decode_records
from siklus.errors import BundleError, RowsRefused
from siklus.files import sha256
from siklus.stats.profile import Profile

MAX_JSON_BYTES = 64_000_000  # of one document in a bundle: a hostile one must not fill the memory
MLFLOW_LEAVES = (
    "registered_model_meta"  # beside a registered version that MLflow has loaded; we never read it
)
EXACTLY = "exactly the sealed files"
REQUIRED = ("contract.json", "golden.json", "profile.json", "provenance.json")

T = TypeVar("T")


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
        return read_provenance(self.path)

    def profile(self) -> Profile:
        """The bins and counts of the training rows, and of what was predicted for them."""
        return _parse(self.path / "profile.json", Profile)


def open_bundle(path: Path, *, version: str | None = None, trusted: TrustedKeys | None = None) -> Bundle:
    """Verify and open. BundleError BN001 to BN012 says what differs from what was sealed.

    ``trusted``: who must have signed it, BN014 to BN017 otherwise; without it nobody need have.
    """
    raw = manifest_bytes(path)
    if trusted is not None:
        trusted.refuse_untrusted(path, raw)
    manifest = parse_manifest(raw, path)  # the very bytes that were signed
    verify(path, manifest)
    contract = parse_contract(_read(path / "contract.json"), where=str(path / "contract.json"))
    session = open_session(path / manifest.model_file, manifest=manifest, contract=contract)
    bundle = Bundle(
        path=path,
        manifest=manifest,
        contract=contract,
        session=session,
        version=version or hashlib.sha256(raw).hexdigest()[:12],
    )
    check_golden(bundle)
    return bundle


def with_version(bundle: Bundle, version: str) -> Bundle:
    return replace(bundle, version=version)


def cached(digest: str, bundles: Path) -> Path | None:
    """The intact bundle of that digest among ``bundles``, or None: needs neither registry nor network."""
    path = bundles / digest
    try:
        verify(path, read_manifest(path))
    except BundleError:
        return None
    return path if sha256(path / FILE_NAME) == digest else None


def open_cached(digest: str, bundles: Path, *, version: str, trusted: TrustedKeys | None = None) -> Bundle:
    """Verify and open the bundle of that digest. BundleError as `open_bundle`, BN005 for another bundle."""
    path = bundles / digest
    read_manifest(path)
    if sha256(path / FILE_NAME) != digest:
        raise BundleError(
            "BN005", f"{path / FILE_NAME}: differs from what was sealed", expected=f"sha256 {digest}"
        )
    return open_bundle(path, version=version, trusted=trusted)


def read_provenance(path: Path) -> Provenance:
    return _parse(path / "provenance.json", Provenance)


def verify(path: Path, manifest: Manifest) -> None:
    """Every file is there, is what was sealed, and nothing else is there but signatures."""
    for name in sorted(_found(path) ^ set(manifest.files)):
        what = "is missing" if name in manifest.files else "was not sealed with it"
        raise BundleError("BN004", f"{path}: {name} {what}", expected=EXACTLY)
    for name in (manifest.model_file, *REQUIRED):
        if name not in manifest.files:
            raise BundleError("BN004", f"{path}: {name} is missing", expected=EXACTLY)
    for name, entry in manifest.files.items():
        file = path / name
        if file.stat().st_size != entry.size or sha256(file) != entry.sha256:
            wanted = f"sha256 {entry.sha256}"
            raise BundleError("BN005", f"{file}: differs from what was sealed", expected=wanted)


def check_golden(bundle: Bundle) -> None:
    """The golden rows must come out as they did when the bundle was sealed."""
    golden = _parse(bundle.path / "golden.json", Golden)
    if not golden.instances:
        return
    try:
        rows = decode_records(golden.instances, bundle.contract).accepted()
    except RowsRefused as exc:
        wanted = "golden rows that keep the contract"
        raise BundleError("BN006", f"{bundle.path}: {exc}", expected=wanted) from exc
    found = bundle.predict(rows).raw.reshape(len(rows), -1)
    sealed = np.asarray(golden.outputs, dtype=np.float64)
    near = golden.tolerance
    if found.shape != sealed.shape or not np.allclose(found, sealed, rtol=near, atol=near):
        what = "golden rows do not come out as sealed"
        raise BundleError("BN006", f"{bundle.path}: {what}", expected=f"the same within {near:g}")


def _found(path: Path) -> set[str]:
    """The names of all plain files. A link could lead out of the bundle, and a pipe would never end."""
    found = set()
    for file in path.rglob("*"):
        mode = file.lstat().st_mode
        name = file.relative_to(path).as_posix()
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise BundleError("BN004", f"{path}: {name} is no plain file", expected=EXACTLY)
        found.add(name)
    return found - {FILE_NAME, MLFLOW_LEAVES, SIGNATURE_FILE}


def _parse(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(_read(path), type=kind)
    except msgspec.MsgspecError as exc:
        raise BundleError("BN011", f"{path}: {exc}", expected="the document as its format says") from exc


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        raise BundleError("BN009", f"{path}: {size} bytes", expected=f"at most {MAX_JSON_BYTES}")
    return path.read_bytes()
