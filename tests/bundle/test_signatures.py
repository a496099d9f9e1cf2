"""Signatures: whose they are, what they are of, and what is not believed."""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from siklus.bundle.manifest import FILE_NAME
from siklus.bundle.read import open_bundle
from siklus.bundle.sign import make_key, put_signatures, read_password, read_signing_key, sign_bundle
from siklus.bundle.signatures import (
    CONTEXT,
    MAX_BYTES,
    MOST_SIGNERS,
    SIGNATURE_FILE,
    Signature,
    TrustedKeys,
    read_public,
    read_signatures,
    read_trusted,
)
from siklus.errors import BundleError
from tests.bundle.sealed import LATE, sealed
from tests.bundle.signers import Signer, signer


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return sealed(tmp_path / "bundle")


@pytest.fixture
def anna(tmp_path: Path) -> Signer:
    return signer(tmp_path, "anna")


@pytest.fixture
def budi(tmp_path: Path) -> Signer:
    return signer(tmp_path, "budi")


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(BundleError) as caught:
        call()
    return caught.value.code


def test_a_signed_bundle_opens_for_who_trusts_the_signer(bundle: Path, anna: Signer, budi: Signer) -> None:
    assert code_of(lambda: open_bundle(bundle, trusted=anna.trusted)) == "BN015"
    anna.sign(bundle)
    assert open_bundle(bundle, trusted=anna.trusted).path == bundle
    assert code_of(lambda: open_bundle(bundle, trusted=budi.trusted)) == "BN016"
    assert open_bundle(bundle, trusted=TrustedKeys((budi.known, anna.known))).path == bundle
    # Who asks for no signature opens it as before.
    assert open_bundle(bundle).path == bundle


def test_several_may_sign_and_signing_again_changes_nothing(bundle: Path, anna: Signer, budi: Signer) -> None:
    manifest = (bundle / FILE_NAME).read_bytes()
    budi.sign(anna.sign(bundle))
    once = (bundle / SIGNATURE_FILE).read_bytes()
    anna.sign(bundle)
    assert (bundle / SIGNATURE_FILE).read_bytes() == once
    assert (bundle / FILE_NAME).read_bytes() == manifest
    both = TrustedKeys((anna.known, budi.known))
    assert both.signers(manifest, read_signatures(bundle)) == both.keys


def test_the_signature_is_of_the_context_and_the_manifest(bundle: Path, anna: Signer) -> None:
    """Held against `cryptography` itself: another reader needs no more than the page says."""
    [found] = read_signatures(anna.sign(bundle))
    public = serialization.load_pem_public_key(anna.public.read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    public.verify(found.signature, b"siklus bundle 1\n" + (bundle / FILE_NAME).read_bytes())


@pytest.fixture(scope="module")
def openssl() -> str:
    found = shutil.which("openssl")
    return found or pytest.skip("no openssl here")


def test_openssl_verifies_it(bundle: Path, anna: Signer, tmp_path: Path, openssl: str) -> None:
    document = json.loads((anna.sign(bundle) / SIGNATURE_FILE).read_text())
    (tmp_path / "signed").write_bytes(b"siklus bundle 1\n" + (bundle / FILE_NAME).read_bytes())
    (tmp_path / "sig").write_bytes(base64.b64decode(document["signatures"][0]["signature"]))
    words = (
        f"pkeyutl -verify -pubin -inkey {anna.public} -rawin -in {tmp_path}/signed -sigfile {tmp_path}/sig"
    )
    done = subprocess.run([openssl, *words.split()], capture_output=True, text=True, check=False)
    assert (done.returncode, "Verified Successfully" in done.stdout + done.stderr) == (0, True)


def test_what_the_key_signed_for_another_purpose_is_no_signature_here(bundle: Path, anna: Signer) -> None:
    private = serialization.load_pem_private_key(anna.private.read_bytes(), password=None)
    assert isinstance(private, Ed25519PrivateKey)
    manifest = (bundle / FILE_NAME).read_bytes()
    for other in (manifest, b"siklus bundle 2\n" + manifest, CONTEXT + manifest + b"\n"):
        made = Signature(key=anna.known.id, signature=private.sign(other))
        put_signatures(bundle, [made])
        assert code_of(lambda: open_bundle(bundle, trusted=anna.trusted)) == "BN017"


def test_nobody_vouches_for_a_damaged_bundle(bundle: Path, anna: Signer) -> None:
    (bundle / "card.md").write_text("# another\n")
    assert code_of(lambda: anna.sign(bundle)) == "BN005"
    assert not (bundle / SIGNATURE_FILE).exists()


def test_a_signed_manifest_keeps_every_file(bundle: Path, anna: Signer) -> None:
    anna.sign(bundle)
    (bundle / "card.md").write_text("# another\n")
    assert code_of(lambda: open_bundle(bundle, trusted=anna.trusted)) == "BN005"
    (bundle / "more").write_text("")
    assert code_of(lambda: open_bundle(bundle, trusted=anna.trusted)) == "BN004"


@pytest.mark.parametrize("keys", [(), ("anna.pub",), ("anna.pub", "budi.pub")])
def test_trust_is_read_from_files(tmp_path: Path, anna: Signer, budi: Signer, keys: tuple[str, ...]) -> None:
    found = read_trusted(keys, root=tmp_path)
    known = (anna.known, budi.known)[: len(keys)]
    assert (() if found is None else found.keys) == known


def test_one_broken_key_file_and_nothing_is_trusted(tmp_path: Path, anna: Signer) -> None:
    (tmp_path / "broken.pub").write_bytes(anna.public.read_bytes()[:60])
    for name in ("broken.pub", "gone.pub", "anna"):
        assert code_of(lambda name=name: read_trusted(["anna.pub", name], root=tmp_path)) == "BN018"


def test_other_kinds_of_keys_are_refused(tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1())
    pem = serialization.Encoding.PEM
    (tmp_path / "ec").write_bytes(
        other.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "ec.pub").write_bytes(other.public_key().public_bytes(pem, form))
    (tmp_path / "large.pub").write_bytes(b"x" * 100_000)
    for name in ("ec", "ec.pub"):
        assert code_of(lambda name=name: read_signing_key(tmp_path / name, password=None)) == "BN018"
    for name in ("ec.pub", "large.pub"):
        assert code_of(lambda name=name: read_public(tmp_path / name)) == "BN018"


def test_a_password_keeps_the_key(tmp_path: Path) -> None:
    file = tmp_path / "locked"
    file.write_bytes(make_key(password=b"kunci").private)
    (tmp_path / "password").write_text("kunci\n")
    password = read_password(tmp_path / "password")
    assert read_signing_key(file, password=password).public.id
    assert code_of(lambda: read_signing_key(file, password=None)) == "BN019"
    assert code_of(lambda: read_signing_key(file, password=b"another")) == "BN019"
    (tmp_path / "empty").write_text("\n")
    for name in ("empty", "gone"):
        assert code_of(lambda name=name: read_password(tmp_path / name)) == "BN019"


def test_a_key_is_known_by_the_digest_of_its_public_half(anna: Signer, openssl: str) -> None:
    words = ["pkey", "-pubin", "-in", str(anna.public), "-outform", "DER"]
    der = subprocess.run([openssl, *words], capture_output=True, check=True).stdout
    assert hashlib.sha256(der).hexdigest() == anna.known.id


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[" * 60_000,
        b"x" * (MAX_BYTES + 1),
        b'{"format":2,"signatures":[]}',
        b'{"format":1,"signatures":[{"key":"00","signature":""}]}',
        b'{"format":1,"signatures":[],"more":1}',
        b'{"signatures":' + b"null}",
    ],
    ids=["empty", "no text", "deep", "large", "format 2", "short", "more", "null"],
)
def test_a_broken_signature_file_is_none(bundle: Path, anna: Signer, content: bytes) -> None:
    (bundle / SIGNATURE_FILE).write_bytes(content)
    assert code_of(lambda: open_bundle(bundle, trusted=anna.trusted)) == "BN014"
    assert open_bundle(bundle).path == bundle


def test_there_is_an_end_to_signers(bundle: Path, anna: Signer) -> None:
    many = [Signature(key=f"{i:064x}", signature=bytes(64)) for i in range(MOST_SIGNERS)]
    put_signatures(bundle, many)
    assert code_of(lambda: sign_bundle(bundle, anna.key)) == "BN014"
    assert len(read_signatures(bundle)) == MOST_SIGNERS


def test_a_signature_belongs_to_one_bundle(bundle: Path, anna: Signer, tmp_path: Path) -> None:
    other = anna.sign(sealed(tmp_path / "other", LATE))
    shutil.copy(other / SIGNATURE_FILE, bundle / SIGNATURE_FILE)
    assert code_of(lambda: open_bundle(bundle, trusted=anna.trusted)) == "BN017"
