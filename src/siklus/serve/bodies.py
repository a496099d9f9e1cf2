"""Bodies: reading what a client sends, bounded while it streams and refused by its declared form."""

from collections.abc import Collection

from fastapi import Request
from starlette.requests import ClientDisconnect

from siklus.errors import RequestError

# `curl -d` says the second and a browser's fetch the third when nobody tells them otherwise.
READ_AS_JSON = frozenset({"application/json", "application/x-www-form-urlencoded", "text/plain", ""})


async def read_body(request: Request, *, max_bytes: int, also: Collection[str] = frozenset()) -> bytes:
    """The whole body. ``also``: content types that are read there beside JSON.

    RequestError RQ008 beyond ``max_bytes``, RQ009 for a form that is not read, RQ013 when it breaks off.
    """
    _refuse_other_forms(request, also)
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise _too_large(max_bytes)
    chunks, size = [], 0
    try:
        # The announced length may be absent or a lie: only what came counts.
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            chunks.append(chunk)
    except ClientDisconnect as exc:
        raise RequestError(
            "RQ013", f"the body broke off after {size} bytes", expected="the whole body"
        ) from exc
    return b"".join(chunks)


def wants_every_class(request: Request) -> bool:
    """Whether `?probabilities=all` stands there; RequestError RQ010 for any other question."""
    for name, value in request.query_params.multi_items():
        if (name, value) != ("probabilities", "all"):
            raise RequestError(
                "RQ010", f"unknown query {name[:40]}={value[:40]}", expected="probabilities=all, or none"
            )
    return bool(request.query_params)


def media_type(content_type: str) -> str:
    """The type alone, without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_read_as_json(content_type: str) -> bool:
    """Whether a body with this header (empty where there is none) is taken for JSON."""
    kind = media_type(content_type)
    return kind in READ_AS_JSON or kind.endswith("+json")


def _refuse_other_forms(request: Request, also: Collection[str]) -> None:
    kind = request.headers.get("content-type", "")
    if not is_read_as_json(kind) and media_type(kind) not in also:
        expected = ", ".join(["application/json", *sorted(also)])
        raise RequestError("RQ009", f"content-type {kind[:60]!r}", expected=expected)
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        raise RequestError(
            "RQ009", f"content-encoding {packed[:60]!r}", expected="a body that is not compressed"
        )


def _too_large(max_bytes: int) -> RequestError:
    return RequestError("RQ008", "the body is too large", expected=f"at most {max_bytes} bytes")
