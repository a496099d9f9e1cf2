"""Refusals as they go over the wire, where no app is there to send them."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from siklus.errors import SiklusError
from siklus.serve.refusals import refuse

CLOSE = b"connection: close\r\n"


def said(error: SiklusError, *, last: bool) -> bytes:
    """A refusal as it goes over the wire; the ``last`` one says that the connection ends."""
    answer = refuse(error)
    headers = b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
    return b"".join(
        [STATUS_LINE[answer.status_code], headers, CLOSE if last else b"", b"\r\n", bytes(answer.body)]
    )
