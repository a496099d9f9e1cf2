"""A mail server that delivers nothing: it takes whatever the sandbox sends, and shows it. Loopback only."""

import socketserver
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

MOST_BYTES = 25_000_000  # of one mail; those of Siklus have a few pictures
MOST_LINE = 4096
IDLE_SECONDS = 30.0


@dataclass(frozen=True)
class Mail:
    """One mail. ``at``: when it was taken, by `time.monotonic`; ``readers``: as the envelope names them."""

    at: float
    readers: tuple[str, ...]
    subject: str
    text: str


class Sink:
    """The mails that came, on ``port``; any thread may ask."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._mails: list[Mail] = []
        self._turn = threading.Lock()

    def take(self, mail: Mail) -> None:
        with self._turn:
            self._mails.append(mail)

    def mails(self) -> Sequence[Mail]:
        with self._turn:
            return tuple(self._mails)


@contextmanager
def open_sink() -> Iterator[Sink]:
    """A mail server on a free port of this machine, closed after the block."""
    server = _Server(("127.0.0.1", 0), _Conversation)
    with server:
        server.sink = Sink(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="mail sink", daemon=True)
        thread.start()
        try:
            yield server.sink
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    sink: Sink


class _Conversation(socketserver.StreamRequestHandler):
    """The commands of RFC 5321 that a sender of mail needs, and no extension of them."""

    timeout = IDLE_SECONDS

    def handle(self) -> None:
        try:
            self._converse()
        except OSError:
            return  # the sender has gone, and it will try again

    def _converse(self) -> None:
        self._say("220 drill.invalid takes mail, and delivers none")
        readers: list[str] = []
        while line := self.rfile.readline(MOST_LINE):
            command = line.split(b":")[0].split()[0:1]
            match command[0].upper() if command else b"":
                case b"EHLO" | b"HELO":
                    self._say("250 drill.invalid")
                case b"MAIL" | b"RSET":
                    readers = []
                    self._say("250 OK")
                case b"RCPT":
                    readers.append(line.decode("utf-8", "replace").partition("<")[2].partition(">")[0])
                    self._say("250 OK")
                case b"DATA":
                    self._say("354 go on")
                    self._take(self._content(), readers)
                    self._say("250 taken")
                case b"NOOP":
                    self._say("250 OK")
                case b"QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("502 no such command here")

    def _content(self) -> bytes:
        """All lines until a lone dot; a dot that begins a line was doubled."""
        content = bytearray()
        while (line := self.rfile.readline(MOST_LINE)) not in (b".\r\n", b""):
            if len(content) < MOST_BYTES:
                content += line.removeprefix(b".") if line.startswith(b"..") else line
        return bytes(content)

    def _take(self, content: bytes, readers: Sequence[str]) -> None:
        message = message_from_bytes(content, _class=EmailMessage, policy=default)
        body = message.get_body(("plain",))
        text = "" if body is None else str(body.get_content()).replace("\r\n", "\n")
        sink = self.server.sink  # type: ignore[attr-defined]  # socketserver knows its server as any
        sink.take(
            Mail(
                at=time.monotonic(),
                readers=tuple(readers),
                subject=str(message["Subject"]).strip(),
                text=text,
            )
        )

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
