"""`siklus replay`: a person, a script and a pipeline are told what a version would change."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from siklus.bundle.read import open_bundle
from siklus.cli.registered import registry_of
from siklus.project.file import open_project
from tests.cli.projects import siklus, straight_rows
from tests.monitor.labelled import Traffic

ROWS = 120


@pytest.fixture
def project(own: Path) -> Path:
    """Versions 1 (production) and 2 (staging)."""
    return own


def logged(project: Path, *, champion_is_right: bool = False) -> None:
    """Rows that version 1 has answered, and their outcomes."""
    opened = open_project(project, environment={})
    registry = registry_of(opened)
    path = registry.fetch(registry.resolve("line", "1"), opened.paths.bundles)
    champion, now = open_bundle(path, version="1"), datetime.now(UTC)
    traffic, frame = Traffic(opened.paths.records), pd.DataFrame(straight_rows(ROWS, seed=5))
    batch = traffic.answer(champion, frame[list(champion.contract.names)], at=now)
    traffic.tell(batch.ids, batch.raw if champion_is_right else frame["y"], at=now)


def test_a_version_is_told_beside_the_champion(project: Path) -> None:
    logged(project)
    found = siklus("replay", "2", "-C", project, "--by", "side")
    assert found.code == 0, found.err
    assert "Version 2 asked again" in found.out
    assert "By side" in found.out
    assert "Farthest from what was answered" in found.out
    assert "Nothing speaks against showing version 2 to users." in found.out
    assert f"on {ROWS} rows with an outcome" in found.out
    same = siklus("replay", "production", "-C", project, "--json")
    assert (same.document["rows"], same.document["same"]) == (ROWS, ROWS)
    assert same.document["quality"]["mean"] == 0


def test_fail_is_for_pipelines(project: Path) -> None:
    """Whatever the champion says comes true."""
    logged(project, champion_is_right=True)
    worse = siklus("replay", "2", "-C", project, "--fail")
    assert worse.code == 1
    assert "But it is worse than the champion" in worse.out
    assert siklus("replay", "2", "-C", project).code == 0
    assert siklus("replay", "1", "-C", project, "--fail").code == 0


def test_what_cannot_be_asked_ends_in_words(project: Path) -> None:
    logged(project)
    assert siklus("replay", "2", "-C", project, "--last", "soon").code == 2
    both = siklus("replay", "2", "-C", project, "--last", "7d", "--since", "2026-01-01")
    assert "takes one of --since and --last" in both.err
    empty = siklus("replay", "2", "-C", project, "--until", "2020-01-01", "--last", "1d")
    assert empty.code == 2
    assert empty.err.startswith("siklus: AU071 no row was answered from 2019-12-31 00:00")
    assert "MO021" in siklus("replay", "2", "-C", project, "--by", "nowhere").err
