"""Signatures: who vouches for a sealed bundle. Ed25519 over its manifest, which has the digest of every file.

They stand in the file `signature` beside the manifest, the only one that may come after the sealing.
"""

import hashlib
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from siklus.bundle.manifest import Sha256
from siklus.errors import BundleError
from siklus.extras import need

SIGNATURE_FILE = "signature"
FORMAT = 1
# Before the manifest's bytes, so that what the key has signed for another purpose is no signature here.
CONTEXT = b"siklus bundle 1\n"
MAX_BYTES = 65_536
MAX_KEY_BYTES = 16_384  # of a key file; one has some hundred
MOST_SIGNERS = 32


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``key``: the signer's id, the SHA-256 of the public key as DER. ``signature``: 64 bytes, in base64."""

    key: Sha256
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Signatures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: each signer has one signature."""

    format: int = FORMAT
    signatures: Annotated[tuple[Signature, ...], msgspec.Meta(max_length=MOST_SIGNERS)] = ()


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """An Ed25519 key that verifies. ``name``: its file's, for people; ``raw``: 32 bytes."""

    id: str
    name: str
    raw: bytes

    def verifies(self, signature: Signature, manifest: bytes) -> bool:
        """Whether this key has signed exactly these bytes."""
        ed25519 = need("cryptography.hazmat.primitives.asymmetric.ed25519")
        invalid = need("cryptography.exceptions").InvalidSignature
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(
                signature.signature, CONTEXT + manifest
            )
        except invalid:
            return False
        return True


@dataclass(frozen=True)
class TrustedKeys:
    """The keys of those whose bundles may take traffic: one of them is enough."""

    keys: tuple[PublicKey, ...]

    def signers(self, manifest: bytes, signatures: Iterable[Signature]) -> tuple[PublicKey, ...]:
        """Those of them that have signed these bytes."""
        found = [
            key
            for key in self.keys
            for each in signatures
            if each.key == key.id and key.verifies(each, manifest)
        ]
        return tuple(dict.fromkeys(found))

    def refuse_untrusted(self, bundle: Path, manifest: bytes) -> None:
        """BundleError BN015 without any signature, BN016 without one of theirs, BN017 for a false one,
        BN014 for a broken file."""
        signatures = read_signatures(bundle)
        if self.signers(manifest, signatures):
            return
        wanted = "one signed by " + " or ".join(str(key) for key in map(known_as, self.keys))
        if not signatures:
            how = f"{wanted}; `siklus sign` does that"
            raise BundleError("BN015", f"{bundle}: it is not signed", expected=how)
        false = [key for key in self.keys if any(each.key == key.id for each in signatures)]
        if false:
            told = f"{bundle}: the signature of {known_as(false[0])} is not one of this manifest"
            raise BundleError("BN017", told, expected="the bundle as it was signed")
        others = ", ".join(short(each.key) for each in signatures)
        raise BundleError("BN016", f"{bundle}: signed by {others}, which is not trusted", expected=wanted)


def read_signatures(bundle: Path) -> tuple[Signature, ...]:
    """Those in the bundle, none of them verified; empty where there is no such file. BundleError BN014 for
    one that is no plain file, too large, damaged or of another format."""
    file = bundle / SIGNATURE_FILE
    try:
        if not stat.S_ISREG(file.lstat().st_mode):  # a pipe would never end
            raise BundleError("BN014", f"{file} is no plain file", expected="a file that can be read")
        with file.open("rb") as content:
            raw = content.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as exc:
        raise BundleError("BN014", f"{file}: {exc}", expected="a file that can be read") from exc
    return parse_signatures(raw, where=str(file))


def parse_signatures(raw: bytes, *, where: str) -> tuple[Signature, ...]:
    """BundleError BN014 as `read_signatures`."""
    wanted = f"signatures of format {FORMAT}, as `siklus sign` writes them"
    if len(raw) > MAX_BYTES:
        raise BundleError("BN014", f"{where}: more than {MAX_BYTES} bytes", expected=wanted)
    try:
        found = msgspec.json.decode(raw, type=Signatures)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise BundleError("BN014", f"{where}: {exc}", expected=wanted) from exc
    if found.format != FORMAT:
        raise BundleError("BN014", f"{where}: format {found.format}", expected=wanted)
    return found.signatures


def read_public(file: Path) -> PublicKey:
    """The Ed25519 public key of a PEM file. BundleError BN018 for anything else."""
    serialization = need("cryptography.hazmat.primitives.serialization")
    unsupported = need("cryptography.exceptions").UnsupportedAlgorithm
    raw = key_bytes(file)
    if b"PRIVATE KEY" in raw:
        told = f"{file}: a private key, which belongs to whoever signs and nowhere else"
        raise BundleError("BN018", told, expected="the public key beside it, such as release.pub")
    try:
        key = serialization.load_pem_public_key(raw)
    except (ValueError, TypeError, unsupported) as exc:
        raise BundleError("BN018", f"{file}: no public key in PEM", expected=PUBLIC) from exc
    return public_of(key, name=file.name, where=str(file))


def public_of(key: object, *, name: str, where: str) -> PublicKey:
    """Of a public key of `cryptography`; BundleError BN018 unless it is Ed25519."""
    serialization = need("cryptography.hazmat.primitives.serialization")
    ed25519 = need("cryptography.hazmat.primitives.asymmetric.ed25519")
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise BundleError("BN018", f"{where}: a key of another kind than Ed25519", expected=PUBLIC)
    encoding, form = serialization.Encoding, serialization.PublicFormat
    der: bytes = key.public_bytes(encoding.DER, form.SubjectPublicKeyInfo)
    raw: bytes = key.public_bytes(encoding.Raw, form.Raw)
    return PublicKey(id=hashlib.sha256(der).hexdigest(), name=name, raw=raw)


PUBLIC = "an Ed25519 public key in PEM, as `siklus sign --make-key` writes it"


def read_trusted(files: Sequence[str], *, root: Path) -> TrustedKeys | None:
    """The keys of these files, below ``root`` where they name no other place; None without any file.

    BundleError BN018 for one that is missing or broken: nothing is trusted then, not even the others.
    """
    return TrustedKeys(tuple(read_public(root / file) for file in files)) if files else None


def key_bytes(file: Path) -> bytes:
    """A key file's content. BundleError BN018 where it cannot be read, or is too large to be one."""
    try:
        with file.open("rb") as content:
            raw = content.read(MAX_KEY_BYTES + 1)
    except OSError as exc:
        told = f"{file}: {exc.strerror or exc}"
        raise BundleError("BN018", told, expected="a key file that can be read") from exc
    if len(raw) > MAX_KEY_BYTES:
        raise BundleError("BN018", f"{file}: more than {MAX_KEY_BYTES} bytes", expected="a key in PEM")
    return raw


def short(key: str) -> str:
    """A key id as it is shown to people: enough to tell one's own keys apart.

    >>> short("0123456789abcdef0123")
    '0123456789abcdef'
    """
    return key[:16]


def known_as(key: PublicKey) -> str:
    """Its file's name and the beginning of its id."""
    return f"{key.name} ({short(key.id)})"
