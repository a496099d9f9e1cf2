"""A retraining where servers take signed versions only: what it makes is signed, or refused."""

from pathlib import Path

import pytest

from tests.automation.lived import ago, bundle_of, live, lived_in, points, retrained
from tests.bundle.signers import signer

FEW = {"RETRAIN__MIN_LABELS": "400", "RETRAIN__WINDOW": "sliding 3000"}


@pytest.mark.slow
def test_a_challenger_that_no_server_would_take_is_refused_unless_it_is_signed(tmp_path: Path) -> None:
    project, anna = lived_in(tmp_path / "shop"), signer(tmp_path)
    champion = bundle_of(project, 1)
    for i, client in enumerate(("amy", "ben", "cat")):
        changed = points(1_000, seed=1 + i, slope=1.0, level=1.0)
        live(project, champion, changed, at=ago(1 - i / 100), client=client)
    asked = {**FEW, "SERVE__TRUSTED_KEYS": f'["{anna.public}"]'}
    unsigned = retrained(project, 1, "quality", **asked)
    assert (unsigned.verdict, unsigned.version) == ("refused", 2)
    assert "BN015" in unsigned.reason
    assert "[sign] key" in unsigned.reason
    signed = retrained(project, 2, "quality", **asked, SIGN__KEY=str(anna.private))
    assert signed.verdict == "accepted", signed.reason
    made = bundle_of(project, signed.version or 0).path
    anna.trusted.refuse_untrusted(made, (made / "manifest.json").read_bytes())
