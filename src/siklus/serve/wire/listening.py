"""Listening: the sockets of a server, made once and kept open, and how they are closed without a loss."""

import ctypes
import os
import select
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from siklus.errors import ServeError
from siklus.project.sections import Serve

WAITING_CONNECTIONS = 2048  # held by the kernel while a worker is busy
SOCKET_MODE_MASK = 0o117  # a socket file is for its owner and group, such as the proxy's

# A program for the kernel's packet filter: drop what asks for a new connection (the SYN flag, in byte 13 of
# the TCP header), let through what belongs to one that has begun.
SYN_FLAG, FLAGS_AT = 0x02, 13
NO_NEW_CONNECTIONS = (
    (0x30, 0, 0, FLAGS_AT),  # load that byte
    (0x45, 0, 1, SYN_FLAG),  # is the flag set?
    (0x06, 0, 0, 0),  # yes: drop
    (0x06, 0, 0, 0xFFFFFFFF),  # no: take it whole
)
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # Python's socket module does not name them


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A socket that takes connections. ``inode``: of the file of a Unix socket, None at a TCP port."""

    socket: socket.socket
    inode: int | None = None

    def url(self, *, tls: bool) -> str:
        """Where to ask: `http://127.0.0.1:8000`, or `unix:/run/siklus.sock`."""
        if self.inode is not None:
            return f"unix:{self.socket.getsockname()}"
        host, port = self.socket.getsockname()[:2]
        scheme = "https" if tls else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def let_nobody_new_in(self) -> None:
        """From now on no connection is begun here; those that have begun still come in.

        Closing at once would cut off who waits, and a client cannot know then whether its request was read.
        """
        if self.inode is not None:
            self.remove_file()
            return
        steps = b"".join(struct.pack("HBBI", *step) for step in NO_NEW_CONNECTIONS)
        program = ctypes.create_string_buffer(steps)
        # A kernel without the filter loses what comes between the last look and the close: microseconds.
        with suppress(OSError):
            self.socket.setsockopt(
                socket.SOL_SOCKET,
                SO_ATTACH_FILTER,
                struct.pack("HP", len(NO_NEW_CONNECTIONS), ctypes.addressof(program)),
            )

    def let_everybody_in(self) -> None:
        """Undo what a worker before may have left behind that let nobody new in at this same socket."""
        if self.inode is None:
            with suppress(OSError):  # there is none to take away, as a rule
                self.socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def remove_file(self) -> None:
        """Take a Unix socket's name away, unless another server has it by now."""
        path = Path(self.socket.getsockname())
        with suppress(FileNotFoundError):
            if path.lstat().st_ino == self.inode:
                path.unlink()

    def close(self) -> None:
        """Let go of it in this process; the socket goes on as long as another one has it."""
        self.socket.close()


@contextmanager
def listening(settings: Serve) -> Iterator[list[Listener]]:
    """One listener a worker, taking connections already. ServeError SV003 when the address cannot be had.

    All workers share one at a Unix socket: then it is there as often. Closed and removed at the end.
    """
    listeners = (
        _tcp_listeners(settings)
        if settings.uds is None
        else [_unix_listener(Path(settings.uds))] * settings.workers
    )
    try:
        yield listeners
    finally:
        for each in listeners:
            if each.inode is not None and each.socket.fileno() >= 0:
                each.remove_file()
            each.close()


def is_readable(descriptor: int) -> bool:
    """Whether a connection waits at this listener, or bytes (or the end) at this connection."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))


def _tcp_listeners(settings: Serve) -> list[Listener]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    shared = settings.workers > 1
    with _refusals(f"{settings.host}:{settings.port}"):
        if shared and settings.port:
            # Sockets that share a port would silently share it with a second server's too.
            socket.create_server((settings.host, settings.port), family=family).close()
        sockets: list[socket.socket] = []
        port = settings.port
        for _ in range(settings.workers):
            sockets.append(
                socket.create_server(
                    (settings.host, port), family=family, backlog=WAITING_CONNECTIONS, reuse_port=shared
                )
            )
            port = sockets[0].getsockname()[1]
    return [Listener(socket=each) for each in sockets]


def _unix_listener(path: Path) -> Listener:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(SOCKET_MODE_MASK)
    try:
        with _refusals(str(path)):
            listener.bind(str(path))
            listener.listen(WAITING_CONNECTIONS)
    except ServeError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return Listener(socket=listener, inode=path.lstat().st_ino)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens at; SV003 for one that is in use and for any other file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if stat.S_ISSOCK(mode) and probe.connect_ex(str(path)) != 0:
            path.unlink()
            return
    what = "another server has it" if stat.S_ISSOCK(mode) else "that is no socket"
    raise ServeError("SV003", f"cannot listen on {path}: {what}", expected="a path that nobody has")


@contextmanager
def _refusals(address: str) -> Iterator[None]:
    """Say what the system refuses as SV003."""
    try:
        yield
    except (OSError, OverflowError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ServeError(
            "SV003",
            f"cannot listen on {address}: {reason}",
            expected="an address of this machine and a port that nobody has (0 takes a free one)",
        ) from exc
