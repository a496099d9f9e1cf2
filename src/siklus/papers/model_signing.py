"""A bundle's signature in the format of OpenSSF Model Signing 1.0, for whoever verifies with its tool.

A Sigstore bundle (v0.3) with a DSSE envelope (v1) around an in-toto statement of every file's digest:
https://github.com/ossf/model-signing-spec and https://github.com/secure-systems-lab/dsse. That tool takes
elliptic curve keys only, so an Ed25519 key cannot sign here.
"""

import base64
import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from siklus.bundle.manifest import FILE_NAME, manifest_bytes, parse_manifest
from siklus.bundle.read import verify
from siklus.bundle.signatures import SIGNATURE_FILE, key_bytes
from siklus.errors import PapersError
from siklus.extras import need
from siklus.files import write_atomic

OPENSSF_FILE = "model.sig"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
PAYLOAD = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
HASHES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
# What may lie beside the sealed files without being signed: our own signatures, which may come later.
IGNORED = (SIGNATURE_FILE, ".git", ".gitattributes", ".github", ".gitignore")
WANTED = "an EC private key in PEM: `siklus sign --make-key NAME --format model-signing`"


def sign_openssf(bundle: Path, key: Path, *, password: bytes | None, out: Path) -> str:
    """Write the signature file for a bundle that is as it was sealed; the key id comes back, as that format
    has it: the SHA-256 of the public key in PEM.

    BundleError BN001 to BN005 for a damaged bundle and BN018 for a key file that cannot be read, PapersError
    PA002 for a key that the format does not take.
    """
    private = _ec_key(key, password)
    payload = msgspec.json.encode(statement(bundle))
    document = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _hint(private)}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [{"sig": base64.b64encode(_signed(private, payload)).decode(), "keyid": ""}],
        },
    }
    write_atomic(out, msgspec.json.encode(document))
    return _hint(private)


def make_ec_key(*, password: bytes | None) -> tuple[bytes, bytes]:
    """A new key on P-256 as PEM: the private one as PKCS#8, and the public one."""
    serialization, ec = _serialization(), need("cryptography.hazmat.primitives.asymmetric.ec")
    made = ec.generate_private_key(ec.SECP256R1())
    locked = (
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    )
    private = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    return private, _public_pem(made)


def statement(bundle: Path) -> dict[str, Any]:
    """What is signed: the name and the SHA-256 of each sealed file and of the manifest.

    The subject's digest is the SHA-256 of these digests one after the other, in the order of the list.
    """
    raw = manifest_bytes(bundle)
    manifest = parse_manifest(raw, bundle)
    verify(bundle, manifest)
    digests = {name: entry.sha256 for name, entry in manifest.files.items()}
    digests[FILE_NAME] = hashlib.sha256(raw).hexdigest()
    names = sorted(digests, key=PurePosixPath)
    whole = hashlib.sha256(b"".join(bytes.fromhex(digests[name]) for name in names)).hexdigest()
    return {
        "_type": STATEMENT,
        "subject": [{"name": bundle.resolve().name, "digest": {"sha256": whole}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": list(IGNORED),
            },
            "resources": [{"name": name, "algorithm": "sha256", "digest": digests[name]} for name in names],
        },
    }


def authenticated(payload: bytes) -> bytes:
    """The bytes that a DSSE signature is of, its pre-authentication encoding.

    >>> authenticated(b"{}")
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def _ec_key(file: Path, password: bytes | None) -> Any:
    ec = need("cryptography.hazmat.primitives.asymmetric.ec")
    unsupported = need("cryptography.exceptions").UnsupportedAlgorithm
    raw = key_bytes(file)
    try:
        key = _serialization().load_pem_private_key(raw, password=password if b"ENCRYPTED" in raw else None)
    except (ValueError, TypeError, unsupported) as exc:
        told = f"{file}: no private key that opens" + (" with this password" if b"ENCRYPTED" in raw else "")
        raise PapersError("PA002", told, expected=WANTED) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in HASHES:
        raise PapersError("PA002", f"{file}: not a key on P-256, P-384 or P-521", expected=WANTED)
    return key


def _signed(private: Any, payload: bytes) -> bytes:
    ec = need("cryptography.hazmat.primitives.asymmetric.ec")
    hashes = need("cryptography.hazmat.primitives.hashes")
    digest = getattr(hashes, HASHES[private.curve.name])()
    signature: bytes = private.sign(authenticated(payload), ec.ECDSA(digest))
    return signature


def _hint(private: Any) -> str:
    return hashlib.sha256(_public_pem(private)).hexdigest()


def _public_pem(private: Any) -> bytes:
    serialization = _serialization()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = private.public_key().public_bytes(serialization.Encoding.PEM, form)
    return pem


def _serialization() -> Any:
    return need("cryptography.hazmat.primitives.serialization")
