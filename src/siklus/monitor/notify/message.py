"""A notification as a mail: text and HTML with a picture, and the headers that mail programs go by."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from siklus.monitor.alerts.events import Notification
from siklus.monitor.notify.picture import Picture, picture
from siklus.monitor.notify.wording import COLORS, Story, one_line, parts, story

SHOWN_PICTURES = 3
THREADS = 10  # alerts that a mail refers to


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Addresses without names, as the project file has them."""

    sender: str
    to: tuple[str, ...]

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]


def compose(notification: Notification, envelope: Envelope, *, false_alarm_rate: float) -> EmailMessage:
    """The same mail at every attempt: one that is delivered twice has the same Message-ID twice."""
    words = story(notification, false_alarm_rate=false_alarm_rate)
    drawn = [found for evidence in notification.evidence[:SHOWN_PICTURES] if (found := picture(evidence))]
    message = EmailMessage(policy=SMTP)
    _address(message, notification, envelope, words)
    message.set_content(_text(words, drawn), cte="quoted-printable")
    cids = [f"picture{number}.{_digest(notification)}@{envelope.domain}" for number in range(len(drawn))]
    message.add_alternative(_html(words, drawn, cids), subtype="html", cte="quoted-printable")
    _, html = message.iter_parts()
    for number, (cid, found) in enumerate(zip(cids, drawn, strict=True), start=1):
        name = f"picture{number}.png"
        html.add_related(found.png, "image", "png", cid=f"<{cid}>", disposition="inline", filename=name)
    return message


def _address(message: EmailMessage, notification: Notification, envelope: Envelope, words: Story) -> None:
    project, domain = one_line(notification.project), envelope.domain
    message["From"] = Address(f"Siklus {project}", addr_spec=envelope.sender)
    message["To"] = [Address(addr_spec=reader) for reader in envelope.to]
    message["Subject"] = words.subject
    message["Date"] = notification.time
    message["Message-ID"] = f"<{_digest(notification)}@{domain}>"
    if (notification.events or notification.news) and not notification.test:
        # Mail programs show what refers to the same as one conversation: an alert's beginning and its end,
        # or all that became of one rollout.
        message["References"] = _threads(notification, domain)
    message["List-Id"] = f"<{project}.siklus.{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"  # what Exchange goes by instead


def _digest(notification: Notification) -> str:
    # The id alone is not enough: the next database begins at 1 again.
    return _hashed(
        notification.project, notification.receiver, notification.time.isoformat(), str(notification.id)
    )


def _threads(notification: Notification, domain: str) -> str:
    alerts = (
        (notification.project, event.rule, event.label, event.since.isoformat())
        for event in notification.events[:THREADS]
    )
    news = dict.fromkeys((notification.project, each.subject) for each in notification.news[:THREADS])
    named = [
        *(f"alert-{_hashed(*alert)}" for alert in alerts),
        *(f"news-{_hashed(*about)}" for about in news),
    ]
    return " ".join(f"<{name}@{domain}>" for name in named)


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]


def _text(words: Story, drawn: Sequence[Picture]) -> str:
    return _TEMPLATES.get_template("mail.txt").render(story=words, pictures=[found.about for found in drawn])


def _html(words: Story, drawn: Sequence[Picture], cids: Sequence[str]) -> str:
    pictures = [(cid, found.about) for cid, found in zip(cids, drawn, strict=True)]
    return _TEMPLATES.get_template("mail.html").render(story=words, pictures=pictures, colors=COLORS)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_TEMPLATES = Environment(
    loader=PackageLoader("siklus.monitor.notify"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["parts"] = parts
_TEMPLATES.filters["sentence"] = _sentence
