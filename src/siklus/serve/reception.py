"""Reception: a request becomes its body and the call that the data plane needs to know of."""

import time
from collections.abc import Collection

from fastapi import Request

from siklus.project.sections import Serve
from siklus.serve.bodies import read_body
from siklus.serve.plane import DEALT_TO, Call
from siklus.serve.wire.patience import HEADER, patience_of


async def received(
    request: Request,
    settings: Serve,
    endpoint: str,
    *,
    also: Collection[str] = frozenset(),
    inline: bool = False,
    version: str | None = None,
) -> tuple[bytes, Call]:
    """The whole body, and its call. RequestError as `bodies.read_body`, which explains ``also``, or RQ017.

    ``inline`` and ``version`` are those of `plane.Call`.
    """
    patience = patience_of(request.headers.get(HEADER))
    body = await read_body(request, max_bytes=settings.max_body_bytes, also=also)
    call = Call(
        endpoint=endpoint,
        size=len(body),
        started=time.perf_counter(),
        headers=request.headers,
        version=version,
        patience=patience,
        inline=inline,
        dealt_to=request.scope.get("state", {}).get(DEALT_TO),
    )
    return body, call


def elapsed(call: Call) -> float:
    """Seconds since the body was there."""
    return time.perf_counter() - call.started
