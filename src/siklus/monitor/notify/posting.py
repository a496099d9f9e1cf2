"""Posting JSON to a web service: one request, no redirects, and an end to the whole of it."""

import contextlib
import http.client
import json
import math
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from siklus.monitor.notify.deadline import cut_off
from siklus.monitor.notify.receiver import NotSent

READ_BYTES = 2000  # of an answer
SHOWN_CHARACTERS = 200
LONGEST_WAIT = 3600.0  # seconds; a service that asks for more is asked again nevertheless
USER_AGENT = "siklus"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A request. ``url`` and ``headers`` may hold secrets, so no message repeats more than the host."""

    url: str
    document: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Poster:
    """``seconds``: of one whole exchange. ``context`` is asked for at each exchange, by https only."""

    context: Callable[[], ssl.SSLContext]
    seconds: float

    def post(self, letter: Letter, *, now: datetime) -> None:
        """NotSent AL041 to AL044 when the exchange failed, AL047 for an answer other than 2xx, AL048 for a
        redirect. ``now``: from when on a moment named by Retry-After counts."""
        url = urlsplit(letter.url)
        host = url.hostname or ""
        connection = self._connection(host, url.port, tls=url.scheme == "https")
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        body = json.dumps(letter.document).encode()
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Connection": "close"}
        opened: list[socket.socket] = []
        with _said(host, self.seconds), cut_off(self.seconds, lambda: next(iter(opened), connection.sock)):
            try:
                connection.connect()
                # An answer that ends with its connection takes the socket from `connection.sock`.
                opened.append(connection.sock)
                connection.request("POST", target, body=body, headers={**headers, **letter.headers})
                answer = connection.getresponse()
                said = answer.read(READ_BYTES)
            finally:
                connection.close()
        _refuse(answer, said, letter, now=now)

    def _connection(self, host: str, port: int | None, *, tls: bool) -> http.client.HTTPConnection:
        if tls:
            return http.client.HTTPSConnection(host, port, timeout=self.seconds, context=self.context())
        return http.client.HTTPConnection(host, port, timeout=self.seconds)


def _refuse(answer: http.client.HTTPResponse, said: bytes, letter: Letter, *, now: datetime) -> None:
    host = urlsplit(letter.url).hostname
    if 200 <= answer.status < 300:
        return
    if 300 <= answer.status < 400:
        elsewhere = urlsplit(answer.getheader("Location") or "").hostname or "another place"
        told = f"{host}: answered {answer.status}, a redirect to {elsewhere}"
        raise NotSent("AL048", told, expected="the URL where it ends: redirects are not followed")
    text = " ".join(said.decode("utf-8", "replace").split())
    for secret in letter.secrets:
        text = text.replace(secret, "…")
    told = f"{host}: answered {answer.status} {_phrase(answer.status)}: {text[:SHOWN_CHARACTERS]!r}"
    raise NotSent(
        "AL047", told, expected="200 to 299", retry_after=_wait(answer.getheader("Retry-After"), now)
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _wait(asked: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After, which counts them or names a moment."""
    if asked is None:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(asked).astimezone() - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


@contextlib.contextmanager
def _said(host: str, seconds: float) -> Iterator[None]:
    """What http.client and the sockets raise, in our words."""
    try:
        yield
    except ssl.SSLEOFError as exc:
        raise _hung_up(host, seconds) from exc
    except ssl.SSLError as exc:
        told = f"{host}: TLS: {getattr(exc, 'verify_message', '') or exc.reason or exc}"
        raise NotSent("AL043", told, expected=f"a certificate of {host} that is trusted; `ca_file`") from exc
    except (TimeoutError, http.client.HTTPException, ConnectionResetError, BrokenPipeError) as exc:
        raise _hung_up(host, seconds) from exc
    except OSError as exc:
        told = f"{host}: {exc.strerror or exc}"
        raise NotSent("AL042", told, expected="a service that answers there") from exc


def _hung_up(host: str, seconds: float) -> NotSent:
    told = f"{host}: hung up, or took longer than {seconds:g} s"
    return NotSent("AL044", told, expected="a service that answers there")
