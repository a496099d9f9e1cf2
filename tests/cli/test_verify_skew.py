"""`siklus verify-skew`: are logged requests the rows that a training prepares? An exit code says it."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from siklus.bundle.read import Bundle, open_bundle
from siklus.contract.decode import decode_records, decode_table
from siklus.data.snapshot import open_snapshot
from siklus.monitor.skew.bits import bits_of
from siklus.monitor.skew.training_door import Door, door_of, through
from siklus.project.file import open_project
from siklus.project.sections import Records
from siklus.records.layout import Layout
from siklus.records.predictions import PredictionLog
from siklus.table import Table
from tests.cli.projects import answered, siklus

ROWS: list[object] = [
    {"a": 0.1, "b": -0.0, "side": "l"},
    [16777217, 1e-40, "r"],
    {"a": 2, "b": 3.0, "side": "?"},
]


@pytest.fixture
def project(registered: Path, tmp_path: Path) -> Path:
    """A copy of the project with two versions, whose log is empty."""
    return Path(shutil.copytree(registered, tmp_path / registered.name))


def bundle_of(project: Path, number: int) -> Bundle:
    (digest,) = [v["digest"] for v in answered("models", "-C", project) if v["number"] == number]
    return open_bundle(open_project(project, environment={}).paths.bundles / digest, version=str(number))


def log_answers(
    project: Path, bundle: Bundle, rows: Sequence[object] = ROWS, *, version: str = "", off_by: float = 0.0
) -> None:
    """What a server writes after it has answered, through its own log. ``off_by``: added to each answer."""
    directory = Layout(open_project(project, environment={}).paths.records).segments
    directory.mkdir(parents=True, exist_ok=True)
    log = PredictionLog(directory, worker="0", settings=Records(), key=bytes(32))
    version = version or bundle.version
    log.describe(version, bundle.contract)
    values = bundle.predict(decode_records(rows, bundle.contract).accepted()).values
    for i, (row, value) in enumerate(zip(rows, values.tolist(), strict=True)):
        body = msgspec.json.encode({"features": row})
        now_us = time.time_ns() // 1000
        log.append((f"{version}-{i}", now_us, version, "champion", False, body, value + off_by, None, 1.0))
    log.close()


def test_rows_that_two_versions_answered_are_proven_the_same(project: Path) -> None:
    for number in (1, 2):
        log_answers(project, bundle_of(project, number))
    found = answered("verify-skew", "-C", project)
    assert (found["found"], found["form"], found["not_compared"]) == (False, "csv", {})
    assert [(v["version"], v["rows"], v["identical"]) for v in found["versions"]] == [
        ("1", 3, 3),
        ("2", 3, 3),
    ]
    for version in found["versions"]:
        assert version["answers"]["holds"]
        # The trained model itself was kept, and says the same.
        assert version["trained"]["holds"]
        assert version["certificate"]["tolerance"] == version["answers"]["tolerance"]
    said = siklus("verify-skew", "-C", project)
    assert said.code == 0
    assert (
        "No skew: all 6 rows are the same float32 numbers, bit for bit, and so are the answers." in said.out
    )


@pytest.mark.parametrize(("off_by", "holds"), [(0.0, True), (0.5, False)])
def test_the_journal_keeps_what_came_of_it(project: Path, off_by: float, holds: bool) -> None:
    log_answers(project, bundle_of(project, 1), off_by=off_by)
    assert siklus("verify-skew", "-C", project).code == (0 if holds else 1)
    (entry,) = answered("history", "-C", project, "--kind", "proof")
    assert entry["subject"] == "no skew"
    assert entry["evidence"] == {"holds": holds, "rows": 3, "versions": ["1"]}


def test_one_version_or_the_last_rows_can_be_asked_about(project: Path) -> None:
    for number in (1, 2):
        log_answers(project, bundle_of(project, number))
    for words in (["--version", "production"], ["--last", "100", "--version", "1"]):
        found = answered("verify-skew", "-C", project, *words)
        assert [(version["version"], version["rows"]) for version in found["versions"]] == [("1", 3)]
    assert sum(v["rows"] for v in answered("verify-skew", "-C", project, "--last", "2")["versions"]) == 2
    assert answered("verify-skew", "-C", project, "--through", "parquet")["form"] == "parquet"


def test_skew_ends_with_exit_code_1_and_says_where(project: Path) -> None:
    log_answers(project, bundle_of(project, 1), off_by=0.5)
    found = siklus("verify-skew", "-C", project)
    assert found.code == 1
    assert "at most 0.5 off, 2 beyond the tolerance" in " ".join(found.out.split())
    assert "Skew: the rows are the same, but the answers are not." in found.out
    assert siklus("verify-skew", "-C", project, "--json").code == 1


def test_cells_that_a_training_file_cannot_say_are_shown(project: Path) -> None:
    # As CSV the empty word is a missing cell, which this column does not have.
    log_answers(project, bundle_of(project, 1), [{"a": 1, "b": 2, "side": ""}, {"a": 1, "b": 2, "side": "l"}])
    found = siklus("verify-skew", "-C", project)
    assert found.code == 1
    assert "Skew: 1 of 2 rows are not the same in training and in serving." in found.out
    assert "0xbf800000" in found.out  # -1, an unseen word
    assert "RW004" in found.out
    assert siklus("verify-skew", "-C", project, "--through", "json").code == 0


def test_a_version_that_is_not_registered_is_named_and_passed_over(project: Path) -> None:
    bundle = bundle_of(project, 1)
    log_answers(project, bundle, version="0123456789ab")
    alone = siklus("verify-skew", "-C", project)
    assert (alone.code, "MO061" in alone.err) == (2, True)
    log_answers(project, bundle)
    assert answered("verify-skew", "-C", project)["not_compared"] == {"0123456789ab": 3}
    said = siklus("verify-skew", "-C", project).out
    assert "Version 0123456789ab is not registered here: its 3 rows" in said


def test_without_rows_nothing_is_proven(project: Path) -> None:
    for words in ([], ["--last", "5"], ["--window", "90s", "--version", "2"]):
        found = siklus("verify-skew", "-C", project, *words)
        assert (found.code, "MO060" in found.err) == (2, True)
    for wrong in (["--window", "yesterday"], ["--window", "1h", "--last", "5"]):
        assert siklus("verify-skew", "-C", project, *wrong).code == 2


@pytest.mark.parametrize("form", ["own", "parquet", "json"])
def test_the_door_gives_the_very_matrix_that_a_training_left(registered: Path, form: str) -> None:
    """Sent as requests, a training's rows become what its step `prepare` has written."""
    opened = open_project(registered, environment={})
    matrices = {len(m): m for m in map(np.load, opened.paths.steps.glob("prepare-*/matrix.npy"))}
    for number in (1, 2):
        bundle = bundle_of(registered, number)
        rows = open_snapshot(str(bundle.provenance().data_digest), opened.paths.snapshots)
        instances = msgspec.json.decode(msgspec.json.encode(list(as_requests(rows, bundle))))
        door = door_of(opened.settings.data) if form == "own" else Door(form)  # type: ignore[arg-type]  # a form
        learned = decode_table(through(instances, bundle.contract, door), bundle.contract).accepted()
        assert np.array_equal(bits_of(learned.matrix), bits_of(matrices[len(rows)]))


def as_requests(rows: Table, bundle: Bundle) -> Sequence[dict[str, object]]:
    return [{name: row[name] for name in bundle.contract.names} for row in rows.records()]
