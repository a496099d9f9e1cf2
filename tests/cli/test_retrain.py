"""Retrainings by command: asked for, explained, waited for, and carried out where no loop runs."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import pytest

from siklus.automation.lease import Lease
from siklus.automation.retraining.jobs import Outcome
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.signs import Signs
from siklus.project.loop import Retrain
from siklus.registry.control import Control, open_control
from siklus.registry.journal import Journal
from siklus.registry.published import PUBLISHED
from tests.cli.projects import Answer, answered, new_project, siklus, straight_rows

WAIT_SECONDS = 60
TRIGGERS = '["drift", "predictions:4000", "labels:100", "schedule:0 3 * * 1", "alert:model_age"]'


@pytest.fixture
def project(own: Path) -> Path:
    """Versions 1 (production) and 2, of which nothing is served yet."""
    return own


@contextmanager
def control_of(project: Path) -> Iterator[Control]:
    with open_control(None, file=project / ".siklus" / "control.db") as control:
        yield control


def refused(code: str, *words: str | Path, **settings: str) -> Answer:
    found = siklus(*words, **settings)
    assert found.code == 2, found.out
    assert found.err.startswith(f"siklus: {code} "), found.err
    return found


def test_an_ask_waits_for_a_loop(project: Path) -> None:
    found = siklus("retrain", "-C", project, "--reason", "new \n fares")
    assert found.code == 0
    assert "no loop runs: it waits for `siklus up`" in found.out
    ask = answered("retrain", "-C", project)
    with control_of(project) as control:
        waiting = Retrainings(control, "line").waiting()
        entry = Journal(control, "line").history()[-1]
    assert [each.reason for each in waiting] == ["new fares", ""]
    assert waiting[1].id == ask["id"]
    assert waiting[1].via == "command"
    assert (entry.author, entry.text) == (waiting[0].by, "asked for a retraining: new fares")


def test_with_a_loop_it_says_when_it_begins(project: Path) -> None:
    with control_of(project) as control:
        assert Lease(control, "line", holder="up@here", seconds=60).held()
        assert "the loop begins it within 1m" in siklus("retrain", "-C", project).out
        Retrainings(control, "line").turn(Signs(), Retrain(), now=datetime.now(UTC))
        assert "once retraining 1 has ended" in siklus("retrain", "-C", project).out
        assert refused("AU034", "retrain", "--now", "-C", project)


def test_before_anything_answers_there_is_nothing_to_hold_a_model_against(project: Path) -> None:
    refused("AU035", "retrain", "--now", "-C", project)
    found = answered("retrain", "--dry-run", "-C", project)
    assert (found["version"], found["begins"], found["rows"]["source"]) == (None, False, 300)


def test_a_dry_run_explains_and_changes_nothing(project: Path) -> None:
    answered("traffic", "set", "-C", project)
    assert (project / ".siklus" / "run" / PUBLISHED).exists()
    found = answered("retrain", "--dry-run", "-C", project, RETRAIN__ON=TRIGGERS)
    assert found["version"] == "1"
    standings = {each["trigger"]: each for each in found["triggers"]}
    assert list(standings) == [
        "drift",
        "predictions:4000",
        "labels:100",
        "schedule:0 3 * * 1",
        "alert:model_age",
    ]
    assert not any(each["due"] for each in standings.values())
    assert standings["predictions:4000"]["said"] == "0 since the last training, of 4,000."
    assert standings["schedule:0 3 * * 1"]["next"].endswith("T03:00:00Z")
    assert (found["begins"], found["loop"], found["hold"]) == (False, False, None)
    assert (found["verdict"]["what"], found["verdict"]["because"]) == ("wait", "too few labels")
    assert found["rows"]["source"] == 300  # version 2's rows were added since
    assert found["rows"]["logged"] == 0
    with control_of(project) as control:
        assert Retrainings(control, "line").waiting() == ()
        assert Retrainings(control, "line").history() == []
        assert [entry.kind for entry in Journal(control, "line").history()] == ["traffic"]
    assert not (project / ".siklus" / "retrainings").exists()


def test_a_dry_run_reads_well(project: Path) -> None:
    answered("traffic", "set", "-C", project)
    siklus("retrain", "-C", project)
    shown = siklus("retrain", "--dry-run", "-C", project, RETRAIN__ON=TRIGGERS).out
    for said in (
        "What answers now: version 1",
        "0 since the last training, of 4,000.",
        "Verdict: Wait. 0 predictions have an outcome",
        "300 of the source, 0 logged with their outcome",
        "Asked for, and not begun yet.",
        "none runs now) would begin a retraining now",
    ):
        assert said in " ".join(shown.split()), shown
    assert (
        "only asks begin a retraining" in siklus("retrain", "--dry-run", "-C", project, RETRAIN__ON="[]").out
    )


def test_a_dry_run_names_what_an_ask_would_wait_for(project: Path) -> None:
    answered("traffic", "set", "-C", project)
    answered("experiment", "start", "2", "-C", project)
    shown = siklus("retrain", "--dry-run", "-C", project).out
    said = "asks for one, which begins after this: experiment 1 goes on since"
    assert said in " ".join(shown.split()), shown


def test_a_trigger_that_can_never_fire_is_refused(project: Path) -> None:
    found = refused("AU032", "retrain", "--dry-run", "-C", project, RETRAIN__ON='["alert:model_ag"]')
    assert "'model_age'?" in found.err
    refused("PJ018", "retrain", "--dry-run", "-C", project, RETRAIN__ON='["schedule:0 99 * * *"]')


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (Outcome(state="accepted", reason="better by 0.1", version=3), 0, "`siklus promote 3`"),
        (Outcome(state="undecided", reason="12 of 2,000 labels", version=3), 0, "cannot be judged yet"),
        (Outcome(state="refused", reason="worse by 0.1", version=3), 1, "The champion stays."),
        (Outcome(state="refused", reason="a gate fails"), 1, "Retraining 1 refused: a gate fails."),
        (Outcome(state="failed", reason="the disk is full"), 1, "Retraining 1 failed: the disk is full."),
    ],
)
def test_who_waits_hears_what_came_of_it(project: Path, outcome: Outcome, code: int, said: str) -> None:
    with ThreadPoolExecutor(1) as threads, control_of(project) as control:
        loop = threads.submit(_as_a_loop, Retrainings(control, "line"), outcome)
        found = siklus("retrain", "--wait", "-C", project)
        loop.result()
    assert found.code == code
    assert said in found.out


def _as_a_loop(retrainings: Retrainings, outcome: Outcome) -> None:
    """Take what is asked for, and say what came of it."""
    until = monotonic() + WAIT_SECONDS
    while monotonic() < until:
        job = retrainings.turn(Signs(), Retrain(), now=datetime.now(UTC))
        if job is not None:
            job = retrainings.started(job, now=datetime.now(UTC))
            retrainings.record(job, outcome, now=datetime.now(UTC))
            return
        sleep(0.05)
    raise AssertionError("nobody asked")


@pytest.mark.slow
def test_where_no_loop_runs_the_command_does_all_of_it(tmp_path: Path) -> None:
    rows = straight_rows(300)
    project = new_project(tmp_path / "alone", rows[:240], "--key", "id")
    answered("train", "-C", project)
    answered("traffic", "set", "-C", project)
    found = siklus("retrain", "--now", "--reason", "try", "-C", project)
    assert found.code == 0, found.err
    assert "Version 2 cannot be judged yet" in found.out
    assert "retraining 1 begins" in found.err
    # It waits for labels: another one would take its place.
    refused("AU035", "retrain", "--now", "-C", project)
    with control_of(project) as control:
        job = Retrainings(control, "alone").current()
        assert job is not None
        assert (job.state, job.version, job.asks[0].reason) == ("undecided", 2, "try")
        kinds = [entry.kind for entry in reversed(Journal(control, "alone").history())]
        assert kinds[:4] == ["traffic", "trigger", "retraining", "retraining"]
        assert Lease(control, "alone", holder=socket.gethostname(), seconds=1).held()  # let go of
