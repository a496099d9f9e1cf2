"""A retraining as a process: what came of it is there, once, however often it was killed."""

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from siklus.automation.retraining.assembling import assembled, begin
from siklus.automation.retraining.judging import Contest, judge
from siklus.automation.retraining.process import main, retrain
from siklus.automation.retraining.retrained import Retrained, folder_of, lock_of, read_retrained
from siklus.bundle.read import Bundle
from siklus.errors import AutomationError
from siklus.files import lock
from siklus.project.file import OpenProject
from siklus.train.gates import GateResult
from tests.automation.lived import (
    ago,
    bundle_of,
    live,
    live_in,
    lived_in,
    opened,
    points,
    result_of,
    retrained,
    retraining,
    versions,
)

FEW = {"RETRAIN__MIN_LABELS": "400", "RETRAIN__WINDOW": "sliding 3000"}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose world has changed yesterday, of which three clients have told 3,000 outcomes."""
    project = lived_in(tmp_path_factory.mktemp("retraining") / "shop")
    champion = bundle_of(project, 1)
    for i, client in enumerate(("amy", "ben", "cat")):
        live(project, champion, changed(i), at=ago(1 - i / 100), client=client)
    return project


@pytest.fixture(scope="module")
def champion(lived: Path) -> Bundle:
    return bundle_of(lived, 1)


def changed(seed: int) -> pd.DataFrame:
    return points(1_000, seed=1 + seed, slope=1.0, level=1.0)


@pytest.fixture(scope="module")
def first(lived: Path) -> int:
    """A retraining that was killed while it registered what it had made, and went on; its number."""
    killed(lived, 1, after="gate", seconds=0.5)
    found = retrained(lived, 1, "quality", **FEW)
    assert found.verdict == "accepted", found.reason
    return 1


def killed(project: Path, number: int, *, after: str, seconds: float) -> None:
    """Killed without a word so long after a step, if it has not ended by then."""
    process = retraining(project, number, "quality", **FEW)
    assert process.stderr is not None
    for line in process.stderr:
        if f'"step":"{after}"'.encode() in line:
            break
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_better_challenger_is_accepted_and_takes_nothing_by_itself(lived: Path, first: int) -> None:
    found = result_of(lived, first)
    assert (found.version, found.champion, found.trigger, found.code) == (2, 1, "quality", "")
    assert {version.number: version.stage for version in versions(lived)} == {1: "production", 2: "staging"}
    assert found.judgement is not None
    assert found.judgement.evidence is not None
    # Both models' mean absolute errors by theory: of N(0, 0.5) and of a slope and a level that are 1 off.
    noise, off = np.sqrt(2 / np.pi) * 0.5, mean_absolute(level=1.0, deviation=np.sqrt(1 + 0.25))
    assert found.judgement.evidence.mean == pytest.approx(noise - off, abs=0.1)
    assert found.judgement.champion_loss == pytest.approx(off, abs=0.15)
    assert "weak evidence" in found.reason


def mean_absolute(*, level: float, deviation: float) -> float:
    rng = np.random.default_rng(0)
    return float(np.abs(level + deviation * rng.normal(size=1_000_000)).mean())


def test_its_papers_say_what_it_was_made_of(lived: Path, first: int) -> None:
    found, papers = result_of(lived, first), bundle_of(lived, 2).provenance()
    assert found.rows is not None
    assert (found.rows.logged, found.rows.left_out) == (3_000, {"outside the window": 600})
    assert papers.origin is not None
    assert (papers.origin.job, papers.origin.window, papers.origin.logged_rows) == (1, "sliding 3000", 3_000)
    assert papers.parent_version == "1"
    assert papers.triggered_by == "retraining 1: quality"
    assert papers.trained == found.began.isoformat()
    card = (bundle_of(lived, 2).path / "card.md").read_text()
    assert "3,000 logged predictions with their outcomes" in card


def test_judged_on_rows_that_neither_was_fitted_on(lived: Path, first: int) -> None:
    """A fifth of the logged rows, which the split has kept from the challenger; the champion knows none."""
    found, papers = result_of(lived, first), bundle_of(lived, 2).provenance()
    assert found.judgement is not None
    assert papers.trained_rows == 3_000 - found.judgement.labels
    assert found.judgement.labels == pytest.approx(600, abs=80)


def test_what_has_ended_is_not_done_again(lived: Path, first: int) -> None:
    before = (folder_of(opened(lived).paths, first) / "result.json").read_bytes()
    assert main(["--project", str(lived), "--job", str(first)]) == 0
    assert (folder_of(opened(lived).paths, first) / "result.json").read_bytes() == before
    assert [file.name for file in folder_of(opened(lived).paths, first).glob("*.parquet")] == []
    assert len(versions(lived)) == 2


def test_one_at_a_time(lived: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = opened(lived).paths
    with lock(lock_of(paths), what="a retraining"):
        assert main(["--project", str(lived), "--job", "7"]) == 2
    assert "FS002" in capsys.readouterr().err
    assert read_retrained(paths, 7) is None


def test_whatever_goes_wrong_is_the_result(lived: Path, tmp_path: Path) -> None:
    found = ended(opened(lived, DATA__PATH="gone.csv"), tmp_path, trigger="drift")
    assert (found.verdict, found.version, found.code) == ("failed", None, "DA004")
    assert "gone.csv" in found.reason


def test_outcomes_in_another_unit_are_not_trained_on_unless_a_person_wants_it(
    lived: Path, champion: Bundle, tmp_path: Path
) -> None:
    project = moved(opened(lived), tmp_path / "state")
    rows = changed(30)
    live_in(project, champion, rows.assign(y=60 * rows["y"] + 300), at=ago(0.5))
    found = ended(project, tmp_path / "drift", trigger="drift")
    assert (found.verdict, found.version, found.rows) == ("refused", None, None)
    assert [finding.guard for finding in found.findings] == ["label-prior"]
    assert found.reason.startswith("a bug in the labels, more likely than a new world: the median of 1,000")
    job = begin(project, tmp_path / "asked", number=2, trigger="asked by anna", now=ago(0))
    note = assembled(job, champion)
    assert note.taken is not None
    assert (note.taken.logged, len(note.findings)) == (1_000, 1)


def ended(project: OpenProject, folder: Path, *, trigger: str) -> Retrained:
    """A retraining that ends before it trains, in this process."""
    job = begin(project, folder, number=1, trigger=trigger, now=ago(0))
    return retrain(job, now=lambda: ago(0))


def moved(project: OpenProject, state: Path) -> OpenProject:
    """With a log of its own, and the same versions."""
    state.mkdir()
    for name in ("mlflow.db", "bundles", "snapshots"):
        (state / name).symlink_to(project.paths.state / name)
    return OpenProject(project.settings, replace(project.paths, state=state))


def test_only_the_window_judges(lived: Path, champion: Bundle, first: int) -> None:
    contest = Contest(challenger=bundle_of(lived, 2), champion=champion, gates=(), trigger="drift")
    whole = judge(contest, opened=opened(lived, RETRAIN__WINDOW="all"), now=ago(0))
    newest = judge(contest, opened=opened(lived, RETRAIN__WINDOW="sliding 1000"), now=ago(0))
    # Of the last thousand rows a fifth was kept from the challenger.
    assert newest.labels == pytest.approx(200, abs=50)
    assert whole.labels > 2 * newest.labels


def test_too_few_labels_are_judged_again_when_more_have_come(
    lived: Path, champion: Bundle, first: int
) -> None:
    project = opened(lived, RETRAIN__MIN_LABELS="700")
    contest = Contest(challenger=bundle_of(lived, 2), champion=champion, gates=(), trigger="drift")
    early = judge(contest, opened=project, now=ago(0))
    assert early.verdict == "undecided"
    assert early.reason.startswith(f"can't tell yet: {early.labels} of 700 labels, difference -")
    live(lived, champion, changed(9), at=ago(0.5), client="amy")
    later = judge(contest, opened=project, now=ago(0))
    assert later.verdict == "accepted"
    assert later.labels == early.labels + 1_000
    assert judge(contest, opened=project, now=ago(0.9)).labels == early.labels


def test_on_the_trusted_rows_no_challenger_may_be_worse(lived: Path, champion: Bundle, first: int) -> None:
    """They say that the world is as it was, on which the champion was made."""
    points(300, seed=40).to_csv(lived / "trusted.csv", index=False)
    project = opened(lived, RETRAIN__TRUSTED="trusted.csv")
    contest = Contest(challenger=bundle_of(lived, 2), champion=champion, gates=(), trigger="drift")
    found = judge(contest, opened=project, now=ago(0))
    assert found.verdict == "refused"
    assert found.reason.startswith("it is worse on the trusted rows: mae differs by +0.8")
    changed(41).to_csv(lived / "trusted.csv", index=False)
    found = judge(contest, opened=project, now=ago(0))
    assert found.trusted is not None
    assert found.trusted.high is not None
    assert found.trusted.high < 0
    points(300, seed=40).drop(columns="a").to_csv(lived / "trusted.csv", index=False)
    with pytest.raises(AutomationError, match="'a'") as caught:
        judge(contest, opened=project, now=ago(0))
    assert caught.value.code == "AU053"


def test_a_gate_that_failed_and_a_first_version_need_no_labels(
    lived: Path, champion: Bundle, first: int
) -> None:
    failed = GateResult(name="mae", bound="<= 1", value=2.0, passed=False, why="")
    challenger, project = bundle_of(lived, 2), opened(lived)
    contest = Contest(challenger=challenger, champion=champion, gates=(failed,), trigger="drift")
    assert judge(contest, opened=project, now=ago(0)).reason == "mae of [gates] does not hold"
    alone = Contest(challenger=challenger, champion=None, gates=(), trigger="drift")
    assert judge(alone, opened=project, now=ago(0)).verdict == "accepted"


def test_labels_of_a_liar_neither_train_nor_judge(lived: Path, champion: Bundle, first: int) -> None:
    """A fourth client floods with false outcomes; a challenger of its making would please only that one."""
    false = changed(20).assign(y=lambda rows: 50 - rows["y"])
    for i in range(3):
        live(lived, champion, false.assign(a=false["a"] + i / 100), at=ago(0.4 - i / 100), client="eve")
    project = opened(lived, RETRAIN__MIN_LABELS="700")
    contest = Contest(challenger=bundle_of(lived, 2), champion=champion, gates=(), trigger="drift")
    found = judge(contest, opened=project, now=ago(0))
    assert [(finding.client, finding.left_out) for finding in found.findings] == [("eve", 3_000)]
    assert found.verdict == "accepted"
    assert found.labels < 3_000


@pytest.mark.slow
def test_a_training_that_needs_more_memory_than_it_may_have_fails_with_a_reason(lived: Path) -> None:
    found = retrained(lived, 50, RETRAIN__MEMORY_BYTES="500000000")
    assert (found.verdict, found.code) == ("failed", "AU054")
    assert "memory_bytes = 500000000" in found.reason


@pytest.mark.slow
def test_killed_at_any_moment_it_makes_one_version(lived: Path, first: int) -> None:
    rng = np.random.default_rng(0)
    count = len(versions(lived))
    for number in range(100, 110):
        for after in rng.choice(["ingest", "split", "search", "export", "gate", "gate"], size=3):
            killed(lived, number, after=str(after), seconds=float(rng.uniform(0, 3)))
        found = retrained(lived, number, "quality", **FEW)
        assert found.verdict in ("accepted", "refused"), found.reason
        count += 1
        assert len({version.digest for version in versions(lived)}) == len(versions(lived)) == count


def test_the_result_is_read_as_it_was_written(lived: Path, first: int) -> None:
    found = result_of(lived, first)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
