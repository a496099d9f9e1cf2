"""Asking a web service one question: whatever comes of it is a value, and no redirect is followed."""

import base64
import contextlib
import json
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from msgspec import Struct

MOST_BYTES = 16_000_000  # of an answer
SHOWN_CHARACTERS = 200


class Answered(Struct, frozen=True, kw_only=True):
    """``status``: 0 where nobody answered, and then ``problem`` says why. ``ahead``: seconds by which this
    machine's clock is before the service's, to the second that HTTP tells; None without a Date."""

    status: int
    body: bytes = b""
    seconds: float = 0.0
    ahead: float | None = None
    problem: str = ""

    @property
    def document(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def said(self) -> str:
        """In a line, for a person."""
        if self.status == 0:
            return self.problem
        text = " ".join(self.body.decode("utf-8", "replace").split())[:SHOWN_CHARACTERS]
        return f"answered {self.status}: {text}"


class _Stay(HTTPRedirectHandler):
    """A redirect is an answer: neither a question nor a key travels to where one points."""

    def redirect_request(self, *_given: Any) -> None:
        return None


def ask(
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    most: int = MOST_BYTES,
) -> Answered:
    """GET ``url``, which is http or https, or POST ``body`` to it; any answer is one, and so is none.

    A name and a password in the URL are sent as HTTP has it, and never told. No more than ``most`` bytes of
    the answer are read.
    """
    begun = time.perf_counter()
    try:
        opener = build_opener(_Stay)
        url, who = _without_password(url)
        request = Request(url, data=body, headers={**who, **(headers or {})})  # noqa: S310 - http or https, says the caller
        with opener.open(request, timeout=seconds) as answer:
            content, status, date = answer.read(most), answer.status, answer.headers.get("Date")
    except HTTPError as exc:
        with exc:
            content, status, date = exc.read(most), exc.code, exc.headers.get("Date")
    except (URLError, HTTPException, OSError, ValueError) as exc:
        reason = exc.reason if isinstance(exc, URLError) else exc
        told = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return Answered(status=0, problem=told)
    took = time.perf_counter() - begun
    return Answered(status=status, body=content, seconds=took, ahead=_ahead(date, took))


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """The URL without whatever stands before an `@`, and the header that says it. ValueError for no URL."""
    parts = urlsplit(url)
    who, at, where = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    token = base64.b64encode(unquote_to_bytes(who if ":" in who else f"{who}:")).decode()
    return parts._replace(netloc=where).geturl(), {"Authorization": f"Basic {token}"}


def _ahead(date: str | None, took: float) -> float | None:
    """Half of the time is the way back; HTTP leaves out the fraction of a second, half of one on average."""
    if date is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        theirs = parsedate_to_datetime(date).timestamp() + 0.5
        return datetime.now().astimezone().timestamp() - took / 2 - theirs
    return None
