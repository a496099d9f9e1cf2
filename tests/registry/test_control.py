"""The control database's file: gone for a while, and put back, under those that have it open."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from siklus.errors import RegistryError
from siklus.monitor.notify.courier import Delivery
from siklus.monitor.rounds import Round, go_round
from siklus.project.file import OpenProject
from siklus.registry.control import Control, open_control
from siklus.registry.journal import Entry, Journal
from tests.monitor.watched import project_in
from tests.registry.policies import NOW


def entry(text: str) -> Entry:
    return Entry(time=NOW, kind="decision", subject="flights", author="jane", text=text)


def moved(file: Path, to: Path) -> None:
    """With what SQLite keeps beside it."""
    to.parent.mkdir(exist_ok=True)
    for part in file.parent.glob(f"{file.name}*"):
        part.rename(to.with_name(part.name.replace(file.name, to.name)))


def copied(file: Path, to: Path) -> None:
    to.parent.mkdir(exist_ok=True)
    for part in file.parent.glob(f"{file.name}*"):
        shutil.copy(part, to.with_name(part.name.replace(file.name, to.name)))


def known(file: Path) -> list[str]:
    """What somebody who comes to it finds."""
    with open_control(None, file=file) as control:
        return [entry.text for entry in Journal(control, "flights").history()][::-1]


def test_nothing_is_written_into_a_file_that_nobody_finds_any_more(tmp_path: Path) -> None:
    file, away = tmp_path / "control.db", tmp_path / "away" / "control.db"
    with open_control(None, file=file) as control:
        journal = Journal(control, "flights")
        journal.append(entry("before"))
        moved(file, away)
        with pytest.raises(RegistryError) as caught:
            journal.append(entry("lost"))
        assert caught.value.code == "RG010"
        assert not file.exists()  # no empty one in its place
        moved(away, file)
        journal.append(entry("after"))
        assert not control.replaced
    assert known(file) == ["before", "after"]


def test_a_backup_that_is_put_back_is_what_counts(tmp_path: Path) -> None:
    file, backup = tmp_path / "control.db", tmp_path / "backup" / "control.db"
    with open_control(None, file=file) as control:
        journal = Journal(control, "flights")
        journal.append(entry("before"))
        copied(file, backup)
        journal.append(entry("after the backup"))
        moved(file, tmp_path / "away" / "control.db")
        copied(backup, file)
        assert control.replaced
        journal.append(entry("since"))
    assert known(file) == ["before", "since"]


def test_a_program_that_looks_opens_another_database_in_its_place(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    file = project.paths.control_database
    looks: list[str] = []

    @contextmanager
    def opened(_project: OpenProject, control: Control) -> Iterator[Round]:
        journal = Journal(control, "flights")

        def look(_now: datetime) -> None:
            looks.append("look")
            journal.append(entry(f"look {len(looks)}"))

        yield Round(look=look, deliver=lambda _now, _wait: Delivery(), every=lambda: 0.01)

    def waited(_seconds: float) -> bool:
        if len(looks) == 1:
            moved(file, tmp_path / "away" / "control.db")
            with open_control(None, file=file):
                pass  # somebody's command makes an empty one
        return len(looks) == 3

    go_round(lambda: project, opened, waited=waited)
    assert known(file) == ["look 2", "look 3"]


def test_whoever_locks_a_table_keeps_nobody_waiting_for_long(postgres: str, tmp_path: Path) -> None:
    with (
        open_control(postgres, file=tmp_path / "x") as control,
        open_control(postgres, file=tmp_path / "x") as other,
    ):
        journal = Journal(control, "locked")
        with other.transaction() as connection:
            connection.exec_driver_sql("LOCK TABLE journal IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(RegistryError) as caught:
                journal.append(entry("never"))
        assert caught.value.code == "RG010"
        journal.append(entry("then"))
        assert [each.text for each in journal.history()] == ["then"]
