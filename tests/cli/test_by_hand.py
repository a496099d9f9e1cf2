"""promote, rollback, rollout, pause, resume, experiment and history: what people say, and what is kept."""

import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from siklus.cli.history import both_clocks, moment_given
from siklus.registry.published import PUBLISHED, read_policy
from tests.cli.projects import answered, siklus

NOBODY = "http://127.0.0.1:1"  # where no registry listens


@pytest.fixture
def project(own: Path) -> Path:
    """Versions 1 (production) and 2 (staging); version 1 has all requests."""
    answered("traffic", "set", "--champion", "1", "-C", own)
    return own


def live(project: Path) -> dict[int, float]:
    """Share by version, of what servers here go by; 0 for one that only watches."""
    policy = read_policy(project / ".siklus" / "run" / PUBLISHED)
    return {arm.version: arm.share for arm in policy.allotment.everybody}


def refused(code: str, *words: str | Path, **settings: str) -> str:
    found = siklus(*words, **settings)
    assert found.code == 2, found.out
    assert found.err.startswith(f"siklus: {code} "), found.err
    return found.err


def entries(project: Path, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answered("history", "-C", project, *words)
    return found


def test_a_promotion_is_journaled_and_ends_a_rollout(project: Path) -> None:
    answered("rollout", "start", "2", "-C", project)
    assert live(project) == {1: 1.0, 2: 0.0}
    answered("promote", "2", "-C", project, "--reason", "I have seen enough")
    assert live(project) == {2: 1.0}
    end, promotion = entries(project, "-n", "2")
    assert (promotion["kind"], promotion["subject"]) == ("promotion", "version 2")
    assert promotion["text"].endswith("instead of version 1: I have seen enough")
    assert (end["kind"], "its challenger was promoted" in end["text"]) == ("rollout", True)
    assert answered("rollout", "status", "-C", project)["rollout"]["phase"] == "promoted"


def test_a_rollback_takes_back_the_trial_and_then_the_promotion(project: Path) -> None:
    answered("promote", "2", "-C", project)
    answered("rollout", "start", "1", "-C", project)
    first = answered("rollback", "-C", project, "--reason", "odd")
    assert (first["version"], first["instead_of"], first["rollout"]) == (2, [1], 1)
    assert live(project) == {2: 1.0}
    second = answered("rollback", "-C", project)
    assert (second["version"], second["instead_of"], second["rollout"]) == (1, [2], None)
    assert live(project) == {1: 1.0}
    assert "no other one was live before it" in refused("AU016", "rollback", "-C", project)
    assert [entry["kind"] for entry in entries(project, "--kind", "rollback")] == ["rollback", "rollback"]
    said = siklus("rollback", "--to", "2", "-C", project).out
    assert "Version 2 has all requests again, instead of 1." in said
    assert "Nothing is rolled out by itself for 1d" in said


def test_a_rollback_needs_a_bundle_that_is_whole(project: Path) -> None:
    answered("promote", "2", "-C", project)
    bundles = project / ".siklus" / "bundles"
    digests = {version["number"]: version["digest"] for version in answered("models", "-C", project)}
    model = bundles / digests[1] / "model.onnx"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    before = entries(project)
    said = refused("AU017", "rollback", "-C", project, STATE__TRACKING_URI=NOBODY)
    assert "version 1 cannot come back" in said
    assert (live(project), entries(project)) == ({2: 1.0}, before)
    # The registry has it whole.
    assert answered("rollback", "-C", project)["version"] == 1
    assert model.read_bytes() == whole


def test_a_rollback_needs_no_registry(project: Path) -> None:
    answered("promote", "2", "-C", project)
    found = siklus("rollback", "-C", project, STATE__TRACKING_URI=NOBODY)
    assert (found.code, live(project)) == (0, {1: 1.0})
    assert "the stages in MLflow follow" in found.err


def test_nothing_to_go_back_to(registered: Path, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("control.db*", "run")
    bare = Path(shutil.copytree(registered, tmp_path / "bare", ignore=ignored))
    refused("AU016", "rollback", "-C", bare)
    refused("AU018", "rollout", "start", "2", "-C", bare)
    assert "no rollout yet" in siklus("rollout", "-C", bare).out
    assert siklus("history", "-C", bare).out.strip() == "Nothing was decided yet."
    assert not (bare / ".siklus" / "control.db").exists()


def test_a_rollout_is_paused_resumed_and_stopped(project: Path) -> None:
    refused("AU010", "pause", "-C", project)
    refused("AU010", "resume", "-C", project)
    begun = answered("rollout", "start", "2", "-C", project, "--reason", "curious")
    assert (begun["challenger"]["version"], begun["by"], begun["phase"]) == (2, begun["by"], "running")
    refused("AU011", "rollout", "start", "2", "-C", project)
    assert "version 2 keeps its part" in siklus("pause", "-C", project).out
    refused("AU014", "pause", "-C", project)
    said = siklus("rollout", "-C", project).out
    assert "Rollout 1 is paused: version 2 beside version 1" in said
    assert "Step 1 of 4: version 2 as a shadow, which answers nobody" in said
    assert "Rollout 1 goes on." in siklus("resume", "-C", project).out
    assert answered("rollout", "stop", "-C", project)["phase"] == "stopped"
    assert live(project) == {1: 1.0}
    kinds = [entry["kind"] for entry in entries(project)]
    assert kinds == ["rollout", "resume", "pause", "rollout", "traffic"]


def test_a_freeze_can_be_ended_early(project: Path) -> None:
    answered("rollout", "start", "2", "-C", project)
    answered("rollback", "-C", project)
    assert "Nothing is rolled out by itself until" in siklus("rollout", "-C", project).out
    assert answered("resume", "-C", project)["thawed"]["by"] is not None
    assert answered("rollout", "status", "-C", project)["frozen"] is None


def test_setting_the_traffic_ends_a_rollout(project: Path) -> None:
    answered("rollout", "start", "2", "-C", project)
    answered("traffic", "set", "--challenger", "2=0.5", "-C", project, "--reason", "by hand")
    assert answered("rollout", "status", "-C", project)["rollout"]["phase"] == "overtaken"
    said = siklus("history", "--kind", "traffic", "-n", "1", "-C", project).out
    assert "version 1 answers 50 %, version 2 (challenger) 50 %: by hand" in " ".join(said.split())
    refused("AU012", "rollout", "start", "2", "-C", project)


def test_an_experiment_from_start_to_stop(project: Path) -> None:
    assert "no experiment yet" in siklus("experiment", "status", "-C", project).out
    begun = answered("experiment", "start", "2", "--share", "0.25", "--key", "header:X-User", "-C", project)
    assert (begun["kind"], begun["sticky"], live(project)) == (
        "experiment",
        "header:x-user",
        {1: 0.75, 2: 0.25},
    )
    refused("AU011", "rollout", "start", "2", "-C", project)
    refused("AU010", "rollout", "stop", "-C", project)
    shown = answered("experiment", "status", "-C", project)
    assert (shown["result"]["rows"], shown["result"]["estimate"]) == ([0, 0], None)
    said = siklus("experiment", "status", "-C", project).out
    assert "nothing can be said yet of version 2 and version 1, with 0 and 0 rows" in " ".join(said.split())
    refused("PJ010", "experiment", "status", "--metric", "maee", "-C", project)
    done = answered("experiment", "stop", "--promote", "-C", project)
    assert (done["experiment"]["phase"], live(project)) == ("promoted", {2: 1.0})


def test_an_experiment_that_is_stopped_leaves_the_champion(project: Path) -> None:
    answered("experiment", "start", "2", "-C", project)
    said = siklus("experiment", "stop", "-C", project).out
    assert "is stopped" in said
    assert " ".join(said.split()).count("nothing can be said yet of version 2") == 1
    assert live(project) == {1: 1.0}
    assert entries(project, "-n", "1")[0]["kind"] == "experiment"


def test_an_experiment_can_be_stopped_whatever_is_broken(project: Path) -> None:
    answered("experiment", "start", "2", "-C", project)
    digests = {version["number"]: version["digest"] for version in answered("models", "-C", project)}
    (project / ".siklus" / "bundles" / digests[1] / "contract.json").write_text("{}")
    found = siklus("experiment", "stop", "--json", "-C", project)
    assert (found.code, found.document["experiment"]["phase"]) == (0, "stopped")
    assert "it is stopped without its result" in found.err


def test_history_tells_what_was_live_at_a_moment(project: Path) -> None:
    [first] = entries(project)
    answered("promote", "2", "-C", project, "--reason", "it is better")
    then = answered("history", "--at", first["time"], "-C", project)
    assert then["policy"]["allotment"]["arms"][0]["version"] == 1
    promoted = entries(project, "-n", "1")[0]["time"]
    found = siklus("history", "--at", promoted, "-C", project)
    said = " ".join(found.out.split())
    assert re.search(r"^At \d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*UTC\)?: version 2 answers 100 %\.", said)
    assert "Version 2 was the champion since" in said
    assert "(revision 2). Why: version 2 is promoted" in said
    assert said.endswith("instead of version 1: it is better")
    early = siklus("history", "--at", "2020-01-01", "-C", project)
    assert (early.code, "nothing was live yet" in early.out) == (1, True)


@pytest.mark.parametrize(
    "words",
    [["--at", "yesterday"], ["--at", "2999-01-01"], ["--at", "0001-01-01T00:00+14:00"], ["--kind", "x"]],
)
def test_history_refuses_what_it_cannot_tell(project: Path, words: list[str]) -> None:
    found = siklus("history", *words, "-C", project)
    assert (found.code, "Traceback" in found.err) == (2, False)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-11-01T12:00", "2026-11-01 12:00:00 CET (11:00:00 UTC)"),
        ("2026-11-01T12:00Z", "2026-11-01 13:00:00 CET (12:00:00 UTC)"),
        ("2026-07-01", "2026-07-01 00:00:00 CEST (2026-06-30 22:00:00 UTC)"),
        ("2026-07-01T12:00+02:00", "2026-07-01 12:00:00 CEST (10:00:00 UTC)"),
        ("2026-07-01 12:00:00 UTC", "2026-07-01 14:00:00 CEST (12:00:00 UTC)"),
        ("00:30", "2027-01-01 00:30:00 CET (2026-12-31 23:30:00 UTC)"),
        ("00:00Z", "2027-01-01 01:00:00 CET (00:00:00 UTC)"),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_a_moment_without_an_offset_is_local_and_utc_is_told_too(given: str, told: str) -> None:
    assert both_clocks(moment_given(given, now=NOW)) == told


def test_a_reason_cannot_steer_the_terminal_of_whoever_reads_it(project: Path) -> None:
    reason = "\x1b[2J\x1b]0;title\x07 [bold]enough[/bold] \u202eback"
    answered("promote", "2", "-C", project, "--reason", reason)
    shown = siklus("history", "-C", project).out
    assert "\\x1b[2J" in shown
    assert "[bold]enough[/bold]" in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", shown)
    [entry] = entries(project, "-n", "1")
    assert entry["text"].endswith(reason)
