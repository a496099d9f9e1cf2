"""Reading [notify.*]: settings that contradict each other, or would give a secret away, are refused here."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from siklus.errors import ProjectError
from siklus.project.notify import KINDS, PORTS, GitHub, Mail, Receiver, Webhook
from siklus.project.places import Places
from siklus.project.tables import near, read_table

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NAMES = "at most 63 lower-case letters, digits, - and _"
LONGEST_LABEL = 63  # of a host name, RFC 1035
SMTP = "smtp://HOST:25, smtp://USER@HOST:587 or smtps://USER@HOST:465"


def read_receivers(raw: object, places: Places) -> Mapping[str, Receiver]:
    """The receivers by name. ProjectError PJ003 to PJ005, PJ014 for what contradicts itself."""
    if not isinstance(raw, dict):
        raise ProjectError(
            "PJ004", f"{places.at(('notify',))}: notify = {raw!r}", expected="sections [notify.NAME]"
        )
    return {name: _receiver(name, table, places) for name, table in raw.items()}


def _receiver(name: str, raw: object, places: Places) -> Receiver:
    key = ("notify", name)
    where = f"{places.at(key)}: [notify.{name}]"
    if not NAME.fullmatch(name):
        raise ProjectError("PJ004", f"{places.at(key)}: a receiver named {name!r}", expected=NAMES)
    if not isinstance(raw, dict):
        raise ProjectError(
            "PJ004", f"{where} = {raw!r}", expected='a section with `kind = "mail"` or another'
        )
    kind = raw.get("kind")
    if kind is None:
        raise ProjectError("PJ005", f"{where} has no kind", expected=f"kind = one of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        told = f"{places.at((*key, 'kind'))}: [notify.{name}] kind = {kind!r}"
        raise ProjectError("PJ004", told, expected=near(str(kind), list(KINDS)))
    settings = {setting: value for setting, value in raw.items() if setting != "kind"}
    receiver = read_table(settings, KINDS[kind], key, places)
    match receiver:
        case Mail():
            _refuse_unsafe_mail(receiver, where)
        case Webhook():
            _refuse_unsafe_webhook(receiver, where)
        case GitHub():
            _refuse_unsafe_github(receiver, where)
    return receiver


def _refuse_unsafe_mail(mail: Mail, where: str) -> None:
    url = _split(mail.smtp)
    if url is None or url.scheme not in PORTS or url.path.strip("/") or url.query or url.fragment:
        shown = "is no address of a mail server" if "@" in mail.smtp else f"= {mail.smtp!r}"
        raise ProjectError("PJ014", f"{where} smtp {shown}", expected=SMTP)
    if url.password is not None:
        raise ProjectError(
            "PJ014",
            f"{where} smtp holds a password",
            expected="smtp://USER@HOST:587, and the password in `password_file` or `password_env`",
        )
    secrets = _given(password_file=mail.password_file, password_env=mail.password_env)
    if url.username and len(secrets) != 1:
        raise ProjectError(
            "PJ014",
            f"{where} logs in as {url.username!r} with {_told(secrets, 'no password')}",
            expected="one of `password_file` and `password_env`",
        )
    if secrets and not url.username:
        raise ProjectError("PJ014", f"{where} has a password and no user", expected="smtp://USER@HOST:587")
    if url.username and mail.starttls == "off" and url.scheme == "smtp" and not is_loopback(url.hostname):
        raise ProjectError(
            "PJ014", f"{where} would send a password in the clear", expected='starttls = "auto", or smtps://'
        )


def _refuse_unsafe_webhook(webhook: Webhook, where: str) -> None:
    ways = _given(url=webhook.url, url_file=webhook.url_file, url_env=webhook.url_env)
    if len(ways) != 1:
        raise ProjectError(
            "PJ014",
            f"{where} is given {_told(ways, 'no URL')}",
            expected="one of `url_env`, `url_file` and `url`",
        )
    if webhook.url is not None and (problem := unsafe_url(webhook.url, insecure=webhook.insecure)):
        raise ProjectError("PJ014", f"{where} url {problem}", expected="https://HOST/…")


def _refuse_unsafe_github(github: GitHub, where: str) -> None:
    tokens = _given(token_file=github.token_file, token_env=github.token_env)
    if len(tokens) != 1:
        raise ProjectError(
            "PJ014",
            f"{where} is given {_told(tokens, 'no token')}",
            expected="one of `token_env` and `token_file`",
        )
    if problem := unsafe_url(github.api, insecure=False):
        raise ProjectError("PJ014", f"{where} api {problem}", expected="https://HOST/…")


def unsafe_url(text: str, *, insecure: bool) -> str | None:
    """What is wrong with a URL to post to, or None. The URL itself may be a secret and is not repeated.

    >>> unsafe_url("http://chat.example.com/hooks/x", insecure=False)
    'is plain http to another machine'
    """
    url = _split(text)
    if url is None or url.scheme not in {"http", "https"}:
        return "is no http or https URL"
    if url.username is not None or url.password is not None:
        return "holds a user or a password"
    if url.scheme == "http" and not insecure and not is_loopback(url.hostname):
        return "is plain http to another machine"
    return None


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine, by its name alone: no name server is asked."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _split(text: str) -> SplitResult | None:
    """None for what is no URL with a host; `urlsplit` alone drops newlines silently and takes any port."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        url = urlsplit(text)
        # A name server would not even be asked for a label that is empty or too long.
        fit = all(0 < len(label) <= LONGEST_LABEL for label in (url.hostname or "").split("."))
        return url if fit and url.port != 0 else None
    except ValueError:
        return None


def _given(**ways: str | None) -> list[str]:
    return [name for name, value in ways.items() if value is not None]


def _told(given: list[str], nothing: str) -> str:
    return " and ".join(given) or nothing
