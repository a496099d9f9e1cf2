"""[notify.NAME]: who is told of an alert, and how. One frozen struct for each kind.

A password or token never stands in the file: it comes from a file of its own, or from a variable of the
environment. So may a webhook's URL, whose knowledge alone lets anyone write there.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from msgspec import Meta, Struct

from siklus.project.durations import Duration

# `\Z` and not `$`, which would let a newline through behind it: these stand in headers.
ATOM = r"[A-Za-z0-9!#%&'*+/=?^_{|}~-]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = rf"^(?=[^@]{{1,64}}@.{{1,253}}\Z){ATOM}(?:\.{ATOM})*@{LABEL}(?:\.{LABEL})*\Z"
REPOSITORY = r"^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}\Z"
PORTS = {"smtp": 25, "smtps": 465}

Address: TypeAlias = Annotated[
    str, Meta(pattern=ADDRESS, extra_json_schema={"description": "an address such as ops@example.com"})
]
Repository: TypeAlias = Annotated[
    str, Meta(pattern=REPOSITORY, extra_json_schema={"description": "a repository such as owner/name"})
]
EventType: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._-]{1,100}\Z",  # GitHub takes 100 characters at most
        extra_json_schema={"description": "at most 100 letters, digits, ., - and _"},
    ),
]


class SmtpServer(Struct, frozen=True, kw_only=True):
    """What an smtp URL says. ``tls``: spoken from the first byte on (smtps)."""

    host: str
    port: int
    user: str | None
    tls: bool


class Mail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="mail"):
    """kind = "mail": a mail for each notification, to all of ``to``.

    ``starttls``: `auto` encrypts where the server offers it, and insists on it where a user logs in.
    ``ca_file``: certificates to trust beside the system's, in PEM form. ``timeout``: of one whole attempt.
    """

    to: Annotated[tuple[Address, ...], Meta(min_length=1)]
    sender: Address | None = None  # without one: siklus@ this machine's name
    smtp: str = "smtp://localhost:25"
    starttls: Literal["auto", "required", "off"] = "auto"
    password_file: str | None = None
    password_env: str | None = None
    ca_file: str | None = None
    timeout: Duration = "20s"
    send_resolved: bool = True

    @property
    def server(self) -> SmtpServer:
        """The parts of ``smtp``, which reading the project file has found to be right."""
        url = urlsplit(self.smtp)
        return SmtpServer(
            host=url.hostname or "localhost",
            port=url.port or PORTS[url.scheme],
            user=unquote(url.username) if url.username else None,
            tls=url.scheme == "smtps",
        )


class Webhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="webhook"):
    """kind = "webhook": JSON as Slack, Mattermost, Rocket.Chat and Discord (its URL + /slack) take it.

    The URL comes from one of ``url``, ``url_file`` and ``url_env``. ``insecure``: plain http may go to
    another machine.
    """

    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None
    insecure: bool = False
    ca_file: str | None = None
    timeout: Duration = "20s"
    send_resolved: bool = True


class GitHub(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="github"):
    """kind = "github": a `repository_dispatch` event, which starts workflows that wait for ``event_type``.

    ``api``: that of GitHub Enterprise is https://HOST/api/v3. An alert that ends starts nothing by default.
    """

    repository: Repository
    event_type: EventType = "siklus-alert"
    token_file: str | None = None
    token_env: str | None = None
    api: str = "https://api.github.com"
    ca_file: str | None = None
    timeout: Duration = "20s"
    send_resolved: bool = False


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="log"):
    """kind = "log": one line among what the program says of itself."""

    send_resolved: bool = True


Receiver: TypeAlias = Mail | Webhook | GitHub | Log

KINDS: Mapping[str, type[Receiver]] = {"mail": Mail, "webhook": Webhook, "github": GitHub, "log": Log}

# Whoever is told where nothing is declared, under this name.
DEFAULT_RECEIVERS: Mapping[str, Receiver] = {"log": Log()}
