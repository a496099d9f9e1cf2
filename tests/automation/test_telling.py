"""What the loop decides reaches people: in the transaction that decides it, as one mail with what to do."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from siklus.automation.retraining.jobs import Outcome
from siklus.automation.retraining.retrained import Retrained
from siklus.automation.retraining.retrainings import Retrainings
from siklus.automation.retraining.signs import Signs
from siklus.automation.rollout.rollouts import Rollouts, drafted
from siklus.automation.rollout.stepping import next_step
from siklus.automation.telling import Telling, news_of, receivers_of
from siklus.monitor.alerts.outbox import Outbox
from siklus.monitor.notify.courier import Courier
from siklus.monitor.notify.opening import open_receivers
from siklus.project.file import OpenProject, open_project
from siklus.registry.asks import Ask
from siklus.registry.control import Control, open_control
from siklus.registry.journal import Entry, evidence_of
from siklus.registry.traffic import Traffic
from tests.automation.rollouts import ALONE, BEGAN, NEW, PLAN, after, failing, proven, seen
from tests.monitor.mail_servers import Sink, sink

FILE = """
[project]
name = "flights"
task = "regression"

[data]
path = "flights.csv"
target = "delay"

[retrain]
on = ["labels:1000"]
{notify}

[notify.ops-mail]
kind = "mail"
to = ["ops@example.com"]
smtp = "smtp://127.0.0.1:{port}"

[notify.quiet]
kind = "log"

[notify.workflow]
kind = "github"
repository = "me/flights"
token_env = "TOKEN"
"""
ASK = Ask(id="a1", time=BEGAN, by="jane", via="command", reason="a new season")


@pytest.fixture
def mails() -> Iterator[Sink]:
    with sink() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, mails: Sink) -> OpenProject:
    (tmp_path / "siklus.toml").write_text(FILE.format(notify='notify = ["ops-mail"]', port=mails.port))
    return open_project(tmp_path, environment={})


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with open_control(None, file=tmp_path / "control.db") as control:
        yield control


def delivered(project: OpenProject, control: Control) -> None:
    """Hand out all that waits, as the loop does after each turn."""
    receivers = open_receivers(
        project.settings, root=project.paths.root, environment={}, now=lambda: after(days=1)
    )
    found = Courier(Outbox(control, "flights"), receivers).deliver(after(days=1), wait=20)
    assert found.failed == ()


def rollouts_of(project: OpenProject, control: Control) -> Rollouts:
    Traffic(control, "flights").append(ALONE, follows=0, by="jane", now=BEGAN)
    return Rollouts(control, "flights", also=Telling(control, project.settings))


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


def test_a_rollback_is_one_mail_with_its_numbers_and_what_to_do(
    project: OpenProject, control: Control, mails: Sink
) -> None:
    rollouts = rollouts_of(project, control)
    policy = Traffic(control, "flights").current()
    assert policy is not None
    begun = rollouts.start(drafted(NEW, policy=policy, plan=PLAN, now=BEGAN))
    evidence = seen(begun, failures=failing(worse=True))
    decision = next_step(begun, evidence, now=after(minutes=1))
    rollouts.carry_out(begun, decision, evidence=evidence, now=after(minutes=1))
    delivered(project, control)
    begins, back = mails.mails
    assert begins["Subject"] == "[flights] rollout 1 begins"
    # The freeze is decided with it, and told with it.
    assert (
        back["Subject"].strip()
        == "[flights] rollout 1 is rolled back, version 7 has all requests (and 1 more)"
    )
    text = text_of(back)
    assert "version 8 fails more often: 40 of 50 failures are its, where 2.5 would be its part" in text
    assert "nothing is urgent" in text
    assert "siklus history" in text
    assert "Nothing is rolled out by itself until" in text
    # A mail program shows both as one conversation.
    assert set(begins["References"].split()) <= set(back["References"].split())


def test_what_was_not_decided_is_not_told(project: OpenProject, control: Control, mails: Sink) -> None:
    rollouts = rollouts_of(project, control)
    policy = Traffic(control, "flights").current()
    assert policy is not None
    begun = rollouts.start(drafted(NEW, policy=policy, plan=PLAN, now=BEGAN))
    evidence = seen(begun, **proven())
    decision = next_step(begun, evidence, now=after(hours=2))
    rollouts.carry_out(begun, decision, evidence=evidence, now=after(hours=2))
    # Another loop decides about the state that is no more.
    with pytest.raises(Exception, match="AU013"):
        rollouts.carry_out(begun, decision, evidence=evidence, now=after(hours=2))
    delivered(project, control)
    assert [mail["Subject"].strip() for mail in mails.mails] == [
        "[flights] rollout 1 begins",
        "[flights] rollout 1: nothing speaks against version 8 after 10,000 requests",
    ]


def test_the_course_of_a_retraining_is_told_but_for_its_processes(
    project: OpenProject, control: Control, mails: Sink
) -> None:
    retrainings = Retrainings(control, "flights", also=Telling(control, project.settings))
    retrainings.ask(ASK)
    job = retrainings.turn(Signs(version="7"), project.settings.retrain, now=BEGAN)
    assert job is not None
    job = retrainings.started(job, now=after(minutes=1))
    result = Retrained(
        number=job.number,
        trigger=job.trigger,
        verdict="failed",
        reason="the source is gone",
        began=BEGAN,
        ended=after(minutes=2),
    )
    failed = Outcome(state="failed", reason=result.reason, evidence=evidence_of(result))
    retrainings.record(job, failed, now=after(minutes=2))
    delivered(project, control)
    subjects = [mail["Subject"] for mail in mails.mails]
    assert subjects == ["[flights] retraining 1 begins", "[flights] retraining 1 failed"]
    assert "the source is gone" in text_of(mails.mails[1])


def test_only_those_that_retrain_notify_names_are_told(
    project: OpenProject, control: Control, mails: Sink
) -> None:
    rollouts_of(project, control)
    assert receivers_of(project.settings) == ("ops-mail",)
    for notify, wanted in (("notify = []", ()), ("", ("ops-mail", "quiet"))):
        (project.paths.root / "siklus.toml").write_text(FILE.format(notify=notify, port=mails.port))
        assert receivers_of(open_project(project.paths.root, environment={}).settings) == wanted


def test_news_survives_whoever_was_to_deliver_it(project: OpenProject, control: Control, mails: Sink) -> None:
    """Put in the outbox and no more: the next loop's courier has it."""
    entry = Entry(
        time=BEGAN, kind="promotion", subject="rollout 1", author="siklus", text="version 8 is live"
    )
    with control.transaction() as connection:
        Telling(control, project.settings)(connection, [entry])
    delivered(project, control)
    assert [mail["Subject"] for mail in mails.mails] == ["[flights] version 8 is live"]
    delivered(project, control)
    assert len(mails.mails) == 1


def test_a_data_bug_is_told_and_other_waiting_is_not() -> None:
    class What(msgspec.Struct):
        what: str

    class Considered(msgspec.Struct):
        verdict: What

    def news(what: str) -> object:
        evidence = evidence_of(Considered(verdict=What(what=what)))
        text = "carrier: 30.0% of the cells are missing, 0.1% in training. Mend the source."
        return news_of(
            Entry(time=BEGAN, kind="trigger", subject="drift", author="x", text=text, evidence=evidence)
        )

    bug = news("data bug")
    assert bug is not None
    assert news("wait") is None
    assert news_of(Entry(time=BEGAN, kind="trigger", subject="r", author="x", text="asked")) is None


def test_a_rolled_back_transaction_takes_the_news_with_it(
    project: OpenProject, control: Control, mails: Sink
) -> None:
    telling, outbox = Telling(control, project.settings), Outbox(control, "flights")
    entry = Entry(time=BEGAN, kind="rollback", subject="rollout 1", author="siklus", text="back")

    def fail() -> None:
        with control.transaction() as connection:
            telling(connection, [entry])
            connection.execute(sa.text("SELECT nothing FROM nowhere"))

    with pytest.raises(Exception, match="RG010"):
        fail()
    assert outbox.waiting() == []
