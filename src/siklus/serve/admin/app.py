"""Admin: what can be asked of the whole server, and told to it, at the admin port of any of its workers."""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal

import msgspec
from fastapi import FastAPI, Request
from msgspec import Struct
from starlette.responses import Response
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from siklus.errors import RequestError
from siklus.project.paths import Paths
from siklus.registry.published import PUBLISHED
from siklus.serve.admin.port import Gate, admin_tls
from siklus.serve.admin.retrain import ask_for_retraining
from siklus.serve.admin.status import status_of_server
from siklus.serve.answers import JSON
from siklus.serve.app import refuse_in_json
from siklus.serve.desk import Desk
from siklus.serve.lifecycle import DRAIN
from siklus.serve.plan import AdminPort
from siklus.serve.wire.config import config_of
from siklus.serve.wire.heads import NoHeads
from siklus.serve.wire.listening import WAITING_CONNECTIONS
from siklus.serve.wire.protocol import protocol_of

_LOG = logging.getLogger("siklus.serve")


class Told(Struct, frozen=True):
    """What the server does from now on."""

    status: Literal["draining", "reloading"]


class AdminCalls:
    """The handlers. What has to reach every worker goes by what all of them look at anyway."""

    def __init__(self, desk: Desk, port: AdminPort) -> None:
        self._desk = desk
        self._port = port

    # Both take milliseconds: as plain functions they run in a thread.
    def status(self) -> Response:
        return _json(status_of_server(self._desk))

    def metrics(self, request: Request) -> Response:
        accept, lineup = request.headers.get("accept", ""), self._desk.models.lineup
        content, kind = self._desk.metrics.page(accept=accept, lineup=lineup)
        return Response(content, media_type=kind)

    async def drain(self) -> Response:
        """Stop the whole server as SIGTERM does; asked again, it is not hurried."""
        _LOG.info("drain_asked")
        os.kill(self._port.supervisor, DRAIN)
        return _json(Told("draining"), status=202)

    async def retrain(self, request: Request) -> Response:
        """Leave word for the loop that somebody wants a retraining."""
        return await ask_for_retraining(request, self._desk.plan.state)

    def reload(self) -> Response:
        """Have every worker read the published traffic policy again, also one that it has refused before."""
        state = self._desk.plan.state
        if self._desk.plan.bundle is not None or state is None:
            raise RequestError("RQ044", "the bundle is pinned", expected="a server that follows a policy")
        published = Paths.at(state).run / PUBLISHED
        try:
            os.utime(published)  # another moment of change is what they look for
        except FileNotFoundError as exc:
            raise RequestError("RQ044", "no traffic policy is published here", expected="one") from exc
        _LOG.info("reload_asked")
        return _json(Told("reloading"), status=202)


def create_admin_app(desk: Desk, port: AdminPort) -> ASGIApp:
    """The ASGI app of the admin port, with its gate before it."""
    calls = AdminCalls(desk, port)
    handlers: dict[str, tuple[str, Callable[..., object]]] = {
        "/status": ("GET", calls.status),
        "/metrics": ("GET", calls.metrics),
        "/drain": ("POST", calls.drain),
        "/reload": ("POST", calls.reload),
        "/retrain": ("POST", calls.retrain),
    }
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for path, (method, handler) in handlers.items():
        app.add_api_route(path, handler, methods=[method], response_model=None)
    refuse_in_json(app, paths=list(handlers))
    return Gate(app, port)


@asynccontextmanager
async def admin_answering(desk: Desk, *, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Answer at the admin port meanwhile, where there is one."""
    port = desk.plan.admin
    if port is None:
        yield
        return
    state = ServerState()
    connect = partial(
        protocol_of(desk, NoHeads()),
        config=config_of(create_admin_app(desk, port)),
        server_state=state,
        app_state={},
    )
    certified = admin_tls(port, tls)
    server = await asyncio.get_running_loop().create_server(
        connect,
        sock=port.listener.socket,
        ssl=certified,
        ssl_handshake_timeout=None if certified is None else desk.settings.header_seconds,
        backlog=WAITING_CONNECTIONS,
    )
    try:
        yield
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)
