"""A web service that keeps what is posted to it, and answers as it is told."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Posted:
    path: str
    headers: Message
    document: Any


@dataclass(frozen=True, kw_only=True)
class Reply:
    """``seconds`` pass before it, and ``trickle`` seconds before each byte of its body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    seconds: float = 0.0
    trickle: float = 0.0


@dataclass
class Service:
    """``replies``: to the next requests; a plain 200 to those after them."""

    url: str
    posted: list[Posted] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def service(papers: tuple[Path, Path] | None = None) -> Iterator[Service]:
    """At 127.0.0.1, by https with ``papers``."""
    found = Service(url="")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posted.append(Posted(self.path, self.headers, json.loads(body)))
            reply = found.replies.pop(0) if found.replies else Reply()
            found.ended.wait(reply.seconds)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            for byte in reply.body:
                found.ended.wait(reply.trickle)
                self.wfile.write(bytes([byte]))

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Nothing: whoever waits no longer hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if papers is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*papers)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    found.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
