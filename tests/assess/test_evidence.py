"""Evidence: what stands in a project's folder and journal becomes the signs that scales ask for."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from siklus.assess.evidence.decisions import decided
from siklus.assess.evidence.pipelines import ran
from siklus.assess.evidence.project_files import files_in
from siklus.assess.evidence.repository import in_git
from siklus.assess.evidence.traffic import in_the_log, on_the_board
from siklus.assess.facts import Sighting, Trace, together
from siklus.deploy.pipelines.record import PipelineRun, keep
from siklus.deploy.pipelines.running import Ran
from siklus.drill.expectations import Finding
from siklus.drill.report import DrillReport, FaultReport
from siklus.drill.report import entry_of as drill_entry
from siklus.ledgers.board import Board, Gauge, write_board
from siklus.project.file import OpenProject, open_project
from siklus.registry.journal import Entry
from siklus.registry.proofs import SKEW, Proof
from siklus.registry.proofs import entry_of as proof_entry
from tests.architecture.source import ROOT
from tests.assess.looking import LENS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROJECT = """\
[project]
name = "line"
task = "regression"

[data]
path = "rows.csv"
target = "y"
"""
CONTRACT = {
    "format": 1,
    "columns": [{"kind": "number", "name": "a"}, {"kind": "number", "name": "b", "sensitive": True}],
    "target": {"name": "y"},
}


def project(folder: Path, more: str = "") -> OpenProject:
    (folder / "siklus.toml").write_text(PROJECT + more)
    return open_project(folder, environment={})


def found(sightings: object) -> dict[str, tuple[Trace, ...]]:
    return together(sightings)  # type: ignore[arg-type]  # an iterator of sightings


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("more", "sign", "where"),
    [
        ('[gates]\nmae = "<= 12"\n', "gates-set", "siklus.toml:9"),
        ('[gates]\nslices = { column = "a", mae = "<= 1" }\n', "slices-set", "siklus.toml:9"),
        ("[train]\ntrials = 20\n", "trials-set", "siklus.toml:9"),
        ('[retrain]\non = ["drift"]\n', "retrain-set", "siklus.toml:9"),
        ("[rollout]\nsteps = [0.1, 1.0]\n", "rollout-set", "siklus.toml:8"),
        ('[notify.ops]\nkind = "log"\n', "alerts-set", "siklus.toml:8"),
    ],
)
def test_a_setting_is_found_with_its_line(tmp_path: Path, more: str, sign: str, where: str) -> None:
    seen = found(files_in(project(tmp_path, more)))
    assert [(each.kind, each.where) for each in seen[sign]] == [("configured", where)]


def test_a_default_that_nobody_has_written_down_configures_nothing(tmp_path: Path) -> None:
    assert found(files_in(project(tmp_path))) == {}


def test_a_contract_is_found_and_a_broken_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "contract.json").write_text(json.dumps(CONTRACT))
    assert {"contract", "sensitive-set"} == found(files_in(project(tmp_path))).keys()
    (tmp_path / "contract.json").write_text("{}")
    assert found(files_in(project(tmp_path))) == {}


@pytest.mark.parametrize(
    ("path", "text", "signs"),
    [
        ("tests/test_rows.py", "", {"tests-written"}),
        (".github/dependabot.yml", "", {"updates-watched"}),
        (".github/workflows/ci.yml", "run: siklus ci", {"workflow"}),
        (".github/workflows/ci.yml", "run: npm test", set()),
        (
            ".github/workflows/re.yml",
            "on:\n  schedule:\n    - cron: x\nrun: siklus train",
            {"workflow", "workflow-schedule"},
        ),
        (".gitlab-ci.yml", "script: siklus train", {"workflow"}),
        ("deploy/docker/Dockerfile", "", {"image-files"}),
        ("deploy/compose/compose.yaml", "", {"stack-files"}),
        ("deploy/prometheus/prometheus.yml", "", {"metrics-files"}),
    ],
)
def test_files_are_found_where_tools_want_them(tmp_path: Path, path: str, text: str, signs: set[str]) -> None:
    write(tmp_path / path, text)
    assert found(files_in(project(tmp_path))).keys() == signs


def test_a_workflow_that_begins_by_itself_may_train_by_another_one(tmp_path: Path) -> None:
    workflows = tmp_path / ".github" / "workflows"
    write(workflows / "again.yml", "on:\n  schedule: []\njobs:\n  uses: ./.github/workflows/train.yml\n")
    write(workflows / "train.yml", "# siklus ci\nrun: siklus --help")
    assert found(files_in(project(tmp_path))).keys() == {"workflow"}
    write(workflows / "train.yml", "run: siklus train")
    assert found(files_in(project(tmp_path)))["workflow-schedule"][0].where == ".github/workflows/again.yml"


def test_the_workflows_that_siklus_writes_are_seen_to_train_by_themselves(tmp_path: Path) -> None:
    opened = project(tmp_path)
    shutil.copytree(ROOT / "tests" / "deploy" / "golden" / "github" / "dot-github", tmp_path / ".github")
    assert {"workflow", "workflow-schedule"} <= found(files_in(opened)).keys()


def test_what_git_keeps_is_found_and_what_it_does_not_is_worth_nothing(tmp_path: Path) -> None:
    """And each says what would make it whole: new files are changes too, which `commit -a` leaves out."""
    opened = project(tmp_path)
    write(tmp_path / "contract.json", json.dumps(CONTRACT))
    assert list(in_git(opened)) == []
    for words in (["init"], ["add", "siklus.toml"], ["commit", "-m", "one file"]):
        git(tmp_path, *words)
    assert kept_by_git(opened) == (0.0, "git add . && git commit")
    for words in (["add", "contract.json"], ["commit", "-m", "and the other"]):
        git(tmp_path, *words)
    write(tmp_path / "new.csv", "a\n1\n")
    assert kept_by_git(opened) == (0.5, "git add . && git commit && siklus train")
    for words in (["add", "."], ["commit", "-m", "all of it"]):
        git(tmp_path, *words)
    assert kept_by_git(opened) == (0.5, "siklus train")


def kept_by_git(opened: OpenProject) -> tuple[float, str]:
    ((sign, trace),) = [(each.sign, each.trace) for each in in_git(opened)]
    assert sign == "repository"
    return LENS.worth(trace), trace.mend


def git(folder: Path, *words: str) -> None:
    named = ["-c", "user.name=Rani", "-c", "user.email=rani@example.com"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True, timeout=60)


def entry(kind: str, evidence: object, *, subject: str = "it", text: str = "it was so") -> Entry:
    raw = json.dumps(evidence).encode()
    return Entry(number=7, time=NOW, kind=kind, subject=subject, author="siklus", text=text, evidence=raw)  # type: ignore[arg-type]  # msgspec.Raw is bytes-like


def signs(*entries: Entry) -> set[str]:
    return set(found(decided(entries)))


RETRAINED = {"number": 1, "verdict": "accepted", "judgement": {"evidence": {"rows": 300}}}
TURNED = {
    "turn": "advance",
    "evidence": {"counted": {"step": 0.05, "requests": [20, 400]}, "quality": {"rows": 12}},
}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (
            {**RETRAINED, "trigger": "quality"},
            {"retrained", "retrained-by-trigger", "retrained-by-signal", "challenger-judged"},
        ),
        ({**RETRAINED, "trigger": "labels:600"}, {"retrained", "retrained-by-trigger", "challenger-judged"}),
        (
            {**RETRAINED, "trigger": "schedule:0 3 * * 1"},
            {"retrained", "retrained-by-trigger", "challenger-judged"},
        ),
        ({**RETRAINED, "trigger": "siklus retrain"}, {"retrained", "challenger-judged"}),
        (
            {**RETRAINED, "trigger": "drift", "judgement": None},
            {"retrained", "retrained-by-trigger", "retrained-by-signal"},
        ),
        ({"trigger": "drift", "verdict": "failed"}, set()),
        (None, set()),
    ],
)
def test_a_retraining_is_told_by_what_started_it(evidence: object, expected: set[str]) -> None:
    assert signs(entry("retraining", evidence)) == expected


@pytest.mark.parametrize(
    ("kind", "evidence", "expected"),
    [
        ("rollout", TURNED, {"canaried", "compared-live"}),
        ("rollout", {"turn": "begin", "evidence": None}, set()),
        (
            "rollout",
            {"turn": "advance", "evidence": {"counted": {"step": "shadow", "requests": [9, 9]}}},
            set(),
        ),
        (
            "promotion",
            {**TURNED, "turn": "promote"},
            {"canaried", "compared-live", "promoted-by-loop", "live-decided"},
        ),
        ("promotion", {"traffic": 3}, {"live-decided"}),
        ("rollback", {"traffic": 3}, {"rolled-back", "live-decided"}),
        ("traffic", {"traffic": 1}, {"live-decided"}),
    ],
)
def test_a_turn_of_a_rollout_shows_what_was_counted(kind: str, evidence: object, expected: set[str]) -> None:
    assert signs(entry(kind, evidence)) == expected


def test_a_message_that_only_the_log_has_counts_half() -> None:
    (half,) = found(decided([entry("notification", {"receiver": "log"})]))["told"]
    (full,) = found(decided([entry("notification", {"receiver": "ops-mail"})]))["told"]
    assert (half.most, full.most) == (0.5, 1)
    assert signs(entry("notification", {"receiver": "ops-mail", "test": True})) == set()


@pytest.mark.parametrize(("holds", "rows", "there"), [(True, 40, True), (False, 40, False), (True, 0, False)])
def test_a_proof_counts_when_it_held_on_some_rows(holds: bool, rows: int, there: bool) -> None:
    proof = Proof(holds=holds, rows=rows, versions=("1",))
    made = proof_entry(SKEW, proof, text="no skew", author="rani", now=NOW)
    assert ("skew-disproved" in signs(made)) is there


def drilled(*faults: tuple[str, str, tuple[str, ...]]) -> Entry:
    """A drill with faults by name, result and what was expected and met."""
    report = DrillReport(
        model="line",
        version=1,
        digest="d",
        began=NOW,
        seconds=9,
        changes=(),
        faults=tuple(
            FaultReport(
                name=name,
                injected=name,
                result=result,  # type: ignore[arg-type]  # one of the three
                findings=tuple(Finding(expected=words, met=True, seen="") for words in met),
            )
            for name, result, met in faults
        ),
    )
    return drill_entry(report, author="rani", now=NOW)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([("errors", "passed", ("journal: rollback", "mail about the rollback"))], {"rolled-back", "told"}),
        ([("errors", "missed", ("journal: rollback",))], set()),
        ([("missing-column", "passed", ())], {"drilled-input"}),
        ([("concept-drift", "passed", ("rollout: promoted",))], {"drilled-loop", "retrained-by-signal"}),
        ([("dead-worker", "passed", ())], set()),
        (
            [(name, "passed", ()) for name in ("dead-worker", "full-disk", "corrupt-bundle")],
            {"drilled-outage"},
        ),
    ],
)
def test_a_drill_counts_for_what_it_has_shown(
    faults: list[tuple[str, str, tuple[str, ...]]], expected: set[str]
) -> None:
    assert signs(drilled(*faults)) == expected


@pytest.mark.parametrize(
    ("stages", "dirty", "expected"),
    [
        ({"test": "yes"}, False, {"pipeline-tests": 1.0}),
        ({"test": "yes"}, True, {"pipeline-tests": 0.5}),
        ({"test": "left out"}, False, {}),
        ({"data": "yes", "train": "yes", "gates": "no"}, False, {}),
        ({"data": "yes", "train": "yes", "gates": "yes"}, False, {"pipeline-trains": 1.0}),
        ({"deploy": "yes", "smoke": "no"}, False, {}),
        ({"deploy": "yes", "smoke": "yes"}, False, {"pipeline-deploys": 1.0}),
    ],
)
def test_a_pipelines_run_counts_by_its_stages(
    tmp_path: Path, stages: dict[str, str], dirty: bool, expected: dict[str, float]
) -> None:
    opened = project(tmp_path)
    ran_stages = tuple(Ran(stage=name, verdict=verdict) for name, verdict in stages.items())  # type: ignore[arg-type]  # one of the four
    keep(
        PipelineRun(time=NOW, passed=True, commit="c" * 40, dirty=dirty, stages=ran_stages),
        opened.paths.state,
    )
    assert {each.sign: each.trace.most for each in ran(opened)} == expected


def board(folder: OpenProject, *signals: str) -> None:
    samples = tuple(({"signal": name}, 0.25) for name in signals)
    gauge = Gauge(name="ml_signal", meaning="signals", samples=samples)
    folder.paths.run.mkdir(parents=True, exist_ok=True)
    write_board(folder.paths.run, Board(written=NOW.timestamp(), seconds=60, gauges=(gauge,)))


def test_the_last_look_counts_however_long_ago_it_was(tmp_path: Path) -> None:
    opened = project(tmp_path)
    assert list(on_the_board(opened)) == []
    board(opened, "drift_alarm", "latency_p99")
    seen = found(on_the_board(opened))
    assert seen.keys() == {"watched", "drift-watched", "drift-heard"}
    assert seen["watched"][0].when == NOW


@pytest.mark.parametrize(
    ("more", "heard"),
    [
        ("", 0.5),
        ('[notify.ops]\nkind = "log"\n', 0.5),
        ('[notify.ops]\nkind = "mail"\nto = ["a@example.com"]\nsmtp = "smtp://localhost"\n', 1.0),
        ("[monitor]\ndefault_alerts = false\n", None),
    ],
)
def test_an_alarm_counts_by_who_hears_it(tmp_path: Path, more: str, heard: float | None) -> None:
    opened = project(tmp_path, more)
    board(opened, "quality")
    seen = found(on_the_board(opened))
    assert "quality-watched" in seen
    assert [each.most for each in seen.get("quality-heard", ())] == ([] if heard is None else [heard])


def test_answered_rows_are_found_by_their_newest_file(tmp_path: Path) -> None:
    opened = project(tmp_path)
    assert list(in_the_log(opened.paths)) == []
    write(opened.paths.records / "predictions" / "0.open", "rows")
    (seen,) = in_the_log(opened.paths)
    assert seen.trace.when is not None
    assert datetime.now(UTC) - seen.trace.when < timedelta(minutes=5)


def test_traces_come_the_newest_first() -> None:
    old, new = (Trace(kind="exercised", said="", where="", when=NOW - timedelta(days=d)) for d in (9, 1))
    there = Trace(kind="configured", said="", where="")
    assert together([Sighting("it", each) for each in (old, there, new)]) == {"it": (new, old, there)}
