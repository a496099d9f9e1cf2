"""Asking a service over HTTP, once: whatever comes of it is a value, and no redirect is followed."""

import http.client
from dataclasses import dataclass, field
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

MOST_BYTES = 16_000_000  # of an answer: golden rows are some dozens
SHOWN_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Asking:
    """``url``: without a slash at its end. ``seconds``: for one answer. ``key``: of the API, where one is
    needed."""

    url: str
    key: str | None = field(default=None, repr=False)
    seconds: float = 10.0


@dataclass(frozen=True)
class Answered:
    """``status``: 0 when there was no answer; ``body`` then says why."""

    status: int
    body: bytes

    def said(self) -> str:
        """In a line, for a person."""
        text = " ".join(self.body.decode("utf-8", "replace").split())[:SHOWN_CHARACTERS]
        return text if self.status == 0 else f"answered {self.status}: {text}"


class _NoRedirects(HTTPRedirectHandler):
    # A key must not travel to where an answer points.
    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = build_opener(_NoRedirects)


def ask(asking: Asking, path: str, body: object | None = None) -> Answered:
    """GET, or POST of ``body`` as JSON."""
    headers = {"User-Agent": "siklus smoke", "Accept": "application/json"}
    if asking.key is not None:
        headers["Authorization"] = f"Bearer {asking.key}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    content = None if body is None else msgspec.json.encode(body)
    # The command line has seen to it that the URL is of http or https.
    request = Request(asking.url + path, data=content, headers=headers)  # noqa: S310
    try:
        with _OPENER.open(request, timeout=asking.seconds) as answer:
            return Answered(answer.status, answer.read(MOST_BYTES))
    except HTTPError as exc:
        with exc:
            return Answered(exc.code, exc.read(MOST_BYTES))
    except URLError as exc:
        return Answered(0, str(exc.reason).encode())
    except (OSError, http.client.HTTPException) as exc:
        return Answered(0, f"{type(exc).__name__}: {exc}".encode())
