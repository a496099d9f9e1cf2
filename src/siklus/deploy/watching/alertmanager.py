"""Files for Alertmanager: the receivers of [notify.*], and who of them hears of which alert."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from siklus.deploy.drafts import Draft
from siklus.deploy.quoting import checked_duration, one_line
from siklus.deploy.rendering import packaged, render
from siklus.monitor.alerts.rules import Rule
from siklus.project.durations import duration_of
from siklus.project.notify import GitHub, Log, Mail, Webhook
from siklus.project.sections import Project

REPEAT = 4 * 3600  # seconds; what the route at the top says
NEVER = 10 * 365 * 86_400  # seconds: what stands for never, which Alertmanager does not know
RETENTION = 5 * 86_400  # seconds for which Alertmanager remembers what it has told
SENDER = "siklus@localhost"  # who a mail is from where the project names nobody
GROUP_WAIT, GROUP_INTERVAL = "30s", "5m"  # as Alertmanager has them by default


class Sending(Struct, frozen=True, kw_only=True):
    """What only its administrator knows of an Alertmanager. Directories are as it sees them.

    ``project``: what the paths of siklus.toml start from. ``secrets``: where a person puts what siklus.toml
    takes from the environment. ``group_wait`` and ``group_interval``: how long alerts of one group wait for
    others before they are told first, and again.
    """

    project: Path
    secrets: Path
    group_wait: str = GROUP_WAIT
    group_interval: str = GROUP_INTERVAL


class AlertmanagerFiles(Struct, frozen=True, kw_only=True):
    """``remarks``: what a person has still to do or to know, a sentence each."""

    drafts: tuple[Draft, ...]
    remarks: tuple[str, ...]


class _Repeat(Struct, frozen=True, kw_only=True):
    every: str
    alerts: tuple[str, ...]


class _Route(Struct, frozen=True, kw_only=True):
    name: str
    receiver: str
    repeats: tuple[_Repeat, ...]


class _MailTo(Struct, frozen=True, kw_only=True):
    receiver: str
    to: str
    sender: str
    smarthost: str
    user: str | None
    password_file: str | None
    require_tls: bool
    ca_file: str | None
    send_resolved: bool


class _Hook(Struct, frozen=True, kw_only=True):
    receiver: str
    url: str | None
    url_file: str | None
    ca_file: str | None
    send_resolved: bool


def alertmanager_files(project: Project, rules: Sequence[Rule], sending: Sending) -> AlertmanagerFiles:
    """DeployError DP002 for a path that no file could hold, DP007 for what is no duration."""
    job = project.project.name
    mails = [
        _mail(_title(job, name), name, each, sending)
        for name, each in project.notify.items()
        if isinstance(each, Mail)
    ]
    webhooks = [
        _webhook(_title(job, name), name, each, sending)
        for name, each in project.notify.items()
        if isinstance(each, Webhook)
    ]
    routes = [
        _Route(name=name, receiver=_title(job, name), repeats=tuple(_repeats(rules, name)))
        for name, each in project.notify.items()
        if isinstance(each, Mail | Webhook)
    ]
    text = render(
        "watching/alertmanager.yml",
        job=job,
        group_wait=checked_duration(sending.group_wait, what="the group's wait"),
        group_interval=checked_duration(sending.group_interval, what="the group's interval"),
        routes=routes,
        mails=mails,
        webhooks=webhooks,
        long_repeat=any((rule.repeat or NEVER) > RETENTION for rule in rules),
    )
    drafts = (
        Draft(path="alertmanager.yml", text=text),
        Draft(path="siklus.tmpl", text=packaged("templates/watching/siklus.tmpl")),
    )
    return AlertmanagerFiles(drafts=drafts, remarks=tuple(_remarks(project, sending)))


def _title(job: str, name: str) -> str:
    """Several projects may share an Alertmanager."""
    return f"{job}-{name}"


def _repeats(rules: Sequence[Rule], receiver: str) -> Iterator[_Repeat]:
    """What this receiver is told again at another interval than the usual one."""
    found: dict[int, list[str]] = {}
    for rule in rules:
        seconds = NEVER if rule.repeat is None else rule.repeat
        if receiver in rule.receivers and seconds != REPEAT:
            found.setdefault(seconds, []).append(rule.name)
    for seconds, alerts in sorted(found.items()):
        yield _Repeat(every=duration_of(seconds), alerts=tuple(alerts))


def _mail(title: str, name: str, mail: Mail, sending: Sending) -> _MailTo:
    server = mail.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    password = None
    if server.user is not None:
        password = _file(mail.password_file, sending) or _own_secret(name, "password", sending)
    return _MailTo(
        receiver=title,
        to=", ".join(mail.to),
        sender=mail.sender or SENDER,
        smarthost=f"{host}:{server.port}",
        user=server.user,
        password_file=password,
        # It knows no "where it is offered": encryption is a must wherever a password is sent. At port 465 it
        # is spoken from the first byte on, and asking for it again would fail.
        require_tls=not server.tls and (mail.starttls == "required" or _logs_in_encrypted(mail)),
        ca_file=_file(mail.ca_file, sending),
        send_resolved=mail.send_resolved,
    )


def _logs_in_encrypted(mail: Mail) -> bool:
    return mail.server.user is not None and mail.starttls != "off"


def _webhook(title: str, name: str, webhook: Webhook, sending: Sending) -> _Hook:
    url_file = None
    if webhook.url is None:
        url_file = _file(webhook.url_file, sending) or _own_secret(name, "url", sending)
    return _Hook(
        receiver=title,
        url=webhook.url and one_line(webhook.url, what=f"[notify.{name}] url"),
        url_file=url_file,
        ca_file=_file(webhook.ca_file, sending),
        send_resolved=webhook.send_resolved,
    )


def _file(path: str | None, sending: Sending) -> str | None:
    return None if path is None else one_line(str(sending.project / path), what="the file")


def _own_secret(name: str, what: str, sending: Sending) -> str:
    return one_line(str(sending.secrets / f"{name}.{what}"), what="the file")


def _remarks(project: Project, sending: Sending) -> Iterator[str]:
    notify: Mapping[str, object] = project.notify
    for name, each in notify.items():
        match each:
            case Mail(password_env=str(variable)):
                yield f"Put the password of ${variable} alone into {_own_secret(name, 'password', sending)}."
            case Webhook(url_env=str(variable)):
                yield f"Put the URL of ${variable} alone into {_own_secret(name, 'url', sending)}."
            case GitHub() | Log():
                kind = "a GitHub event" if isinstance(each, GitHub) else "a line in our log"
                yield f"[notify.{name}] is left out: Alertmanager cannot send {kind}."
    for name, each in notify.items():
        if isinstance(each, Mail) and each.server.tls and each.server.port != 465:
            yield f"[notify.{name}] speaks TLS from the first byte, which Alertmanager does at port 465 only."
    if not any(isinstance(each, Mail | Webhook) for each in notify.values()):
        yield 'Nobody is told: [notify.NAME] with kind = "mail" or "webhook" names who is.'
    if project.monitor.evaluator == "siklus":
        yield (
            'Siklus sends too as long as [monitor] evaluator is "siklus": set it to "prometheus", '
            "and only Alertmanager does."
        )
