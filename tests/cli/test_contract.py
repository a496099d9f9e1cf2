"""`siklus contract`: what it proposes, checks, compares and exports, and with which exit code."""

import json
from pathlib import Path

import pytest

from siklus.contract.columns import read_contract
from tests.cli.projects import answered, append_csv, new_project, siklus, straight_rows, write_csv


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return new_project(tmp_path / "line", straight_rows(60), "--drop", "side", "--key", "id")


def test_what_was_dropped_stays_dropped(project: Path) -> None:
    assert read_contract(project / "contract.json").ignored == ("id", "side")
    found = answered("contract", "infer", "-C", project)
    assert [column["name"] for column in found["contract"]["columns"]] == ["a", "b"]
    siklus("contract", "infer", "-C", project, "--write", "--drop", "b")
    assert read_contract(project / "contract.json").names == ("a",)
    siklus("contract", "infer", "-C", project, "--write")
    assert read_contract(project / "contract.json").names == ("a",)


def test_without_a_contract_it_is_inferred_from_nothing_but_the_data(project: Path) -> None:
    (project / "contract.json").unlink()
    found = siklus("contract", "infer", "-C", project, "--write")
    assert f"Written: {project / 'contract.json'}" in found.out.replace("\n", "")
    assert read_contract(project / "contract.json").names == ("a", "b", "side")


def test_a_proposal_is_printed_and_writes_nothing(project: Path) -> None:
    before = (project / "contract.json").read_text()
    append_csv(project / "rows.csv", [{"id": 59, "a": 100, "b": 0, "side": "l", "y": 1}])
    found = siklus("contract", "infer", "-C", project)
    assert found.document["columns"][0]["maximum"] == 100
    assert "key-not-unique" in found.err
    assert (project / "contract.json").read_text() == before


def test_a_damaged_contract_is_never_guessed_at(project: Path) -> None:
    (project / "contract.json").write_text('{"columns": [')
    for words in (["contract", "infer", "--write"], ["contract", "check"], ["train"]):
        found = siklus(*words, "-C", project)
        assert found.code == 2
        assert found.err.startswith(f"siklus: CT002 {project / 'contract.json'}: ")
    assert (project / "contract.json").read_text() == '{"columns": ['


def test_rows_that_keep_it_are_told_from_those_that_do_not(project: Path, tmp_path: Path) -> None:
    good = siklus("contract", "check", "-C", project)
    assert (good.code, good.out.strip()) == (0, "60 rows keep the contract.")
    file = write_csv(tmp_path / "new.csv", [{"a": "x", "b": 1}, {"a": "y", "b": ""}])
    found = siklus("contract", "check", file, "-C", project, "--json")
    assert (found.code, found.document["passed"]) == (1, False)
    codes = {(problem["row"], problem["column"], problem["code"]) for problem in found.document["problems"]}
    assert codes == {(0, "a", "RW003"), (1, "a", "RW003"), (1, "b", "RW004"), (None, "y", "RW002")}
    assert "2 rows break the contract in 4 places." in siklus("contract", "check", file, "-C", project).out


def test_what_is_let_through_is_said(project: Path) -> None:
    append_csv(project / "rows.csv", [{"id": 60, "a": 1e6, "b": 0, "side": "l", "y": ""}])
    found = siklus("contract", "check", "-C", project)
    assert found.code == 0
    assert "out-of-range" in found.out
    assert "target-missing" in found.out


def test_a_sample_is_called_one(project: Path) -> None:
    for words in (["check"], ["infer"]):
        found = siklus("contract", *words, "-C", project, DATA__MAX_ROWS="50")
        assert "Read off a sample: 50 of 60 rows" in found.err


def test_a_breaking_change_is_a_no(project: Path, tmp_path: Path) -> None:
    old, new = project / "contract.json", tmp_path / "new.json"
    contract = json.loads(old.read_text())
    contract["columns"].pop()
    new.write_text(json.dumps(contract))
    assert siklus("contract", "diff", old, old).code == 0
    found = siklus("contract", "diff", old, new, "--json")
    assert (found.code, found.document["verdict"]) == (1, "breaking")
    assert "The change is: breaking." in siklus("contract", "diff", old, new).out
    assert siklus("contract", "diff", old, tmp_path / "none.json").err.startswith("siklus: CT001 ")


def test_it_is_exported(project: Path) -> None:
    document = siklus("contract", "export", "--format", "jsonschema", "-C", project).document
    assert set(document["oneOf"][0]["properties"]) >= {"a", "b"}
    source = siklus("contract", "export", "--format", "pandera", "-C", project).out
    assert answered("contract", "export", "--format", "pandera", "-C", project)["source"] in source
