"""Signing: a private key vouches for a bundle that is as it was sealed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from siklus.bundle.manifest import manifest_bytes, parse_manifest
from siklus.bundle.read import verify
from siklus.bundle.signatures import (
    CONTEXT,
    MOST_SIGNERS,
    SIGNATURE_FILE,
    PublicKey,
    Signature,
    Signatures,
    key_bytes,
    public_of,
    read_signatures,
)
from siklus.errors import BundleError
from siklus.extras import need
from siklus.files import write_atomic
from siklus.project.sections import Sign

PRIVATE = "an Ed25519 private key in PEM (PKCS#8), as `siklus sign --make-key` writes it"


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """An Ed25519 key that signs, and the public half by which others know it."""

    public: PublicKey
    _private: Any = field(repr=False)

    def sign(self, manifest: bytes) -> Signature:
        """Over the manifest's very bytes, after the context that says what they are."""
        return Signature(key=self.public.id, signature=self._private.sign(CONTEXT + manifest))


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A new key as PEM: ``private`` as PKCS#8, which a password may have encrypted, and ``public``."""

    private: bytes = field(repr=False)
    public: bytes


def make_key(*, password: bytes | None) -> KeyPair:
    """From the system's randomness."""
    serialization = need("cryptography.hazmat.primitives.serialization")
    ed25519 = need("cryptography.hazmat.primitives.asymmetric.ed25519")
    made = ed25519.Ed25519PrivateKey.generate()
    locked = (
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    )
    pem = serialization.Encoding.PEM
    return KeyPair(
        private=made.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked),
        public=made.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def read_signing_key(file: Path, *, password: bytes | None) -> SigningKey:
    """BundleError BN018 for a file that has no such key, BN019 where the password is missing or wrong."""
    serialization = need("cryptography.hazmat.primitives.serialization")
    ed25519 = need("cryptography.hazmat.primitives.asymmetric.ed25519")
    unsupported = need("cryptography.exceptions").UnsupportedAlgorithm
    raw = key_bytes(file)
    if b"PRIVATE KEY" not in raw:
        raise BundleError("BN018", f"{file}: no private key in PEM", expected=PRIVATE)
    encrypted = b"ENCRYPTED" in raw
    if encrypted and password is None:
        raise BundleError("BN019", f"{file}: it is encrypted", expected="its password, in a file")
    try:
        key = serialization.load_pem_private_key(raw, password=password if encrypted else None)
    except (ValueError, TypeError, unsupported) as exc:
        if encrypted:
            told = f"{file}: it does not open with this password"
            raise BundleError("BN019", told, expected="the password that it was made with") from exc
        raise BundleError("BN018", f"{file}: no private key in PEM", expected=PRIVATE) from exc
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise BundleError("BN018", f"{file}: a key of another kind than Ed25519", expected=PRIVATE)
    public = public_of(key.public_key(), name=file.name, where=str(file))
    return SigningKey(public=public, _private=key)


def read_password(file: Path) -> bytes:
    """A password file's content without the line's end. BundleError BN019 for none that can be read."""
    try:
        found = file.read_bytes().rstrip(b"\r\n")
    except OSError as exc:
        told = f"{file}: {exc.strerror or exc}"
        raise BundleError("BN019", told, expected="a file with the password in it") from exc
    if not found:
        raise BundleError("BN019", f"{file}: it is empty", expected="a file with the password in it")
    return found


def configured_key(settings: Sign, *, root: Path) -> SigningKey | None:
    """The key of [sign], None without one; paths count from ``root``. Errors as `read_signing_key`."""
    if settings.key is None:
        return None
    password = settings.password_file
    return read_signing_key(
        root / settings.key, password=None if password is None else read_password(root / password)
    )


def sign_bundle(bundle: Path, key: SigningKey) -> Signature:
    """Put the key's signature beside those that are there; signing again changes nothing.

    BundleError BN001 to BN005 for a bundle that is not as it was sealed: nobody vouches for that; BN014
    where the signatures that are there cannot be read, or are as many as there may be.
    """
    raw = manifest_bytes(bundle)
    verify(bundle, parse_manifest(raw, bundle))
    made = key.sign(raw)
    put_signatures(bundle, [*read_signatures(bundle), made])
    return made


def put_signatures(bundle: Path, signatures: Sequence[Signature]) -> None:
    """Make these the bundle's signatures: the last one of each signer. BundleError BN014 for too many."""
    kept = {each.key: each for each in signatures}
    if len(kept) > MOST_SIGNERS:
        told = f"{bundle / SIGNATURE_FILE}: {len(kept)} signers"
        raise BundleError("BN014", told, expected=f"at most {MOST_SIGNERS}")
    document = Signatures(signatures=tuple(kept[key] for key in sorted(kept)))
    write_atomic(
        bundle / SIGNATURE_FILE, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    )
