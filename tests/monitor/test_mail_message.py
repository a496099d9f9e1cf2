"""A mail says what happened, how sure that is and what to do, and nothing of data gets out of its place."""

import re
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest

from siklus.cli.main import COMMANDS
from siklus.monitor.alerts.events import Event, Evidence, Notification
from siklus.monitor.amounts import amount
from siklus.monitor.notify.message import Envelope, compose
from siklus.monitor.notify.phrases import PHRASES
from siklus.monitor.notify.picture import picture
from siklus.monitor.notify.wording import headline, one_line
from siklus.monitor.signals import SIGNALS
from tests.monitor.notices import NOW, bars, event, notification, series

ENVELOPE = Envelope(sender="siklus@example.com", to=("ops@example.com", "boss@example.com"))
HOSTILE = '<script>alert(1)</script>\r\nBcc: evil@example.com\r\n\r\n"{{ 7*7 }} &amp; \u202eabc'
PNG = b"\x89PNG\r\n\x1a\n"


def mail(found: Notification) -> EmailMessage:
    """As it reads on the other side of the wire."""
    parsed = message_from_bytes(compose(found, ENVELOPE, false_alarm_rate=0.05).as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


class Tags(HTMLParser):
    """Each tag with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_and_html_say_the_same_and_what_to_do() -> None:
    message = mail(notification())
    words = " ".join(text_of(message).split())
    shown = " ".join(Tags(html_of(message)).text.split())
    for said in (
        "Retraining advised: 4,031 predictions since training",
        "predictions_since_training: rows that the champion has answered since it was trained.",
        "It is 4,031, above its limit of 4,000, since Sat 31 Jan 2026, 11:58 UTC.",
        "How sure is that? A count of all answers, not an estimate.",
        "What to do next Consider retraining: the model has answered 4000 predictions.",
        "siklus quality siklus train siklus models",
        "To hear no more of it for a while: siklus alerts silence predictions_since_training",
        "Siklus, project flights, Sat 31 Jan 2026, 12:00 UTC",
    ):
        assert said in words
        assert said in shown
    assert message.get_content_type() == "multipart/alternative"


def test_the_headers_are_those_of_a_mail_that_nobody_wrote() -> None:
    message = mail(notification())
    assert message["To"] == "ops@example.com, boss@example.com"
    assert message["Date"].datetime == NOW
    assert (message["Auto-Submitted"], message["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert message["List-Id"] == "<flights.siklus.example.com>"
    assert re.fullmatch(r"<[0-9a-f]{24}@example\.com>", message["Message-ID"])


def test_one_notification_has_one_id_and_two_have_two() -> None:
    ids = [
        mail(found)["Message-ID"]
        for found in (
            notification(),
            notification(),
            notification(id=8),
            notification(time=NOW + timedelta(minutes=1)),
            notification(receiver="other"),
            notification(project="other"),
        )
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 5


def test_beginning_and_end_of_an_alert_are_one_conversation() -> None:
    begun, other = event(), event(rule="error_rate", signal="error_rate", value=0.2, threshold=0.05)
    beginning = mail(notification(other, begun))["References"].split()
    end = mail(notification(event(state="resolved"), time=NOW + timedelta(hours=1)))["References"].split()
    again = mail(notification(event(since=NOW)))["References"].split()
    assert set(end) < set(beginning)
    assert not set(again) & set(beginning)


@pytest.mark.parametrize(
    ("events", "subject"),
    [
        ((event(),), "[flights] retraining advised: 4,031 predictions since training"),
        ((event(repeated=True),), "[flights] still: retraining advised: 4,031 predictions since training"),
        ((event(state="resolved"),), "[flights] resolved: predictions_since_training"),
        (
            (event(), event(rule="error_rate", signal="error_rate", value=0.0731, severity="critical")),
            "[flights] critical: 7.31 % of predictions fail (and 1 more)",
        ),
        (
            (event(rule="drift_alarm", signal="drift_alarm", value=1.0, threshold=0.5, severity="warning"),),
            "[flights] traffic has left training",
        ),
        ((event(rule="no_such", signal="no_such", value=1.5),), "[flights] no_such: 1.5"),
        ((event(rule="quiet", signal="drift_alarm", value=0.0, comparison="<"),), "[flights] quiet: no"),
    ],
)
def test_the_subject_says_it(events: tuple[Event, ...], subject: str) -> None:
    assert mail(notification(*events))["Subject"] == subject


def test_a_test_says_that_nothing_has_happened() -> None:
    message = mail(notification(test=True))
    assert message["Subject"].startswith("[flights] test: ")
    assert "This is a test: nothing has happened." in text_of(message)
    assert "This is a test: nothing has happened." in html_of(message)


def test_alarms_state_their_false_alarm_rate_and_what_is_known_beside() -> None:
    alarm = event(signal="drift_alarm", value=1.0, certainty="carrier: PSI 0.41, p < 1e-9")
    words = " ".join(text_of(mail(notification(alarm))).split())
    assert "carrier: PSI 0.41, p < 1e-9. This alarm comes without cause in at most 5 % of months" in words
    assert "carrier: PSI 0.41, p &lt; 1e-9." in html_of(mail(notification(alarm)))


def test_an_alert_that_is_over_advises_nothing() -> None:
    words = " ".join(text_of(mail(notification(event(state="resolved", value=None)))).split())
    assert (
        "It was above its limit of 4,000 since Sat 31 Jan 2026, 11:58 UTC; now it is without a value."
        in words
    )
    assert "What to do next" not in words


def test_columns_of_one_rule_have_one_advice() -> None:
    columns = [event(signal="drift_score", rule="far", label=name, advice="Mend it.") for name in "abc"]
    words = text_of(mail(notification(*columns, event(advice="Train again."))))
    assert [words.count(said) for said in ("Mend it.", "Train again.", "    siklus drift")] == [1, 1, 1]
    assert [f"--feature {name}" in words for name in "abc"] == [True, True, True]


def test_words_of_data_stay_words() -> None:
    hostile = event(
        rule="unseen_share",
        signal="unseen_share",
        label=HOSTILE,
        value=0.5,
        advice=f"See {HOSTILE} `{HOSTILE}`.",
    )
    message = mail(notification(hostile, evidence=(bars(title=HOSTILE, names=(HOSTILE, "b")),)))
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]
    found = Tags(html_of(message))
    assert "script" not in {tag for tag, _ in found.tags}
    assert "<script>alert(1)</script> Bcc: evil@example.com" in found.text
    assert "{{ 7*7 }} &amp;" in found.text
    assert "siklus alerts silence unseen_share --feature '<script>alert(1)</script> Bcc:" in found.text
    assert "\u202e" not in html_of(message) + text_of(message)
    assert "\nBcc:" not in text_of(message)


def test_nothing_is_fetched_from_anywhere() -> None:
    html = html_of(mail(notification(evidence=(series(),))))
    sources = [attributes.get("src") for tag, attributes in Tags(html).tags if tag == "img"]
    assert [source for source in sources if source and source.startswith("cid:")] == sources
    assert not re.search(r"https?:|<a |<link|<script|url\(", html)


def test_pictures_lie_in_the_mail_with_words_for_who_sees_none() -> None:
    message = mail(notification(evidence=(series(), bars(), series(values=()), bars(), bars())))
    images = [part for part in message.walk() if part.get_content_maintype() == "image"]
    shown = [attributes for tag, attributes in Tags(html_of(message)).tags if tag == "img"]
    assert [f"cid:{part['Content-ID'].strip('<>')}" for part in images] == [each["src"] for each in shown]
    assert [part.get_content_disposition() for part in images] == ["inline", "inline"]
    assert all(part.get_content().startswith(PNG) for part in images)
    assert shown[0]["alt"] == (
        "predictions_since_training: from 3,600 (Sat 31 Jan 2026, 11:40 UTC) "
        "to 4,020 (Sat 31 Jan 2026, 12:00 UTC). The limit is 4,000."
    )
    assert shown[1]["alt"] == "drift of columns: carrier 0.41, dep_delay 0.05. The limit is 0.2."
    assert "Picture: drift of columns" in text_of(message)


@pytest.mark.parametrize(
    "evidence",
    [
        series(times=(), values=()),
        series(times=(NOW,), values=(1.0,)),
        series(values=(float("nan"),) * 21),
        bars(names=(), values=()),
        bars(values=(float("nan"), float("inf"))),
    ],
)
def test_where_there_is_nothing_to_see_there_is_no_picture(evidence: Evidence) -> None:
    assert picture(evidence) is None


@pytest.mark.parametrize(
    "evidence",
    [
        series(threshold=None),
        series(values=(5.0,) * 21),
        series(values=(float("nan"), *([0.0] * 20)), unit="share"),
        bars(threshold=None, names=("$x_{$", "航空公司"), values=(0.0, -1.0)),
        bars(names=tuple(f"column {i}" for i in range(500)), values=tuple(1.0 / (i + 1) for i in range(500))),
    ],
)
def test_odd_evidence_is_drawn_all_the_same(evidence: Evidence) -> None:
    drawn = picture(evidence)
    assert drawn is not None
    assert drawn.png.startswith(PNG)
    assert len(drawn.png) < 200_000


def test_every_signal_has_its_words() -> None:
    assert set(PHRASES) == set(SIGNALS)
    for name in SIGNALS:
        told = headline(event(signal=name, rule=name, value=2.0, label="carrier" if SIGNALS[name].by else ""))
        assert told
        assert ("carrier" in told) == bool(SIGNALS[name].by)


def test_the_advised_commands_are_commands_of_siklus() -> None:
    wanted = {command.split()[1] for phrase in PHRASES.values() for command in phrase.commands}
    assert wanted | {"alerts"} <= set(COMMANDS)


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "rows", "0"),
        (4000.4, "rows", "4,000"),
        (0.05, "share", "5 %"),
        (1e-7, "share", "1e-05 %"),
        (0.0123, "seconds", "12.3 ms"),
        (1.0, "seconds", "1 s"),
        (90, "seconds", "1.5 min"),
        (200_000, "seconds", "2.31 days"),
        (1, "days", "1 day"),
        (90.04, "days", "90 days"),
        (512, "bytes", "512 B"),
        (1.5e9, "bytes", "1.5 GB"),
        (1, "yes/no", "yes"),
        (0.5, "yes/no", "no"),
        (1.25, "cores", "1.25 cores"),
        (33.333, "rows/s", "33.3 per second"),
        (0.41, "psi", "0.41"),
        (-12345.6, "", "-12,346"),
    ],
)
def test_amounts_read_as_a_person_says_them(value: float, unit: str, said: str) -> None:
    assert amount(value, unit) == said


def test_one_line_is_one_line_and_not_endless() -> None:
    assert one_line("a\r\n\tb\u2028c\x00d\u200be") == "a b c d e"
    assert len(one_line("x" * 10_000)) == 300
