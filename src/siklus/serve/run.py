"""Run: a server in this process, for a notebook's cell or a script; nothing supervises it."""

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siklus.bundle.manifest import read_manifest
from siklus.bundle.read import Bundle
from siklus.project.sections import Serve
from siklus.serve.access.auth import refuse_open_door
from siklus.serve.desk import Desk, open_desk
from siklus.serve.events import listening_sentence
from siklus.serve.lifecycle import Lifecycle
from siklus.serve.plan import Plan
from siklus.serve.supervision.worker import Post, answer
from siklus.serve.wire.listening import listening


def serve(
    bundle: Bundle | Path | str, *, host: str = "127.0.0.1", port: int = 8000, insecure: bool = False
) -> None:
    """Answer with this bundle, or the one at this path, until stopped; also from a notebook's cell.

    Blocks, and says on stderr where it listens. There are no keys here, so ServeError SV013 unless the host
    is this machine's own or ``insecure`` lets everybody in. BundleError when the bundle is damaged, and
    ServeError SV003 when nothing can listen at the address.
    """
    settings = Serve(host=host, port=port, insecure=insecure)
    if isinstance(bundle, Bundle):
        plan = Plan(serve=settings, bundle=lambda: bundle)
    else:
        plan = Plan(serve=settings, bundle=Path(bundle))
        read_manifest(Path(bundle))  # a wrong path is said before anything listens
    refuse_open_door(plan)
    with listening(plan.serve) as (listener,), open_desk(plan) as desk, _stopped_by_signals(desk.lifecycle):
        sys.stderr.write(f"{listening_sentence(listener.url(tls=False))}\n")
        _answer_until_stopped(desk, Post(listener=listener))
    if desk.lifecycle.failure is not None:
        raise desk.lifecycle.failure


@contextmanager
def _stopped_by_signals(lifecycle: Lifecycle) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the serving, and nothing more: the script then goes on."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {
        number: signal.signal(number, lambda _number, _frame: lifecycle.drain())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answer_until_stopped(desk: Desk, post: Post) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        answer(desk, post)
        return
    # A notebook has an event loop in this thread already, and a thread has only one.
    thread = threading.Thread(target=answer, args=(desk, post), name="serve")
    thread.start()
    thread.join()
