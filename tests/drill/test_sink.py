"""The drill's mail server takes what a sender of mail brings, and shows it as it was sent."""

import smtplib
import socket
from email.message import EmailMessage

from siklus.drill.sink import open_sink


def mail(text: str, subject: str = "drift") -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, "siklus@drill.invalid", "ops@drill.invalid"
    made.set_content(text)
    return made


def test_a_mail_comes_out_as_it_was_sent() -> None:
    text = "first\n.\n..dots\nprüfe λ\n" + "long " * 400 + "\n"
    with open_sink() as sink, smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
        client.send_message(mail(text, subject="Drift: größer"), to_addrs=["a@x.invalid", "b@x.invalid"])
        client.send_message(mail("second\n"))
        first, second = sink.mails()
    assert first.readers == ("a@x.invalid", "b@x.invalid")
    assert (first.subject, first.text) == ("Drift: größer", text)
    assert (second.readers, second.text) == (("ops@drill.invalid",), "second\n")
    assert first.at <= second.at


def test_what_it_does_not_know_is_refused_and_the_conversation_goes_on() -> None:
    with open_sink() as sink, smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
        assert client.docmd("VRFY", "ops")[0] == 502
        assert client.docmd("STARTTLS")[0] == 502
        client.send_message(mail("still here\n"))
        assert [each.text for each in sink.mails()] == ["still here\n"]


def test_who_hangs_up_in_the_middle_leaves_no_mail() -> None:
    with open_sink() as sink:
        for words in (b"", b"MAIL FROM:<a@x.invalid>\r\n", b"\xff\xfe\r\n", b"RCPT\r\n"):
            with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as client:
                client.recv(100)
                client.sendall(words)
        with smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
            client.send_message(mail("after them\n"))
        assert [each.text for each in sink.mails()] == ["after them\n"]
