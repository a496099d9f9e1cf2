"""Run: one process that listens, answers until it is told to stop, and ends what it has begun."""

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from siklus.bundle.manifest import read_manifest
from siklus.bundle.read import Bundle
from siklus.errors import ServeError
from siklus.project.sections import Serve
from siklus.serve.app import create_app
from siklus.serve.desk import Desk, open_desk
from siklus.serve.lifecycle import Lifecycle
from siklus.serve.plan import Plan
from siklus.serve.protocol import protocol_of

GRACE_SECONDS = 30  # for requests that are being answered when the server is told to stop
KEEP_ALIVE_SECONDS = 65  # longer than the 60 that proxies keep theirs, so that the proxy closes first
WAITING_CONNECTIONS = 2048  # held by the kernel while the process is busy


def serve(bundle: Bundle | Path | str, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Answer with this bundle, or the one at this path, until stopped; also from a notebook's cell.

    Blocks, and says on stderr where it listens. Errors are those of `serve_bundle`.
    """
    settings = Serve(host=host, port=port)
    if isinstance(bundle, Bundle):
        _run(Plan(serve=settings, bundle=lambda: bundle))
    else:
        serve_bundle(Plan(serve=settings, bundle=Path(bundle)))


def serve_bundle(plan: Plan) -> None:
    """Answer as planned until SIGTERM or Ctrl-C.

    BundleError when the bundle is damaged, ServeError SV003 when nothing can listen at the address.
    """
    if isinstance(plan.bundle, Path):
        read_manifest(plan.bundle)  # a wrong path is said before anything listens
    _run(plan)


def _run(plan: Plan) -> None:
    with listen(plan.serve) as listener, open_desk(plan) as desk:
        server = _Server(_config(desk), desk.lifecycle)
        with _stopped_by_signals(server):
            sys.stderr.write(
                f"siklus: listening on {url_of(listener)}, described at {url_of(listener)}/docs\n"
            )
            _answer_until_stopped(server, listener)
    if desk.lifecycle.failure is not None:
        raise desk.lifecycle.failure


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle

    async def on_tick(self, counter: int) -> bool:
        # A process that can never answer should end: then whatever started it sees that.
        return await super().on_tick(counter) or self._lifecycle.failure is not None


def listen(settings: Serve) -> socket.socket:
    """A socket that takes connections already; ServeError SV003 when the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server(
            (settings.host, settings.port), family=family, backlog=WAITING_CONNECTIONS
        )
    except (OSError, OverflowError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise ServeError(
            "SV003",
            f"cannot listen on {settings.host}:{settings.port}: {reason}",
            expected="an address of this machine and a port that nobody has (0 takes a free one)",
        ) from exc


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(desk: Desk) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(desk),
        http=protocol_of(desk),  # type: ignore[arg-type]  # what makes one will do as well
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,  # neither says what runs here, and in which version
        date_header=False,
        backlog=WAITING_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the serving, and nothing more: the process then goes on and exits with 0.

    uvicorn has handlers of its own while it runs, and afterwards raises what it caught once more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def stop(_signal: int, _frame: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answer_until_stopped(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        server.run(sockets=[listener])
        return
    # A notebook has an event loop in this thread already, and a thread has only one.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="serve")
    thread.start()
    thread.join()
