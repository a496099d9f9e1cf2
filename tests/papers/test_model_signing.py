"""OpenSSF Model Signing: what is written verifies by the format's own rules, and by its tool where it is."""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey

from siklus.errors import BundleError, PapersError
from siklus.papers.keys import public_file, write_keys
from siklus.papers.model_signing import sign_openssf
from tests.bundle.sealed import files_of, sealed
from tests.bundle.signers import signer

PREDICATE = "https://model_signing/signature/v1.0"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return sealed(tmp_path / "bundle")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    write_keys(tmp_path / "openssf", password=None, form="model-signing")
    return tmp_path / "openssf"


def signed(bundle: Path, key: Path) -> dict[str, Any]:
    out = bundle.parent / "model.sig"
    sign_openssf(bundle, key, password=None, out=out)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_the_envelope_verifies_as_dsse_says(bundle: Path, key: Path) -> None:
    """https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, by `cryptography`."""
    document = signed(bundle, key)
    pem = public_file(key).read_bytes()
    assert document["verificationMaterial"]["publicKey"]["hint"] == hashlib.sha256(pem).hexdigest()
    envelope = document["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    public = serialization.load_pem_public_key(pem)
    assert isinstance(public, EllipticCurvePublicKey)
    encoded = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), encoded, ECDSA(hashes.SHA256()))


def test_every_file_stands_in_it_with_its_digest(bundle: Path, key: Path) -> None:
    payload = json.loads(base64.b64decode(signed(bundle, key)["dsseEnvelope"]["payload"]))
    assert payload["predicateType"] == PREDICATE
    resources = payload["predicate"]["resources"]
    found = {each["name"]: each["digest"] for each in resources}
    wanted = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in files_of(bundle)}
    assert found == wanted
    whole = hashlib.sha256(b"".join(bytes.fromhex(each["digest"]) for each in resources)).hexdigest()
    assert payload["subject"][0]["digest"]["sha256"] == whole


def test_our_own_signature_may_come_later(bundle: Path, key: Path, tmp_path: Path) -> None:
    before = signed(bundle, key)["dsseEnvelope"]["payload"]
    signer(tmp_path).sign(bundle)
    assert signed(bundle, key)["dsseEnvelope"]["payload"] == before


def test_a_damaged_bundle_is_not_signed(bundle: Path, key: Path) -> None:
    (bundle / "card.md").write_text("# another\n")
    with pytest.raises(BundleError):
        signed(bundle, key)


def test_only_keys_that_the_format_takes(bundle: Path, tmp_path: Path) -> None:
    ed25519 = signer(tmp_path, "ed25519")
    (tmp_path / "broken").write_text("-----BEGIN PRIVATE KEY-----\n")
    write_keys(tmp_path / "locked", password=b"kunci", form="model-signing")
    for file in (ed25519.private, ed25519.public, tmp_path / "broken", tmp_path / "locked"):
        with pytest.raises(PapersError) as caught:
            signed(bundle, file)
        assert caught.value.code == "PA002"
    sign_openssf(bundle, tmp_path / "locked", password=b"kunci", out=tmp_path / "model.sig")


@pytest.mark.slow
def test_its_own_tool_verifies_it(bundle: Path, key: Path, tmp_path: Path) -> None:
    tool = shutil.which("model_signing")
    if tool is None:
        pytest.skip(
            "no model_signing here: pip install model-signing pyopenssl, in an environment of its own"
        )
    signed(bundle, key)
    words = [
        "verify",
        "key",
        "--signature",
        str(tmp_path / "model.sig"),
        "--public_key",
        str(public_file(key)),
    ]
    assert subprocess.run([tool, *words, str(bundle)], check=False, capture_output=True).returncode == 0
    (bundle / "card.md").write_text("# another\n")
    assert subprocess.run([tool, *words, str(bundle)], check=False, capture_output=True).returncode != 0
