"""The admin port: a second socket for whoever runs the server, and who may ask there.

It listens to this machine only, unless another address is named. But a web page that somebody here looks at
can send requests to this machine as well; so each one must bring the token, name this host as its host (a
name that is made to point here does not, as in DNS rebinding), and come from no other origin.
"""

import hmac
import os
import re
import secrets
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from siklus.errors import RequestError, ServeError
from siklus.files import write_once
from siklus.project.paths import Paths
from siklus.project.sections import Serve
from siklus.serve.access.auth import is_loopback, secret_of
from siklus.serve.access.keys import OWNER_ONLY, SECRET_BYTES, digest_of
from siklus.serve.plan import AdminPort
from siklus.serve.refusals import refuse
from siklus.serve.wire.listening import listening

PREFIX = "sa_"
OTHERS = 0o077  # the permissions of everybody but the owner

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


class Gate:
    """Lets in who may ask at the admin port, at any path and by any method, and refuses everybody else."""

    def __init__(self, app: ASGIApp, port: AdminPort) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._admit(Headers(scope=scope), scheme=scope["scheme"])
        except RequestError as error:
            await refuse(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _admit(self, headers: Headers, *, scheme: str) -> None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise _foreign("another host is asked for", "localhost, or the address that the port listens on")
        if origins not in ([], [f"{scheme}://{hosts[0]}"]):
            raise _foreign("another page asks", "a request from no page, or from one of this port")
        secret = secret_of(headers.getlist("authorization"), [])
        if not hmac.compare_digest(digest_of(secret or ""), self._port.digest):
            wanted = "`Authorization: Bearer TOKEN` with the content of admin.token"
            raise RequestError("RQ043", "the admin token is needed", expected=wanted)

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        name = "" if found is None else found[1].strip("[]").lower()
        return is_loopback(name) or name == self._port.host.lower()


@contextmanager
def admin_listening(settings: Serve, state: Path | None) -> Iterator[AdminPort | None]:
    """The admin port, taking connections already; None where none is wanted.

    ServeError SV003 when the address cannot be had, SV018 without a state directory, SV019 for a token file
    that others can read, SV023 for an address that others reach, without TLS.
    """
    if settings.admin_port is None:
        yield None
        return
    if state is None:
        raise ServeError("SV018", "[serve] admin_port: its token needs a place", expected="a state directory")
    if not (is_loopback(settings.admin_host) or settings.tls_certificate or settings.insecure):
        raise ServeError(
            "SV023",
            f"the admin token would travel to {settings.admin_host} for all to read",
            expected="[serve] admin_host = 127.0.0.1, TLS files, or --insecure",
        )
    digest = digest_of(admin_token(Paths.at(state).admin_token))
    place = msgspec.structs.replace(
        settings, host=settings.admin_host, port=settings.admin_port, uds=None, workers=1
    )
    with listening(place) as (listener,):
        yield AdminPort(listener=listener, host=settings.admin_host, digest=digest, supervisor=os.getpid())


def admin_tls(port: AdminPort, tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """TLS is for those who come from elsewhere: the server's certificate does not name this machine."""
    return None if is_loopback(port.host) else tls


def admin_token(path: Path) -> str:
    """The token in the file, which is made with a new one if it is not there; ServeError SV019."""
    if not path.exists():
        write_once(path, f"{PREFIX}{secrets.token_urlsafe(SECRET_BYTES)}\n", mode=OWNER_ONLY)
    try:
        mode, token = stat.S_IMODE(path.stat().st_mode), path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ServeError("SV019", f"{path}: {exc}", expected="a file of the server's own user") from exc
    if mode & OTHERS:
        raise ServeError("SV019", f"{path}: others can read it (mode {mode:o})", expected="mode 600")
    if len(token) < SECRET_BYTES:
        raise ServeError("SV019", f"{path}: no token", expected="the file removed: a new one will be made")
    return token


def _foreign(message: str, expected: str) -> RequestError:
    return RequestError("RQ042", message, expected=expected)
