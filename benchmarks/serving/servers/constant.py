"""The ceiling: our own server, whose hot path answers a constant.

Sockets, protocol, limits and deadlines are the same. What ours loses against it is what reading a row, the
model, and watching cost.
"""

import argparse
import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from siklus.project.sections import Serve
from siklus.serve.app import create_app
from siklus.serve.desk import Desk, open_desk
from siklus.serve.plan import Plan
from siklus.serve.wire.asks import Caller
from siklus.serve.wire.heads import Head, Heads
from siklus.serve.wire.protocol import Connection, Shared

BODY = (
    b'{"prediction":1,"probability":0.87,"latency_ms":0.021,'
    b'"prediction_id":"019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b","version":"1"}'
)


class ConstantPath:
    """In the place of the hot path."""

    def ask(self, caller: Caller, _head: Head, _body: bytes) -> None:
        caller.answer(BODY)


class ConstantShared(Shared):
    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop, state: ServerState) -> None:
        super().__init__(desk, Heads(desk.guard, desk.settings), loop, state)
        self.hot_path = ConstantPath()


def connect(  # the last four are how uvicorn calls what makes its protocols
    desk: Desk,
    shared: list[ConstantShared],
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> Connection:
    if not shared:  # the first connection: before it there is no loop
        shared.append(ConstantShared(desk, _loop or asyncio.get_running_loop(), server_state))
    return Connection(shared[0], config, server_state, app_state)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bundle", type=Path, required=True, help="for the desk; no request reaches it")
    given = parser.parse_args()
    with open_desk(Plan(serve=Serve(port=given.port), bundle=given.bundle)) as desk:
        config = uvicorn.Config(
            create_app(desk),
            port=given.port,
            http=partial(connect, desk, []),
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
        )
        uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
