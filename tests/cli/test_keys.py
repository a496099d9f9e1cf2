"""`siklus keys`: a key is shown once, and nowhere else."""

from pathlib import Path

import pytest

from tests.cli.projects import answered, siklus


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "siklus.toml").write_text(
        '[project]\nname = "line"\ntask = "regression"\n[data]\npath = "rows.csv"\ntarget = "y"\n'
    )
    return tmp_path


def test_a_key_is_shown_once_on_stdout_and_its_name_afterwards(project: Path) -> None:
    added = siklus("keys", "add", "ci", "--rate", "30/m", "-C", project)
    assert (added.code, added.out.count("\n")) == (0, 1)
    key = added.out.strip()
    assert key.startswith("sk_")
    assert key not in added.err
    listed = siklus("keys", "list", "-C", project)
    assert "ci" in listed.out
    assert "30/m" in listed.out
    assert key not in listed.out
    assert key not in (project / ".siklus" / "keys.json").read_text()


def test_the_documents_of_a_keys_life(project: Path) -> None:
    assert answered("keys", "list", "-C", project) == {"keys": [], "asked_for": False}
    added = answered("keys", "add", "ci", "--rate", "100/s", "-C", project)
    assert (added["name"], added["requests_per_second"]) == ("ci", 100.0)
    [listed] = answered("keys", "list", "-C", project)["keys"]
    assert listed.keys() == {"name", "created", "requests_per_second"}
    assert answered("keys", "revoke", "ci", "-C", project) == {"revoked": "ci", "left": []}
    assert answered("keys", "list", "-C", project) == {"keys": [], "asked_for": True}


def test_whoever_revokes_the_last_key_is_told_what_that_means(project: Path) -> None:
    siklus("keys", "add", "ci", "-C", project)
    assert "nobody may ask" in siklus("keys", "revoke", "ci", "-C", project).err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "a b"], "SV015"),
        (["add", "ci", "--rate", "fast"], "SV017"),
        (["revoke", "ci"], "SV016"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], code: str, project: Path) -> None:
    found = siklus("keys", *words, "-C", project)
    assert (found.code, found.out) == (2, "")
    assert code in found.err
