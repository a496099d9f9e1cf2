"""From [notify.*] to receivers. A dictionary says which kind is opened how."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from siklus.monitor.notify.github import GitHubReceiver
from siklus.monitor.notify.log import LogReceiver
from siklus.monitor.notify.mail import MailReceiver, own_address
from siklus.monitor.notify.message import Envelope
from siklus.monitor.notify.posting import Poster
from siklus.monitor.notify.receiver import Receiver
from siklus.monitor.notify.secrets import Secret
from siklus.monitor.notify.smtp import Post
from siklus.monitor.notify.trust import tls_context
from siklus.monitor.notify.webhook import WebhookReceiver
from siklus.project.durations import seconds_of
from siklus.project.notify import DEFAULT_RECEIVERS, GitHub, Log, Mail, Webhook
from siklus.project.sections import Project


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """``root``: from where the files of secrets and certificates start."""

    root: Path
    environment: Mapping[str, str]
    now: Callable[[], datetime]
    false_alarm_rate: float

    def file(self, name: str | None) -> Path | None:
        return None if name is None else self.root / Path(name).expanduser()

    def secret(self, what: str, *, file: str | None, variable: str | None) -> Callable[[], str]:
        found = Secret(what=what, file=self.file(file), variable=variable, environment=self.environment)
        return found.read

    def poster(self, *, timeout: str, ca_file: str | None) -> Poster:
        return Poster(context=lambda: tls_context(self.file(ca_file)), seconds=seconds_of(timeout))


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A receiver, and whether it hears of the end of an alert, too."""

    receiver: Receiver
    send_resolved: bool


def open_receivers(
    project: Project, *, root: Path, environment: Mapping[str, str], now: Callable[[], datetime]
) -> dict[str, Reached]:
    """All receivers by name: the declared ones, and the log where its name is not taken.

    Nothing is connected to or read yet: a secret that is missing is said when it is needed (AL040).
    """
    surroundings = Surroundings(
        root=root, environment=environment, now=now, false_alarm_rate=project.monitor.false_alarm_rate
    )
    declared = {**DEFAULT_RECEIVERS, **project.notify}
    return {
        name: Reached(
            receiver=OPENERS[type(settings)](settings, surroundings), send_resolved=settings.send_resolved
        )
        for name, settings in declared.items()
    }


def post_of(settings: Mail, around: Surroundings) -> Post:
    """The mail server, as the receiver speaks to it."""
    password = around.secret("password", file=settings.password_file, variable=settings.password_env)
    server = settings.server
    return Post(
        server=server,
        starttls=settings.starttls,
        password=None if server.user is None else password,
        context=lambda: tls_context(around.file(settings.ca_file)),
        seconds=seconds_of(settings.timeout),
    )


def _mail(settings: Mail, around: Surroundings) -> Receiver:
    envelope = Envelope(sender=settings.sender or own_address(), to=tuple(dict.fromkeys(settings.to)))
    return MailReceiver(post_of(settings, around), envelope, false_alarm_rate=around.false_alarm_rate)


def _webhook(settings: Webhook, around: Surroundings) -> Receiver:
    secret = around.secret("webhook's URL", file=settings.url_file, variable=settings.url_env)
    given = settings.url
    return WebhookReceiver(
        url=secret if given is None else lambda: given,
        insecure=settings.insecure,
        poster=around.poster(timeout=settings.timeout, ca_file=settings.ca_file),
        false_alarm_rate=around.false_alarm_rate,
        now=around.now,
    )


def _github(settings: GitHub, around: Surroundings) -> Receiver:
    return GitHubReceiver(
        settings=settings,
        token=around.secret("token", file=settings.token_file, variable=settings.token_env),
        poster=around.poster(timeout=settings.timeout, ca_file=settings.ca_file),
        false_alarm_rate=around.false_alarm_rate,
        now=around.now,
    )


def _log(_settings: Log, _around: Surroundings) -> Receiver:
    return LogReceiver()


OPENERS: Mapping[type, Callable[[Any, Surroundings], Receiver]] = {
    Mail: _mail,
    Webhook: _webhook,
    GitHub: _github,
    Log: _log,
}
