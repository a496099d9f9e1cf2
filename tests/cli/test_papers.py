"""A release's papers by command: keys, signatures, verification, card and parts list."""

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from siklus.bundle.signatures import SIGNATURE_FILE
from tests.cli.projects import Answer, answered, siklus


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "release"
    answered("sign", "--make-key", file)
    return file


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def trusting(project: Path, *keys: Path) -> None:
    """Let the project's servers take only what one of these has signed."""
    file, listed = project / "siklus.toml", json.dumps([str(public(key)) for key in keys])
    text = file.read_text()
    assert "[serve]\n" in text
    file.write_text(text.replace("[serve]\n", f"[serve]\ntrusted_keys = {listed}\n", 1))


def refused(answer: Answer, code: str) -> None:
    assert answer.code == 2, answer.out
    assert answer.err.startswith(f"siklus: {code} "), answer.err


def test_a_private_key_is_for_its_owner_alone(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in public(key).read_bytes()
    before = key.read_bytes()
    refused(siklus("sign", "--make-key", key), "PA001")
    assert key.read_bytes() == before


def test_a_version_is_signed_and_verified(own: Path, key: Path, tmp_path: Path) -> None:
    unsigned = answered("verify", "1", "-C", own)
    assert [check["name"] for check in unsigned["checks"]] == [
        "manifest",
        "files",
        "model",
        "golden rows",
        "signature",
    ]
    assert unsigned["checks"][-1]["told"] == "it is not signed"
    without = siklus("verify", "1", "--key", public(key), "-C", own)
    assert (without.code, "it is not signed" in without.out) == (1, True)
    signed = answered("sign", "1", "--key", key, "-C", own)
    assert signed["version"] == 1
    answered("sign", "1", "--key", key, "-C", own)  # once more: nothing new
    [entry] = answered("history", "--kind", "signature", "-C", own)
    assert (entry["subject"], entry["evidence"]["key"]) == ("version 1", signed["key"])
    [version] = [each for each in answered("models", "-C", own) if each["number"] == 1]
    assert version["signers"] == [signed["key"]]
    verified = answered("verify", "1", "--key", public(key), "-C", own)
    assert verified["signers"] == [{"key": signed["key"], "name": "release.pub"}]
    # Nobody was named whose key could verify it: that is said, and no failure.
    assert "by an unknown key" in siklus("verify", "1", "-C", own).out
    other = tmp_path / "other"
    answered("sign", "--make-key", other)
    stranger = siklus("verify", "1", "--key", public(other), "-C", own)
    assert (stranger.code, "not trusted" in stranger.out) == (1, True)


def test_a_damaged_bundle_does_not_verify(own: Path, key: Path) -> None:
    folder = Path(answered("sign", "1", "--key", key, "-C", own)["bundle"])
    (folder / "card.md").write_text("# better\n")
    found = siklus("verify", folder, "--key", public(key), "--json")
    assert found.code == 1
    checks = {check["name"]: (check["holds"], check["code"]) for check in found.document["checks"]}
    # The manifest is still the one that was signed; the file is not what it says.
    assert checks == {"manifest": (True, ""), "files": (False, "BN005"), "signature": (True, "")}
    # Of a version, the registry's is fetched instead.
    assert answered("verify", "1", "--key", public(key), "-C", own)["holds"]


def test_a_password_keeps_the_key(own: Path, tmp_path: Path) -> None:
    key, password = tmp_path / "locked", tmp_path / "password"
    password.write_text("kunci\n")
    answered("sign", "--make-key", key, "--password-file", password)
    refused(siklus("sign", "1", "--key", key, "-C", own), "BN019")
    assert answered("sign", "1", "--key", key, "--password-file", password, "-C", own)["version"] == 1


def test_what_servers_would_refuse_is_not_promoted(own: Path, key: Path) -> None:
    trusting(own, key)
    answered("sign", "1", "--key", key, "-C", own)
    assert answered("traffic", "set", "--champion", "1", "-C", own)
    refused(siklus("traffic", "set", "--champion", "2", "-C", own), "BN015")
    refused(siklus("rollout", "start", "2", "-C", own), "BN015")
    assert answered("traffic", "show", "-C", own)["policy"]["allotment"]["arms"][0]["version"] == 1
    assert siklus("verify", "2", "-C", own).code == 1
    answered("sign", "2", "--key", key, "-C", own)
    assert answered("traffic", "set", "--champion", "2", "-C", own)


def test_a_training_signs_what_it_makes(own: Path, tmp_path: Path, key: Path) -> None:
    trusting(own, key)
    with (own / "siklus.toml").open("a") as file:
        file.write(f"\n[sign]\nkey = {json.dumps(str(key))}\n")
    anew = ("train", "--from", "gate", "-C", own)
    refused(siklus(*anew, SIGN__KEY=str(tmp_path / "gone")), "BN018")
    # What fails a gate is no version: a signature would let it answer all the same.
    failed = siklus(*anew, "--json", GATES__MAE='"<= 0"')
    assert failed.code == 1, failed.err
    assert failed.document["signers"] == []
    assert not (Path(failed.document["bundle"]) / SIGNATURE_FILE).exists()
    found = answered(*anew)
    assert (Path(found["bundle"]) / SIGNATURE_FILE).is_file()
    [signer] = found["signers"]
    told = siklus("train", "-C", own).out
    assert f"Version 3 is registered, in staging, signed by {signer[:16]}." in told
    assert answered("verify", "3", "-C", own)["signers"] == [{"key": signer, "name": "release.pub"}]
    assert "signed by release.pub" in siklus("card", "3", "-C", own).out


def test_the_card_says_what_is_known(own: Path, tmp_path: Path) -> None:
    answered("annotate", "2", "Checked by <b>Budi</b>", "-C", own)
    text = siklus("card", "2", "-C", own).out
    for part in ("# line", "## Use", "## Limits", "## Where it comes from", "Version 2 of line, staging"):
        assert part in text
    assert "A note: Checked by <b>Budi</b>" in text
    assert "Nothing that could be read here" in text
    page = tmp_path / "card.html"
    assert siklus("card", "2", "--html", "--out", page, "-C", own).code == 0
    html = page.read_text()
    assert "&lt;b&gt;Budi&lt;/b&gt;" in html
    assert "<script" not in html
    assert "default-src &#39;none&#39;; style-src" in html
    assert html.count("<table>") >= 2
    assert "data:image/png;base64," in html
    found = answered("card", "--bundle", answered("verify", "2", "-C", own)["bundle"])
    assert found["since"]["registered"] is None
    assert found["card"].startswith("# line")


def test_the_parts_list_keeps_its_schema(own: Path, tmp_path: Path) -> None:
    shown = siklus("sbom", "2", "-C", own)
    assert shown.code == 0, shown.err
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(shown.out) is None
    assert shown.document["metadata"]["component"]["version"] == "2"
    out = tmp_path / "sbom.json"
    told = answered("sbom", "2", "--out", out, "-C", own)
    assert out.read_text() == shown.out
    assert told["serial"] == shown.document["serialNumber"]


def test_one_release_at_a_time(own: Path) -> None:
    for command in ("sbom", "card", "sign"):
        found = siklus(command, "2", "--bundle", own, "-C", own)
        assert found.code == 2, command
