"""The webhook: whoever has the token asks for a retraining. The loop, where one runs, takes it up."""

import logging
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import anyio.to_thread
import msgspec
from fastapi import Request
from msgspec import Meta, Struct
from starlette.responses import Response

from siklus.errors import RequestError, ServeError
from siklus.project.names import SafeName
from siklus.project.paths import Paths
from siklus.registry.asks import MOST_CHARACTERS, MOST_WAITING, Ask, asks_folder, leave_ask
from siklus.serve.answers import JSON
from siklus.serve.bodies import read_body

BY = "webhook"
MAX_BODY_BYTES = 10_000
EXPECTED = (
    f'nothing, or {{"reason": "…"}} of {MOST_CHARACTERS} characters at most, and an "id" such as "fares-42"'
)

_LOG = logging.getLogger("siklus.serve")


class RetrainCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body. ``id``: by which an ask that is sent again counts once; without it each counts."""

    reason: Annotated[str, Meta(max_length=MOST_CHARACTERS)] = ""
    id: SafeName | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """What is known then: that it waits for the loop."""

    status: str = "asked"
    id: str


async def ask_for_retraining(request: Request, state: Path | None) -> Response:
    """The answer to `POST /retrain`. RequestError RQ045 while too many wait, RQ046 for a body that is none;
    ServeError SV018 for a server without a state directory."""
    if state is None:
        raise ServeError("SV018", "an ask needs a place to wait in", expected="a state directory")
    call = _call(await read_body(request, max_bytes=MAX_BODY_BYTES))
    ask = Ask(
        id=call.id or uuid.uuid4().hex,
        time=datetime.now(UTC),
        by=BY,
        via="webhook",
        reason=" ".join(call.reason.split()),
    )
    if not await anyio.to_thread.run_sync(leave_ask, asks_folder(Paths.at(state)), ask):
        expected = "no more until a loop (`siklus up`) has taken them"
        raise RequestError("RQ045", f"{MOST_WAITING} asks for a retraining wait already", expected=expected)
    _LOG.info("retraining_asked", extra={"id": ask.id})
    return Response(msgspec.json.encode(Asked(id=ask.id)), status_code=202, media_type=JSON)


def _call(body: bytes) -> RetrainCall:
    try:
        return msgspec.json.decode(body, type=RetrainCall) if body.strip() else RetrainCall()
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise RequestError("RQ046", f"this asks for no retraining: {exc}", expected=EXPECTED) from exc
