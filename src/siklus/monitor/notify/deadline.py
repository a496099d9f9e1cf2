"""A deadline for a whole exchange: a socket's own timeout starts anew with each byte that trickles in."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

AGAIN_SECONDS = 0.2  # until it is cut off once more: a connection may come up after its time was over


@contextlib.contextmanager
def cut_off(seconds: float, socket_of: Callable[[], socket.socket | None]) -> Iterator[threading.Event]:
    """Cut the exchange's connection ``seconds`` from now, unless the block has ended; the event says so."""
    ended, late = threading.Event(), threading.Event()

    def watch() -> None:
        pause = seconds
        while not ended.wait(pause):
            late.set()
            if (found := socket_of()) is not None:
                # The plain socket's: that of TLS would take the other thread its connection from under it.
                with contextlib.suppress(OSError):  # not connected yet, or not any more
                    socket.socket.shutdown(found, socket.SHUT_RDWR)
            pause = AGAIN_SECONDS

    threading.Thread(target=watch, name="deadline", daemon=True).start()
    try:
        yield late
    finally:
        ended.set()
