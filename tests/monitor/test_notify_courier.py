"""What is due reaches its receivers at least once; one that hangs keeps nobody waiting; nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from siklus.errors import RegistryError
from siklus.monitor.alerts.events import Notification
from siklus.monitor.alerts.outbox import Outbox
from siklus.monitor.notify.courier import Courier
from siklus.monitor.notify.opening import Reached
from siklus.monitor.notify.receiver import NotSent
from siklus.project.notify import GitHub, Log, Mail, Webhook
from siklus.registry.control import Control, open_control
from siklus.registry.journal import Journal
from tests.monitor.mail_servers import scripted, sink
from tests.monitor.notices import NOW, PATIENCE_SECONDS, event, notification, reached
from tests.monitor.web_services import Reply, service

MODEL = "flights"


@contextmanager
def outbox(folder: Path, *notifications: Notification) -> Iterator[Outbox]:
    with open_control(None, file=folder / "control.db") as control:
        found = Outbox(control, MODEL)
        put(control, found, *notifications)
        yield found


def put(control: Control, found: Outbox, *notifications: Notification) -> None:
    with control.transaction() as connection:
        found.put(connection, notifications, now=NOW)


class Recording:
    """A receiver that keeps what it gets, once it is let."""

    def __init__(self, *, problems: int = 0) -> None:
        self.got: list[Notification] = []
        self.may = threading.Event()
        self.may.set()
        self._problems = problems

    def send(self, notification: Notification) -> None:
        self.may.wait(PATIENCE_SECONDS)
        if self._problems:
            self._problems -= 1
            raise NotSent("AL047", "answered 503", expected="200", retry_after=100.0)
        self.got.append(notification)


def to(receiver: Recording, *, send_resolved: bool = True) -> dict[str, Reached]:
    return {"ops": Reached(receiver=receiver, send_resolved=send_resolved)}


def test_what_is_due_is_delivered_once_and_leaves_the_outbox(tmp_path: Path) -> None:
    receiver = Recording()
    with outbox(tmp_path, *(notification() for _ in range(25))) as found:
        courier = Courier(found, to(receiver))
        delivery = courier.deliver(NOW, wait=PATIENCE_SECONDS)
        assert (len(delivery.sent), delivery.failed, delivery.under_way) == (25, (), 0)
        assert [each.id for each in receiver.got] == list(range(1, 26))
        assert (list(found.waiting()), courier.deliver(NOW).sent) == ([], ())


def test_what_fails_waits_as_long_as_it_was_asked_to_and_goes_out_then(tmp_path: Path) -> None:
    receiver = Recording(problems=1)
    with outbox(tmp_path, notification()) as found:
        courier = Courier(found, to(receiver))
        [failed] = courier.deliver(NOW, wait=PATIENCE_SECONDS).failed
        assert str(failed.problem) == "AL047 answered 503 (expected 200)"
        [waiting] = found.waiting()
        assert (waiting.reason, waiting.due) == (str(failed.problem), NOW + timedelta(seconds=100))
        assert courier.deliver(NOW + timedelta(seconds=99)).sent == ()
        assert len(courier.deliver(NOW + timedelta(seconds=100), wait=PATIENCE_SECONDS).sent) == 1


def test_a_receiver_that_hangs_keeps_neither_others_nor_the_next_look_waiting(tmp_path: Path) -> None:
    slow, quick = Recording(), Recording()
    slow.may.clear()
    receivers = {**to(slow), "chat": Reached(receiver=quick, send_resolved=True)}
    with outbox(tmp_path, notification(), notification(receiver="chat"), notification()) as found:
        courier = Courier(found, receivers)
        begun = time.monotonic()
        delivery = courier.deliver(NOW, wait=0.2)
        assert time.monotonic() - begun < PATIENCE_SECONDS / 2
        assert ([each.receiver for each in delivery.sent], delivery.under_way) == (["chat"], 2)
        # Even if the claim of the outbox has run out meanwhile, there is no second attempt beside the first.
        assert courier.deliver(NOW + timedelta(days=1), wait=0.1).under_way == 2
        slow.may.set()
        assert len(courier.deliver(NOW + timedelta(days=1), wait=PATIENCE_SECONDS).sent) == 2
        assert [each.id for each in slow.got] == [1, 3]


def test_the_end_of_an_alert_is_only_told_to_those_who_want_to_hear_it(tmp_path: Path) -> None:
    receiver, over = Recording(), event(state="resolved", rule="error_rate")
    with open_control(None, file=tmp_path / "control.db") as control:
        found = Outbox(control, MODEL)
        put(control, found, notification(over), notification(over, event()))
        delivery = Courier(found, to(receiver, send_resolved=False)).deliver(NOW, wait=PATIENCE_SECONDS)
        journal = [entry.text for entry in Journal(control, MODEL).history()]
    assert (len(delivery.sent), list(delivery.failed)) == (1, [])
    assert [each.events for each in receiver.got] == [(event(),)]
    assert journal == [f"told ops: {event().title} firing"], "the journal tells no more than was told"


def test_a_receiver_that_is_not_declared_any_more_is_named(tmp_path: Path) -> None:
    with outbox(tmp_path, notification(receiver="gone")) as found:
        [failed] = Courier(found, to(Recording())).deliver(NOW).failed
        assert "AL049 receiver 'gone' is not declared" in str(failed.problem)
        assert found.waiting()[0].attempts == 1


def test_a_fault_of_a_receiver_is_said_and_the_next_ones_still_go_out(tmp_path: Path) -> None:
    class Broken:
        def send(self, notification: Notification) -> None:
            raise ZeroDivisionError("oh")

    receivers = {**to(Recording()), "broken": Reached(receiver=Broken(), send_resolved=True)}
    with outbox(tmp_path, notification(receiver="broken"), notification()) as found:
        delivery = Courier(found, receivers).deliver(NOW, wait=PATIENCE_SECONDS)
    assert len(delivery.sent) == 1
    assert "AL050 receiver 'broken': ZeroDivisionError in send:" in str(delivery.failed[0].problem)


def test_a_database_that_is_down_costs_no_second_mail(tmp_path: Path) -> None:
    receiver = Recording()

    class Flaky:
        """An outbox whose database is away when the first delivery is to be marked."""

        down = True

        def __init__(self, found: Outbox) -> None:
            self._found = found
            self.due, self.failed = found.due, found.failed

        def delivered(self, told: Notification, now: object) -> None:
            if self.down:
                self.down = False
                raise RegistryError("RG010", "control database: gone")
            self._found.delivered(told, NOW)

    with outbox(tmp_path, notification(), notification()) as found:
        courier = Courier(Flaky(found), to(receiver))
        with pytest.raises(RegistryError):
            courier.deliver(NOW, wait=PATIENCE_SECONDS)
        assert len(courier.deliver(NOW + timedelta(days=1), wait=PATIENCE_SECONDS).sent) == 2
        assert (len(receiver.got), list(found.waiting())) == (2, [])


def test_real_receivers_side_by_side_with_one_that_never_answers(tmp_path: Path) -> None:
    with sink() as mails, service() as chat, scripted([60.0], {}) as mute:
        receivers = reached(
            tmp_path,
            {"TOKEN": "t"},
            ops=Mail(to=("ops@example.com",), smtp=f"smtp://127.0.0.1:{mails.port}"),
            chat=Webhook(url=chat.url),
            train=GitHub(repository="a/b", token_env="TOKEN", api=chat.url),
            mute=Mail(to=("ops@example.com",), smtp=f"smtp://127.0.0.1:{mute}", timeout="3s"),
        )
        assert list(receivers) == ["log", "ops", "chat", "train", "mute"]
        chat.replies.append(Reply(status=200))
        with outbox(tmp_path, *(notification(receiver=name) for name in receivers)) as found:
            courier = Courier(found, receivers)
            delivery = courier.deliver(NOW, wait=1.5)
            while len(delivery.sent) < 4 and delivery.under_way > 1:
                delivery = courier.deliver(NOW, wait=1.0)
            assert len(found.waiting()) == 1
            [failed] = courier.deliver(NOW, wait=PATIENCE_SECONDS).failed
    assert (failed.notification.receiver, failed.problem and failed.problem.code) == ("mute", "AL044")
    assert (len(mails.mails), len(chat.posted)) == (1, 2)


def test_the_log_tells_who_has_declared_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = reached(tmp_path)["log"].receiver
    log.send(notification(event(severity="critical", label="a\nb")))
    log.send(notification(event(state="resolved")))
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], second["level"]) == ("alert", "error", "info")
    assert first["label"] == "a b"
    assert second["told"] == "resolved: predictions_since_training"
    assert isinstance(reached(tmp_path, log=Log())["log"], Reached)


CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from siklus.monitor.notify.courier import Courier
from siklus.monitor.alerts.outbox import Outbox
from siklus.project.notify import Mail
from siklus.registry.control import open_control
from tests.monitor.notices import NOW, reached

folder, port = Path(sys.argv[1]), sys.argv[2]
receivers = reached(folder, ops=Mail(to=("ops@example.com",), smtp=f"smtp://127.0.0.1:{port}"))
with open_control(None, file=folder / "control.db") as control:
    Courier(Outbox(control, "flights"), receivers).deliver(NOW, wait=60.0)
"""


def test_killed_between_sending_and_marking_it_is_sent_again_under_the_same_id(tmp_path: Path) -> None:
    children: list[int] = []
    with sink() as server, outbox(tmp_path, notification()) as found:
        server.on_mail = lambda: os.kill(children[-1], signal.SIGKILL)
        with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), str(server.port)]) as child:
            children.append(child.pid)
            assert child.wait(timeout=60) == -signal.SIGKILL
        assert (len(server.mails), len(found.waiting())) == (1, 1)
        server.on_mail = lambda: None
        receivers = reached(
            tmp_path, ops=Mail(to=("ops@example.com",), smtp=f"smtp://127.0.0.1:{server.port}")
        )
        assert (
            len(Courier(found, receivers).deliver(NOW + timedelta(hours=1), wait=PATIENCE_SECONDS).sent) == 1
        )
    assert [mail["Message-ID"] for mail in server.mails] == [server.mails[0]["Message-ID"]] * 2


def test_a_server_s_own_words_stop_no_delivery(tmp_path: Path, control_url: str | None) -> None:
    class Rude:
        def send(self, notification: Notification) -> None:
            raise NotSent("AL046", "451 not\x00now")

    with open_control(control_url, file=tmp_path / "control.db") as control:
        found = Outbox(control, "rude")
        put(control, found, notification())
        Courier(found, {"ops": Reached(receiver=Rude(), send_resolved=True)}).deliver(NOW)
        assert [each.reason for each in found.waiting()] == ["AL046 451 not now"]
