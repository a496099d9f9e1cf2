"""Who hears of alerts: mail servers are greeted as for a mail, web services reached without a word."""

import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, note, ok, trouble
from siklus.monitor.alerts.rules import Rule, project_rules
from siklus.monitor.alerts.trial import trial
from siklus.monitor.amounts import length_of_time
from siklus.monitor.notify.opening import OPENERS, Surroundings, post_of
from siklus.monitor.notify.receiver import NotSent
from siklus.monitor.notify.trust import tls_context
from siklus.project.file import OpenProject
from siklus.project.notify import GitHub, Mail, Webhook
from siklus.project.receivers import unsafe_url

# What a test mail speaks of where the project has no rules.
EXAMPLE = Rule(name="example", signal="error_rate", comparison=">", threshold=0.05)


def check_mail(case: Case, project: OpenProject) -> Sequence[Finding]:
    """Connect, EHLO, STARTTLS and AUTH as configured, NOOP; a mail only where one was asked for."""
    return [
        _mail(case, project, name, settings)
        for name, settings in project.settings.notify.items()
        if isinstance(settings, Mail)
    ]


def check_services(case: Case, project: OpenProject) -> Sequence[Finding]:
    """Webhooks and GitHub: the secret is there, the name resolves, TLS holds. Nothing is posted."""
    return [
        _service(case, project, name, settings)
        for name, settings in project.settings.notify.items()
        if isinstance(settings, Webhook | GitHub)
    ]


def check_told(_case: Case, project: OpenProject) -> Sequence[Finding]:
    """Whether anybody is told at all."""
    declared = project.settings.notify
    if declared:
        return []
    cure = "[notify.ops-mail] in siklus.toml, then `siklus doctor --mail`"
    return [note("receivers", "nobody is told of alerts; they stand in the log alone", mend=cure)]


def _around(case: Case, project: OpenProject) -> Surroundings:
    return Surroundings(
        root=project.paths.root,
        environment=case.environment,
        now=lambda: datetime.now(UTC),
        false_alarm_rate=project.settings.monitor.false_alarm_rate,
    )


def _mail(case: Case, project: OpenProject, name: str, settings: Mail) -> Finding:
    about, around = f"mail {name}", _around(case, project)
    hasty = msgspec.structs.replace(settings, timeout=f"{case.seconds:g}s")
    where = f"{settings.server.host}:{settings.server.port}"
    begun = time.perf_counter()
    try:
        if case.mail:
            rule, model = next(iter(project_rules(project.settings)), EXAMPLE), project.settings.project.name
            letter = trial(rule, project=model, receiver=name, now=datetime.now(UTC))
            OPENERS[Mail](hasty, around).send(letter)
            return ok(about, f"{where} took a test mail to {', '.join(settings.to)}")
        post_of(hasty, around).greet()
    except NotSent as error:
        return trouble(about, f"{error.code} {error.message}", mend=f"[notify.{name}]: {error.expected}")
    login = f", login as {settings.server.user}" if settings.server.user else ""
    took = length_of_time(time.perf_counter() - begun)
    return ok(about, f"{where} answers{login}, {took}; `siklus doctor --mail` sends a test mail")


def _service(case: Case, project: OpenProject, name: str, settings: Webhook | GitHub) -> Finding:
    about, around = f"receiver {name}", _around(case, project)
    try:
        url = _url_of(settings, around)
        if problem := unsafe_url(url, insecure=isinstance(settings, Webhook) and settings.insecure):
            return trouble(about, f"its URL {problem}", mend=f"[notify.{name}]: https://HOST/…")
        parts = urlsplit(url)
        host, tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        context = tls_context(around.file(settings.ca_file)) if tls else None
        reached = _reached(host, port, context, seconds=case.seconds)
        return ok(about, f"{host}:{port} {reached}; nothing was posted")
    except NotSent as error:
        return trouble(about, f"{error.code} {error.message}", mend=f"[notify.{name}]: {error.expected}")
    except ssl.SSLError as exc:
        told = getattr(exc, "verify_message", "") or exc.reason or str(exc)
        cure = f"[notify.{name}] ca_file, or its certificate"
        return trouble(about, f"{host}:{port}: TLS: {told}", mend=cure)
    except OSError as exc:
        told = exc.strerror or str(exc) or "no answer"
        cure = f"`curl -sSI {parts.scheme}://{host}:{port}` from here"
        return trouble(about, f"{host}:{port}: {told}", mend=cure)


def _url_of(settings: Webhook | GitHub, around: Surroundings) -> str:
    """NotSent AL040 where a secret is missing; the token of GitHub is read, too, and not shown."""
    if isinstance(settings, GitHub):
        around.secret("token", file=settings.token_file, variable=settings.token_env)()
        return settings.api
    if settings.url is not None:
        return settings.url
    return around.secret("webhook's URL", file=settings.url_file, variable=settings.url_env)()


def _reached(host: str, port: int, context: ssl.SSLContext | None, *, seconds: float) -> str:
    begun = time.perf_counter()
    with socket.create_connection((host, port), timeout=seconds) as plain:
        if context is None:
            return f"takes connections, {length_of_time(time.perf_counter() - begun)}"
        with context.wrap_socket(plain, server_hostname=host) as encrypted:
            took = length_of_time(time.perf_counter() - begun)
            return f"is reached by {encrypted.version()}, {took}"
