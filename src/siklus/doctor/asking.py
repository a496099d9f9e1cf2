"""Asking a web service one question, for its answer, its clock and its pace."""

import contextlib
import json
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from msgspec import Struct

MOST_BYTES = 8_000_000


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


class _Stay(HTTPRedirectHandler):
    """A redirect is an answer: what is asked here must not be asked elsewhere."""

    def redirect_request(self, *_given: Any) -> None:
        return None


def ask(url: str, *, seconds: float, headers: Mapping[str, str] | None = None) -> Answered:
    """GET ``url``, which is http or https; any answer is one, and so is none."""
    begun = time.perf_counter()
    try:
        opener = build_opener(_Stay)
        request = Request(url, headers=dict(headers or {}))  # noqa: S310 - http or https, says the caller
        with opener.open(request, timeout=seconds) as answer:
            body, status, date = answer.read(MOST_BYTES), answer.status, answer.headers.get("Date")
    except HTTPError as exc:
        with exc:
            body, status, date = exc.read(MOST_BYTES), exc.code, exc.headers.get("Date")
    except (URLError, HTTPException, OSError, ValueError) as exc:
        reason = exc.reason if isinstance(exc, URLError) else exc
        told = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return Answered(status=0, problem=told)
    took = time.perf_counter() - begun
    return Answered(status=status, body=body, seconds=took, ahead=_ahead(date, took))


def _ahead(date: str | None, took: float) -> float | None:
    """Half of the time is the way back; HTTP leaves out the fraction of a second, half of one on average."""
    if date is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        theirs = parsedate_to_datetime(date).timestamp() + 0.5
        return datetime.now().astimezone().timestamp() - took / 2 - theirs
    return None
