"""The journal: what was written stays, in its order, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from siklus.errors import RegistryError
from siklus.registry.control import Control, open_control
from siklus.registry.journal import ENTRIES, Entry, Journal, evidence_of
from tests.registry.policies import NOW, arm
from tests.tracking.stores import new_name

HOUR = timedelta(hours=1)


@pytest.fixture
def control(control_url: str | None, tmp_path: Path) -> Iterator[Control]:
    with open_control(control_url, file=tmp_path / "state" / "control.db") as control:
        yield control


@pytest.fixture
def journal(control: Control) -> Journal:
    return Journal(control, new_name())


def entry(text: str = "retrain", *, kind: str = "decision", hours: float = 0) -> Entry:
    return Entry(time=NOW + hours * HOUR, kind=kind, subject="flights", author="jane", text=text)


def texts(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries]


def test_an_entry_comes_back_as_it_was_written(journal: Journal) -> None:
    written = Entry(
        time=NOW + timedelta(microseconds=1),
        kind="decision",
        subject="größe",
        author="siklus watch",
        text="x" * 10_000,
        evidence=evidence_of(arm()),
    )
    journal.append(written)
    [found] = journal.history()
    assert msgspec.structs.replace(found, number=0) == written
    assert msgspec.json.decode(found.evidence, type=type(arm())) == arm()
    assert found.number > 0


def test_the_newest_come_first_and_may_be_chosen(journal: Journal) -> None:
    journal.append(entry("one"), entry("two", kind="alert", hours=1))
    journal.append(entry("three", hours=2))
    assert texts(journal.history()) == ["three", "two", "one"]
    assert texts(journal.history(limit=2)) == ["three", "two"]
    assert texts(journal.history(kinds=["alert", "silence"])) == ["two"]
    assert texts(journal.history(at=NOW + 1.5 * HOUR)) == ["two", "one"]
    assert texts(journal.history(at=NOW + HOUR, kinds=["decision"])) == ["one"]
    assert texts(journal.history(at=NOW - HOUR)) == []


def test_models_have_journals_of_their_own(control: Control) -> None:
    one, other = Journal(control, new_name()), Journal(control, new_name())
    one.append(entry())
    assert other.history() == []


def test_what_is_decided_and_not_kept_is_not_journaled(control: Control, journal: Journal) -> None:
    def decide() -> None:
        with control.transaction() as connection:
            journal.write(connection, entry())
            raise KeyError("what came after it failed")

    with pytest.raises(KeyError):
        decide()
    assert journal.history() == []


def test_an_entry_of_a_newer_version_is_not_guessed_at(control: Control, journal: Journal) -> None:
    journal.append(entry())
    number = journal.history()[0].number
    with control.transaction() as connection:
        connection.execute(sa.update(ENTRIES).where(ENTRIES.c.number == number).values(format=2))
    with pytest.raises(RegistryError) as caught:
        journal.history()
    assert (caught.value.code, caught.value.expected) == ("RG017", "format 1")
