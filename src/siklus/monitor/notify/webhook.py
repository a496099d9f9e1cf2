"""Receivers behind an incoming webhook: the JSON that Slack and those who follow it take."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from siklus.monitor.alerts.events import Notification
from siklus.monitor.notify.posting import Letter, Poster
from siklus.monitor.notify.receiver import NotSent
from siklus.monitor.notify.wording import COLORS, Story, Told, story
from siklus.project.receivers import unsafe_url


@dataclass(frozen=True, kw_only=True)
class WebhookReceiver:
    """``url``, which is read at each notification, is a secret; ``insecure`` lets plain http out."""

    url: Callable[[], str]
    insecure: bool
    poster: Poster
    false_alarm_rate: float
    now: Callable[[], datetime]

    def send(self, notification: Notification) -> None:
        """NotSent AL040 to AL044, AL047, AL048."""
        url = self.url()
        if problem := unsafe_url(url, insecure=self.insecure):
            raise NotSent("AL040", f"the webhook's URL {problem}", expected="https://HOST/…")
        parts = urlsplit(url)
        words = story(notification, false_alarm_rate=self.false_alarm_rate)
        secrets = tuple(part for part in (url, parts.path.strip("/"), parts.query) if part)
        self.poster.post(Letter(url=url, document=slack_message(words), secrets=secrets), now=self.now())


def slack_message(words: Story) -> dict[str, object]:
    """`text` for the notification on a phone, an attachment for each event: the parts of Slack's format that
    Mattermost, Rocket.Chat and Discord's Slack door take, too."""
    more = [{"text": f"And {words.more} more: `siklus alerts` lists all."}] if words.more else []
    return {
        "text": escaped(words.subject),
        "attachments": [*(_attachment(told, words) for told in words.told), *more],
    }


def escaped(text: str) -> str:
    """What Slack would read as a mention or a link (`<!channel>`) as plain text.

    >>> escaped("<!channel> & all")
    '&lt;!channel&gt; &amp; all'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")


def _attachment(told: Told, words: Story) -> dict[str, object]:
    fields = [
        {"title": title, "value": escaped(text), "short": False}
        for title, text in (("How sure is that?", told.sure), ("What to do next", _next(told)))
        if text
    ]
    return {
        "color": COLORS[told.tone],
        "fallback": escaped(told.headline),
        "title": escaped(told.headline),
        "text": escaped(told.happened),
        "fields": fields,
        "footer": escaped(words.footer),
    }


def _next(told: Told) -> str:
    return "\n".join(part for part in (told.advice, *(f"`{command}`" for command in told.commands)) if part)
