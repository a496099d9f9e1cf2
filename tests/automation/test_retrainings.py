"""Retrainings in both databases: each decision whole, once, and journaled; asks count once."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from siklus.automation.retraining.jobs import Outcome, Retraining
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.signs import Signs
from siklus.automation.retraining.triggers import Consideration
from siklus.errors import AutomationError
from siklus.monitor.signals import Signal
from siklus.project.loop import Retrain
from siklus.registry.asks import MOST_WAITING, Ask, Via, leave_ask, left_asks
from siklus.registry.control import Control, open_control
from siklus.registry.journal import Entry, Journal

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PLAN = Retrain(on=("drift",), min_labels=100)
CALM = Signs(version="3", signals=(Signal(name="labelled_since_training", value=500.0),))
DRIFT = Signs(version="3", signals=(*CALM.signals, Signal(name="drift_alarm", value=1.0)))
ACCEPTED = Outcome(state="accepted", reason="better by 1.2", version=4, bundle="sha256:0")


@pytest.fixture
def model(request: pytest.FixtureRequest) -> str:
    """A name of the test's own: they share one PostgreSQL."""
    return f"m{abs(hash(request.node.name)) % 10**12}"


@pytest.fixture
def retrainings(control: Control, model: str) -> Retrainings:
    return Retrainings(control, model)


def ask(id: str = "a1", *, via: Via = "command", at: datetime = NOW) -> Ask:
    return Ask(id=id, time=at, by="anna", via=via, reason="new fares")


def begun(retrainings: Retrainings, *, now: datetime = NOW) -> Retraining:
    job = retrainings.turn(DRIFT, PLAN, now=now)
    assert job is not None
    return job


def told(control: Control, model: str) -> list[tuple[str, str]]:
    """Kinds and texts of the journal, the oldest first."""
    entries = Journal(control, model).history(limit=100)
    return [(entry.kind, entry.text) for entry in reversed(entries)]


def test_a_job_from_its_trigger_to_its_rollout(
    retrainings: Retrainings, control: Control, model: str
) -> None:
    job = begun(retrainings)
    assert (job.number, job.state, job.trigger, job.by) == (1, "asked", "drift", "siklus")
    assert retrainings.current() == job
    job = retrainings.started(job, now=NOW + MINUTE)
    job = retrainings.started(job, now=NOW + 2 * MINUTE)  # the process died
    assert (job.state, job.attempts) == ("training", 2)
    undecided = Outcome(state="undecided", reason="1,200 labels, of 2,000", version=4, bundle="sha256:0")
    job = retrainings.record(job, undecided, now=NOW + HOUR)
    assert retrainings.current() == job
    assert (job.state, job.version, job.ended) == ("undecided", 4, None)
    job = retrainings.record(job, ACCEPTED, now=NOW + 2 * HOUR)
    assert (job.state, job.ended, job.bundle) == ("accepted", NOW + 2 * HOUR, "sha256:0")
    assert retrainings.current() is None
    assert retrainings.accepted() == job
    with control.transaction() as connection:
        job = retrainings.attach(connection, 7, job=job)
    assert retrainings.accepted() is None
    assert retrainings.history() == [job]
    assert job.rollout == 7
    assert [(kind, text.partition(".")[0]) for kind, text in told(control, model)] == [
        ("retraining", "retraining 1 begins"),
        ("retraining", "retraining 1 trains"),
        ("retraining", "retraining 1 trains, attempt 2"),
        ("challenger", "retraining 1, version 4, cannot be judged yet: 1,200 labels, of 2,000"),
        ("challenger", "retraining 1, version 4, is accepted: better by 1"),
    ]


def test_one_at_a_time_and_then_the_cooldown(retrainings: Retrainings) -> None:
    job = begun(retrainings)
    assert retrainings.turn(DRIFT, PLAN, now=NOW + 9 * HOUR) is None
    failed = Outcome(state="failed", reason="it died")
    retrainings.record(job, failed, now=NOW + 9 * HOUR)
    assert retrainings.turn(DRIFT, PLAN, now=NOW + 14 * HOUR) is None
    more = Signs(version="3", signals=(DRIFT.signals[1], Signal(name="labelled_since_training", value=900.0)))
    assert retrainings.turn(more, PLAN, busy="a rollout goes on.", now=NOW + 15 * HOUR) is None
    second = retrainings.turn(more, PLAN, now=NOW + 15 * HOUR)
    assert second is not None
    assert second.number == 2


def test_what_began_a_job_can_be_read_again_in_the_journal(
    retrainings: Retrainings, control: Control, model: str
) -> None:
    job = begun(retrainings)
    [entry] = Journal(control, model).history()
    assert msgspec.json.decode(entry.evidence, type=Retraining) == job
    assert job.verdict.labelled == 500


def test_a_trigger_that_stays_true_is_journaled_once(
    retrainings: Retrainings, control: Control, model: str
) -> None:
    few = Signs(version="3", signals=(DRIFT.signals[1],))
    for minute in range(30):
        assert retrainings.turn(few, PLAN, now=NOW + minute * MINUTE) is None
    [(kind, text)] = told(control, model)
    assert kind == "trigger"
    assert text.startswith("The drift alarm is raised. 0 predictions have an outcome")
    [entry] = Journal(control, model).history()
    assert msgspec.json.decode(entry.evidence, type=Consideration).verdict.because == "too few labels"
    assert (entry.subject, entry.author) == ("drift", "siklus")


def test_considering_changes_nothing(retrainings: Retrainings, control: Control, model: str) -> None:
    assert retrainings.consider(DRIFT, PLAN, now=NOW).begins
    assert retrainings.consider(DRIFT, PLAN, now=NOW).news
    assert told(control, model) == []
    assert retrainings.history() == []


def test_an_ask_counts_once_by_its_id_and_one_job_answers_all(
    retrainings: Retrainings, control: Control, model: str
) -> None:
    assert retrainings.ask(ask("a1"))
    assert not retrainings.ask(ask("a1", at=NOW + HOUR))
    assert retrainings.ask(ask("a2", via="webhook", at=NOW - HOUR))
    assert [each.id for each in retrainings.waiting()] == ["a2", "a1"]
    assert retrainings.answering("a1") is None
    job = retrainings.turn(Signs(), PLAN, now=NOW + MINUTE)
    assert job is not None
    assert job.trigger == "asked by anna"
    assert retrainings.answering("a1") == retrainings.answering("a2") == job
    assert retrainings.waiting() == ()
    assert not retrainings.ask(ask("a1"))  # a call that comes again much later
    assert retrainings.answering("unknown") is None
    assert [text for kind, text in told(control, model) if kind == "trigger"] == (
        ["asked for a retraining: new fares"] * 2
    )


def test_what_is_asked_meanwhile_waits_for_the_next(retrainings: Retrainings) -> None:
    job = begun(retrainings)
    retrainings.ask(ask())
    assert retrainings.turn(CALM, PLAN, now=NOW + MINUTE) is None
    retrainings.record(job, Outcome(state="refused", reason="worse"), now=NOW + HOUR)
    second = retrainings.turn(CALM, PLAN, now=NOW + HOUR)  # within the cooldown, since somebody asks
    assert second is not None
    assert retrainings.answering("a1") == second


def test_asks_that_were_left_are_taken_once(retrainings: Retrainings, tmp_path: Path) -> None:
    folder = tmp_path / "asks"
    assert retrainings.take_asks(folder) == 0  # nobody ever asked
    for number in range(3):
        leave_ask(folder, ask(f"a{number}"))
    (folder / "broken.json").write_text("{")
    (folder / "strange.json").write_text('{"id": "../../x"}')
    (folder / ".draft.json.tmp").write_text("half")
    assert retrainings.take_asks(folder) == 3
    leave_ask(folder, ask("a1"))  # a loop that died before it could remove the file
    assert retrainings.take_asks(folder) == 0
    assert [path.name for path in folder.iterdir()] == [".draft.json.tmp"]
    assert len(retrainings.waiting()) == 3


def test_an_ask_that_is_repeated_while_it_waits_keeps_its_first_word(tmp_path: Path) -> None:
    assert leave_ask(tmp_path, ask("fares"))
    repeated = msgspec.structs.replace(ask("fares"), reason="")
    assert leave_ask(tmp_path, repeated)
    for number in range(MOST_WAITING - 1):
        assert leave_ask(tmp_path, ask(f"a{number}"))
    assert not leave_ask(tmp_path, ask("one-too-many"))
    assert leave_ask(tmp_path, repeated)  # it waits already
    reasons = {found.id: found.reason for _, found in left_asks(tmp_path) if found is not None}
    assert reasons["fares"] == "new fares"


ASKED = '{{"id": "{id}", "time": "{time}", "by": "{by}", "via": "webhook"}}'


@pytest.mark.parametrize(
    "content",
    [
        ASKED.format(id="a9", time="2026-11-02T12:00:00", by="jane"),  # no offset, so no moment
        ASKED.format(id="a9", time="9999-12-31T23:59:59-12:00", by="jane"),
        ASKED.format(id="a9", time="2026-11-02T12:00:00Z", by="j" * 10_000),
        "[" * 5_000,
        "x" * 5_000_000,
        "\x00",
    ],
    ids=["naive", "beyond all time", "a long name", "deep", "huge", "binary"],
)
def test_what_is_no_ask_harms_nobody(retrainings: Retrainings, tmp_path: Path, content: str) -> None:
    (tmp_path / "a9.json").write_text(content)
    leave_ask(tmp_path, ask("b1"))
    assert retrainings.take_asks(tmp_path) == 1
    assert [each.id for each in retrainings.waiting()] == ["b1"]
    assert not list(tmp_path.glob("*.json"))


def test_what_is_no_file_is_never_waited_for(retrainings: Retrainings, tmp_path: Path) -> None:
    folder = tmp_path / "asks"
    (folder / "a1.json").mkdir(parents=True)
    os.mkfifo(folder / "a2.json")
    (folder / "a3.json").symlink_to("/dev/zero")
    (folder / "a4.json").symlink_to(tmp_path / "nowhere")
    leave_ask(folder, ask("b1"))
    assert retrainings.take_asks(folder) == 1
    assert retrainings.take_asks(folder) == 0
    assert [path.name for path in folder.iterdir()] == ["a1.json"]


def test_a_turn_takes_only_so_many_asks(retrainings: Retrainings, tmp_path: Path) -> None:
    for number in range(MOST_WAITING + 3):
        time = f"2026-11-02T12:00:{number:02}Z"
        (tmp_path / f"a{number:02}.json").write_text(ASKED.format(id=f"a{number}", time=time, by="x"))
    assert retrainings.take_asks(tmp_path) == MOST_WAITING
    assert retrainings.take_asks(tmp_path) == 3


def test_the_same_outcome_again_is_no_news(retrainings: Retrainings, control: Control, model: str) -> None:
    job = retrainings.started(begun(retrainings), now=NOW)
    undecided = Outcome(state="undecided", reason="too few labels", version=4)
    job = retrainings.record(job, undecided, now=NOW + HOUR)
    before = told(control, model)
    again = retrainings.record(job, undecided, now=NOW + 2 * HOUR)
    assert again == job
    assert told(control, model) == before
    other = retrainings.record(
        job, Outcome(state="undecided", reason="still too few", version=4), now=NOW + 3 * HOUR
    )
    assert other.since == NOW + HOUR  # patience is counted from here


def test_who_decides_on_what_somebody_else_has_changed_is_told(
    retrainings: Retrainings, control: Control
) -> None:
    job = begun(retrainings)
    retrainings.started(job, now=NOW)

    def attach() -> Retraining:
        with control.transaction() as connection:
            return retrainings.attach(connection, 1, job=job)

    for act in (
        lambda: retrainings.started(job, now=NOW),
        lambda: retrainings.record(job, ACCEPTED, now=NOW),
        attach,
    ):
        with pytest.raises(AutomationError) as caught:
            act()
        assert caught.value.code == "AU030"
    assert retrainings.history()[0].state == "training"


def test_of_many_loops_one_begins(control_url: str | None, tmp_path: Path, model: str) -> None:
    def once(_: int) -> Retraining | None:
        with open_control(control_url, file=tmp_path / "control.db") as control:
            with suppress(AutomationError):  # it was overtaken
                return Retrainings(control, model).turn(DRIFT, PLAN, now=NOW)
            return None

    with open_control(control_url, file=tmp_path / "control.db") as control:
        Retrainings(control, model)  # the tables are there
        with ThreadPoolExecutor(4) as threads:
            found = [job for job in threads.map(once, range(8)) if job is not None]
        assert [job.number for job in found] == [1]
        assert len(Journal(control, model).history()) == 1


class Refused(Exception):
    """What ends a transaction in the middle."""


def test_a_decision_that_cannot_be_told_was_not_made(control: Control, model: str) -> None:
    heard: list[str] = []

    def hear(connection: sa.Connection, entries: tuple[Entry, ...]) -> None:
        assert connection.in_transaction()
        heard.extend(entry.text for entry in entries)
        raise Refused

    deaf = Retrainings(control, model, also=hear)
    retrainings = Retrainings(control, model)
    with pytest.raises(Refused):
        deaf.turn(DRIFT, PLAN, now=NOW)
    with pytest.raises(Refused):
        deaf.ask(ask())
    assert len(heard) == 2
    assert retrainings.history() == []
    assert retrainings.waiting() == ()
    job = begun(retrainings)
    with pytest.raises(Refused):
        deaf.record(job, ACCEPTED, now=NOW)
    assert retrainings.current() == job
    assert len(told(control, model)) == 1


def test_models_in_one_database_have_jobs_of_their_own(control: Control, model: str) -> None:
    one, other = Retrainings(control, model), Retrainings(control, f"{model}x")
    assert begun(one).number == begun(other).number == 1
    one.ask(ask())
    assert other.waiting() == ()
    assert other.ask(ask())


def test_rows_of_another_format_are_refused(retrainings: Retrainings, control: Control, model: str) -> None:
    begun(retrainings)
    with control.transaction() as connection:
        where = {"model": model}
        connection.execute(sa.text("UPDATE retrainings SET format = 2 WHERE model = :model"), where)
    with pytest.raises(AutomationError) as caught:
        retrainings.current()
    assert caught.value.code == "AU031"
