"""Bodies: reading what a client sends, bounded while it streams and refused by its declared form."""

from fastapi import Request
from starlette.requests import ClientDisconnect

from siklus.errors import RequestError

# `curl -d` says the second and a browser's fetch the third when nobody tells them otherwise.
READ_AS_JSON = frozenset({"application/json", "application/x-www-form-urlencoded", "text/plain", ""})


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """The whole body.

    RequestError RQ008 beyond ``max_bytes``, RQ009 for a form that is not read, RQ013 when it breaks off.
    """
    _refuse_other_forms(request)
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


def _refuse_other_forms(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in READ_AS_JSON and not kind.endswith("+json"):
        raise RequestError("RQ009", f"content-type {kind[:60]!r}", expected="application/json")
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        raise RequestError(
            "RQ009", f"content-encoding {packed[:60]!r}", expected="a body that is not compressed"
        )


def _too_large(max_bytes: int) -> RequestError:
    return RequestError("RQ008", "the body is too large", expected=f"at most {max_bytes} bytes")
