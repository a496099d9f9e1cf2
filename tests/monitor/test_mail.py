"""Mails reach a mail server, encrypted where they can be; and whatever it does instead is said, in time."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from siklus.monitor.notify.receiver import NotSent
from siklus.project.notify import Mail
from tests.monitor.mail_servers import PASSWORD, USER, Line, scripted, sink
from tests.monitor.notices import PATIENCE_SECONDS, certified, free_port, notification, sender

TO = ("ops@example.com", "boss@example.com")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certified(tmp_path_factory.mktemp("tls"))


def mail(port: int, **given: Any) -> Mail:
    scheme, user, host = (
        given.pop(key, usual) for key, usual in (("scheme", "smtp"), ("user", ""), ("host", "127.0.0.1"))
    )
    usual = {
        "to": TO,
        "sender": "siklus@example.com",
        "smtp": f"{scheme}://{user}{host}:{port}",
        "timeout": "2s",
    }
    return Mail(**{**usual, **given})


def refusal(settings: Mail, root: Path, environment: dict[str, str] | None = None) -> NotSent:
    with pytest.raises(NotSent) as caught:
        sender(settings, root, environment).send(notification())
    return caught.value


def test_a_mail_arrives_with_all_its_readers(tmp_path: Path) -> None:
    with sink() as server:
        sender(mail(server.port), tmp_path).send(notification())
    assert server.readers == [TO]
    assert server.mails[0]["Subject"] == "[flights] retraining advised: 4,031 predictions since training"
    assert server.mails[0]["From"] == "Siklus flights <siklus@example.com>"
    assert server.encrypted == [False]


def test_nobody_is_written_to_twice_for_standing_there_twice(tmp_path: Path) -> None:
    with sink() as server:
        sender(mail(server.port, to=(TO[0], TO[0])), tmp_path).send(notification())
    assert server.readers == [(TO[0],)]


def test_without_a_sender_it_comes_from_this_machine(tmp_path: Path) -> None:
    with sink() as server:
        sender(mail(server.port, sender=None), tmp_path).send(notification())
    assert "<siklus@" in server.mails[0]["From"]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_login_is_encrypted_whichever_way_tls_begins(
    scheme: str, papers: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    user = USER.replace("@", "%40") + "@"
    with sink(papers, smtps=scheme == "smtps", login=True) as server:
        settings = mail(
            server.port, scheme=scheme, user=user, password_file="password", ca_file=str(papers[0])
        )
        sender(settings, tmp_path).send(notification())
    assert (server.users, server.encrypted, len(server.mails)) == ([USER], [True], 1)


def test_a_password_may_stand_in_the_environment(papers: tuple[Path, Path], tmp_path: Path) -> None:
    with sink(papers, login=True) as server:
        settings = mail(server.port, user="ops@", password_env="SMTP_PASSWORD", ca_file=str(papers[0]))
        sender(settings, tmp_path, {"SMTP_PASSWORD": PASSWORD}).send(notification())
        wrong = refusal(settings, tmp_path, {"SMTP_PASSWORD": "wrong"})
        missing = refusal(settings, tmp_path, {})
    assert (server.users, len(server.mails)) == (["ops"], 1)
    assert (wrong.code, "535" in wrong.message, "'ops'" in wrong.message) == ("AL045", True, True)
    assert (missing.code, missing.message) == ("AL040", "$SMTP_PASSWORD: is empty or not set")


def test_nothing_is_sent_to_who_cannot_prove_who_it_is(papers: tuple[Path, Path], tmp_path: Path) -> None:
    with sink(papers) as server:
        unknown = refusal(mail(server.port), tmp_path)
        sender(mail(server.port, starttls="off"), tmp_path).send(notification())
    assert unknown.code == "AL043"
    assert "self-signed" in unknown.message
    assert server.encrypted == [False]


@pytest.mark.parametrize("more", [{"starttls": "required"}, {"user": "ops@", "password_env": "P"}])
def test_where_encryption_is_a_must_a_server_without_it_gets_nothing(
    more: dict[str, str], tmp_path: Path
) -> None:
    with sink() as server:
        caught = refusal(mail(server.port, **more), tmp_path, {"P": PASSWORD})
    assert (caught.code, "STARTTLS" in caught.message, server.mails) == ("AL043", True, [])


def test_a_server_without_tls_behind_an_smtps_url_is_said_to_be_one(tmp_path: Path) -> None:
    with sink() as server:
        assert refusal(mail(server.port, scheme="smtps"), tmp_path).code in {"AL043", "AL044"}


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    with sink() as server:
        for name in ("ca.pem", "nothing.pem"):
            caught = refusal(mail(server.port, scheme="smtps", ca_file=name), tmp_path)
            assert (caught.code, name in caught.message) == ("AL041", True)


def test_a_reader_who_is_refused_is_named_and_the_others_get_it_once(tmp_path: Path) -> None:
    with sink() as server:
        server.refusals += ["", "550 5.1.1 no such user", "450 4.2.0 greylisted, come back"]
        receiver = sender(mail(server.port), tmp_path)
        for words in ("550 5.1.1 no such user", "450 4.2.0 greylisted"):
            with pytest.raises(NotSent, match=f"AL046 .*boss@example.com: {words}"):
                receiver.send(notification())
        receiver.send(notification())
    assert server.readers == [TO[:1], TO[1:]]
    assert server.mails[0]["Message-ID"] == server.mails[1]["Message-ID"]


def test_all_may_be_refused(tmp_path: Path) -> None:
    with sink() as server:
        server.refusals += ["554 5.7.1 <spam> blocked"] * 2
        caught = refusal(mail(server.port), tmp_path)
    assert (caught.code, server.mails) == ("AL046", [])
    assert "554 5.7.1" in caught.message


GREETING: Sequence[Line] = ["220 here"]
# What it does, and whose fault that is.
MISBEHAVIOUR: list[tuple[str, Sequence[Line], dict[str, Sequence[Line]], str]] = [
    ("is too busy", ["421 too busy", "bye"], {}, "AL046"),
    ("speaks no SMTP", ["HTTP/1.1 400 Bad Request", "bye"], {}, "AL046"),
    ("hangs up at once", ["bye"], {}, "AL044"),
    ("says nothing", [60.0], {}, "AL044"),
    ("trickles", [b"220-", *([b".", 0.3] * 200)], {}, "AL044"),
    ("hangs after MAIL", GREETING, {"MAIL": [60.0]}, "AL044"),
    ("refuses the sender", GREETING, {"MAIL": ["550 not from you"]}, "AL046"),
    ("has a full disk", GREETING, {"DATA": ["452 no room"]}, "AL046"),
    ("hangs after the mail", GREETING, {".": [60.0]}, "AL044"),
    ("hangs up in the mail", GREETING, {".": ["bye"]}, "AL044"),
    ("thinks better of it", GREETING, {".": ["554 spam"]}, "AL046"),
]


@pytest.mark.parametrize(
    ("greeting", "answers", "code"),
    [case[1:] for case in MISBEHAVIOUR],
    ids=[case[0] for case in MISBEHAVIOUR],
)
def test_whatever_a_server_does_instead_is_said_in_time(
    greeting: Sequence[Line], answers: dict[str, Sequence[Line]], code: str, tmp_path: Path
) -> None:
    begun = time.monotonic()
    with scripted(greeting, answers) as port:
        caught = refusal(mail(port, timeout="1s"), tmp_path)
        assert time.monotonic() - begun < PATIENCE_SECONDS
    assert caught.code == code
    assert f"mail server 127.0.0.1:{port}" in caught.message


@pytest.mark.parametrize("goodbye", [["bye"], ["500 what?"]], ids=["hangs up", "complains"])
def test_a_mail_that_was_taken_is_delivered_whatever_the_goodbye(
    goodbye: Sequence[Line], tmp_path: Path
) -> None:
    with scripted(GREETING, {"QUIT": goodbye}) as port:
        sender(mail(port), tmp_path).send(notification())


def test_a_port_where_nobody_listens_is_named(tmp_path: Path) -> None:
    port = free_port()
    caught = refusal(mail(port), tmp_path)
    assert (caught.code, f"127.0.0.1:{port}: Connection refused" in caught.message) == ("AL042", True)


def test_a_host_that_does_not_exist_is_named(tmp_path: Path) -> None:
    caught = refusal(mail(25, host="mail.invalid"), tmp_path)
    assert (caught.code, "mail.invalid:25" in caught.message) == ("AL042", True)
