"""`siklus compare`: metrics, contracts, and both versions on the very same rows."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

from siklus.bundle.read import open_bundle
from siklus.contract.decode import decode_table
from siklus.data.snapshot import open_snapshot
from siklus.data.split import split
from siklus.project.file import open_project
from tests.cli.projects import answered, new_project, siklus, straight_rows


def test_both_are_compared_on_the_rows_that_judged_the_newer(registered: Path) -> None:
    found = answered("compare", "1", "2", "-C", registered)
    versions = {version["number"]: version for version in answered("models", "-C", registered)}
    assert found["versions"] == [1, 2]
    for number in (1, 2):
        assert found["metrics"][str(number)]["mae"]["value"] == versions[number]["metrics"]["mae"]
        assert found["metrics"][str(number)]["mae"]["low"] is not None

    # The same by hand: scipy's paired t test of the absolute errors on that test part.
    project = open_project(registered, environment={})
    table = open_snapshot(versions[2]["data_digest"], project.paths.snapshots)
    test = table.take(split(table, settings=project.settings.data.split, key="id").test)
    errors = []
    for number in (1, 2):
        bundle = open_bundle(project.paths.bundles / versions[number]["digest"])
        values = bundle.predict(decode_table(test, bundle.contract).accepted()).values.astype(np.float64)
        errors.append(np.abs(values - test["y"]))
    difference = found["difference"]
    assert (found["of"], found["minus"], difference["rows"]) == (2, 1, len(test))
    assert difference["mean"] == pytest.approx(np.mean(errors[1] - errors[0]), rel=1e-9)
    assert difference["p"] == pytest.approx(ttest_rel(errors[1], errors[0]).pvalue, rel=1e-9)


def test_the_order_in_which_they_are_named_is_that_of_the_table_alone(registered: Path) -> None:
    one, other = (
        answered("compare", *pair, "-C", registered) for pair in (("1", "2"), ("staging", "production"))
    )
    assert other["versions"] == [2, 1]
    assert {**other, "versions": None} == {**one, "versions": None}


def test_a_person_reads_a_table_and_a_sentence(registered: Path) -> None:
    found = siklus("compare", "production", "staging", "-C", registered)
    assert found.code == 0
    assert "version 1 (production)" in found.out
    assert "version 2 (staging)" in found.out
    assert "Neither is significantly better. Version" in found.out
    assert "neither model was fitted on any of them" in " ".join(found.out.split())


def test_a_version_beside_itself_does_not_differ(registered: Path) -> None:
    found = answered("compare", "1", "1", "-C", registered)
    assert (found["contract"]["verdict"], found["difference"]["mean"], found["difference"]["p"]) == (
        "same",
        0,
        1,
    )


def test_a_better_version_is_called_so_and_a_changed_contract_shown(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "better", straight_rows(240), "--drop", "a", "--key", "id", store=store)
    answered("train", "-C", project)
    contract = json.loads((project / "contract.json").read_text())
    contract["ignored"].remove("a")
    contract["columns"].insert(0, {"kind": "number", "name": "a"})
    (project / "contract.json").write_text(json.dumps(contract))
    answered("train", "-C", project)
    found = siklus("compare", "1", "2", "-C", project).out
    assert "Version 2 is better: mean loss (mae) 1." in found
    assert "below that of version 1 (95 % interval 1." in found
    assert "breaking" in found
    document = answered("compare", "1", "2", "-C", project)
    assert document["difference"]["mean"] < -1
    [change] = document["contract"]["changes"]
    assert (change["column"], document["contract"]["verdict"]) == ("a", "breaking")


def test_without_the_rows_the_rest_is_compared(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "rowless", straight_rows(120), store=store)
    answered("train", "-C", project)
    for snapshot in (project / ".siklus" / "snapshots").iterdir():
        snapshot.unlink()
    found = answered("compare", "1", "latest", "-C", project)
    assert found["difference"] is None
    assert found["verdict"].startswith("The two cannot be compared on the same rows: ")
    assert found["metrics"]["1"]["mae"]["value"] is not None
