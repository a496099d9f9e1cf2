"""Mail servers to send to: a real one that keeps what it takes, and others that misbehave as told."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.monitor.notices import free_port

USER, PASSWORD = "ops@example.com", "correct horse"


@dataclass
class Sink:
    """``refusals``: what it says to the next readers it is asked for; "" takes one."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    readers: list[tuple[str, ...]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    on_mail: Callable[[], None] = lambda: None

    # aiosmtpd finds its handlers by these names.
    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        said = self.refusals.pop(0) if self.refusals else ""
        if not said:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    # Likewise.
    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.readers.append(tuple(envelope.rcpt_tos))
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        self.on_mail()
        return "250 taken"

    def let_in(self, _server: SMTP, _session: Any, _envelope: Any, _way: str, given: Any) -> AuthResult:
        known = isinstance(given, LoginPassword) and given.password.decode() == PASSWORD
        if known:
            self.users.append(given.login.decode())
        return AuthResult(success=known, handled=False)


@contextmanager
def sink(
    papers: tuple[Path, Path] | None = None, *, smtps: bool = False, login: bool = False
) -> Iterator[Sink]:
    """With ``papers`` it offers STARTTLS, or speaks TLS from the first byte (``smtps``)."""
    found = Sink(port=free_port())
    options: dict[str, Any] = {}
    if papers is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*papers)
        options["ssl_context" if smtps else "tls_context"] = context
    if login:
        # aiosmtpd counts only STARTTLS as encrypted, and warns of a login without it.
        options |= {"authenticator": found.let_in, "auth_required": not smtps, "auth_require_tls": not smtps}
    controller = Controller(found, hostname="127.0.0.1", port=found.port, **options)
    controller.start()
    try:
        yield found
    finally:
        controller.stop()


Line = str | bytes | float  # what it says; or for how many seconds it says nothing


@contextmanager
def scripted(
    greeting: Sequence[Line], answers: dict[str, Sequence[Line]], *, accept: bool = True
) -> Iterator[int]:
    """A server that says what it is told, to each command by its first word, and hangs up after "bye".

    Under "." stands what it says to a mail's end. To other commands it says "250 OK". Yields its port.
    """
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                _converse(connection, greeting, answers, stop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        if accept:
            thread.start()
        yield listener.getsockname()[1]
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
    if accept:
        thread.join()


def _converse(
    connection: socket.socket,
    greeting: Sequence[Line],
    answers: dict[str, Sequence[Line]],
    stop: threading.Event,
) -> None:
    try:
        if not _say(connection, greeting, stop):
            return
        heard = connection.makefile("rb")
        in_mail = False
        for line in heard:
            word = line.split()[0].decode().upper() if line.split() else ""
            if in_mail and line != b".\r\n":
                continue
            usual = ["354 go on"] if word == "DATA" else ["250 OK"]
            in_mail = word == "DATA"
            if not _say(connection, answers.get(word, usual), stop):
                return
    except OSError:
        return  # the other end has gone


def _say(connection: socket.socket, lines: Sequence[Line], stop: threading.Event) -> bool:
    """False once it is to hang up."""
    for line in lines:
        match line:
            case float():
                stop.wait(line)
            case "bye":
                return False
            case bytes():
                connection.sendall(line)
            case _:
                connection.sendall(f"{line}\r\n".encode())
    return not stop.is_set()
