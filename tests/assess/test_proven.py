"""A project that is taken through the commands stands where the scales say, and nowhere by default."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from siklus.assess.answers import Answer, write_answers
from siklus.assess.questions import QUESTIONS
from siklus.drill.sink import open_sink
from siklus.registry.control import open_control
from siklus.registry.journal import Entry, Journal
from tests.cli.projects import answered, new_project, siklus, straight_rows, variables
from tests.reliability.living import SETTINGS, Living, living, until

WAIT_SECONDS = 300.0
GATES = """[gates]
mae = "<= 1"
parity = true
slices = { column = "side", mae = "<= 1.5" }
"""
# Quality falls below the floor as soon as outcomes come: the world of `living` has another level.
LOOP = (
    SETTINGS.replace("default_alerts = false\n", "")
    .replace('"labels:120"', '"quality", "labels:600"')
    .replace("sliding 400", "sliding 800")
    .replace("min_labels = 60", "min_labels = 500")
)
SHIPPING = """
[deploy]
image = "registry.example.com/acme/line"
host = "deploy@model.example.com"
folder = "/srv/line"
url = "https://model.example.com"
siklus = "siklus==0.1.0"
"""
OWN_TEST = """
from pathlib import Path


def test_every_row_has_all_its_cells() -> None:
    lines = (Path(__file__).parents[1] / "rows.csv").read_text().splitlines()
    assert {line.count(",") for line in lines} == {4}
"""
# What a small team does by hand and writes down.
BY_HAND = ("column-costs", "data-rules", "privacy", "review", "metric-agreed", "sources-watched")


def git(folder: Path, *words: str) -> None:
    named = ["-c", "user.name=Rani", "-c", "user.email=rani@example.com"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True, timeout=60)


@contextmanager
def other_machines(folder: Path) -> Iterator[str]:
    """A path with programs that stand in for Docker and for ssh to another machine: there is none here."""
    folder.mkdir()
    for name in ("docker", "ssh", "scp"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    yield f"{folder}{os.pathsep}{os.environ['PATH']}"


def project_in(folder: Path, *, mail_port: int) -> Path:
    mail = f'\n[notify.ops]\nkind = "mail"\nto = ["ops@example.com"]\nsmtp = "smtp://127.0.0.1:{mail_port}"\n'
    new_project(folder, straight_rows(600), more=LOOP + SHIPPING + mail)
    file = folder / "siklus.toml"
    head, _, tail = file.read_text().partition("[gates]")
    file.write_text(head + GATES + "#" + tail)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_rows.py").write_text(OWN_TEST)
    with (folder / ".gitignore").open("a") as ignored:
        ignored.write("\nup.log\n__pycache__/\n.pytest_cache/\n.ruff_cache/\n")
    git(folder, "init")
    commit(folder, "A project begins")
    return folder


def commit(folder: Path, subject: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", subject)


def answer_by_hand(folder: Path) -> None:
    given = {
        name: Answer(
            answer="by hand" if "by hand" in QUESTIONS[name].replies else "yes",
            who="Rani",
            date=datetime.now(UTC).date(),
            reason="notes of the monthly review, wiki/model-review",
        )
        for name in BY_HAND
    }
    write_answers(folder, given)


def journal_of(running: Living) -> list[Entry]:
    with open_control(None, file=running.project.paths.control_database) as control:
        return Journal(control, "line").history(limit=1000)


@pytest.mark.slow
def test_a_project_taken_through_the_commands_reaches_level_2(tmp_path: Path) -> None:
    with open_sink() as mails, other_machines(tmp_path / "bin") as path:
        folder = project_in(tmp_path / "line", mail_port=mails.port)
        assert [each["value"] for each in answered("assess", "-C", folder)["standings"]] == [0, 0, 0]
        assert siklus("train", "-C", folder, TRAIN__TRIALS="8").code == 0
        for target in ("docker", "github"):
            assert siklus("deploy", target, "-C", folder).code == 0
        answer_by_hand(folder)
        commit(folder, "The project is ready to be shipped")
        assert siklus("train", "--force", "-C", folder, TRAIN__TRIALS="8").code == 0
        with living(folder) as running:
            until(
                lambda: "promotion" in [each.kind for each in journal_of(running)],
                seconds=WAIT_SECONDS,
                what=running.log.read_text,
            )
            assert siklus("verify-skew", "-C", folder, "--last", "200").code == 0
            assert siklus("rollback", "-C", folder, "--reason", "practised").code == 0
            shipping = ("ci", "--deploy", "--offer", "-C", folder)
            with variables({"PATH": path}):
                # While the loop trains, no pipeline can.
                until(
                    lambda: siklus(*shipping, DEPLOY__URL=running.world.url).code == 0,
                    seconds=WAIT_SECONDS,
                    what=running.log.read_text,
                )
        assert siklus("drill", "--only", "missing-column", "-C", folder).code == 0
        found = siklus("assess", "-C", folder, "--fail-under", "google=2,ml-test-score=3")
        assert found.code == 0, found.out
        assert "in a drill: " in siklus("assess", "ml-test-score", "-C", folder).out
        assert mails.mails()
