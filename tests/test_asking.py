"""One question over HTTP: what is sent along, what is never told, and what is not followed."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from siklus.asking import ask


class Echo(BaseHTTPRequestHandler):
    """Answers with the Authorization that came; `/away` with a redirect."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "/")
        self.end_headers()
        self.wfile.write((self.headers["Authorization"] or "nobody").encode())

    def log_message(self, *_words: object) -> None:
        """Nothing is logged."""


@contextmanager
def echoing() -> Iterator[str]:
    """`HOST:PORT` of a server that answers by `Echo`."""
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_password_in_the_url_is_sent_as_http_has_it() -> None:
    with echoing() as place:
        assert ask(f"http://{place}/", seconds=5).body == b"nobody"
        told = ask(f"http://robot:p%40ss:word@{place}/", seconds=5).body.decode()
    assert base64.b64decode(told.removeprefix("Basic ")) == b"robot:p@ss:word"


def test_a_redirect_is_an_answer_and_no_password_follows_it() -> None:
    with echoing() as place:
        assert ask(f"http://robot:word@{place}/away", seconds=5).status == 302


def test_no_more_is_read_than_is_asked_for() -> None:
    with echoing() as place:
        assert ask(f"http://{place}/", seconds=5, most=3).body == b"nob"


def test_no_answer_is_a_value_that_tells_no_password() -> None:
    with echoing() as place:
        pass
    found = ask(f"http://robot:word@{place}/", seconds=5)
    assert (found.status, found.said()) == (0, "Connection refused")
    broken = ask("http://robot:word@[::1/", seconds=5)
    assert broken.status == 0
    assert "word" not in broken.said()
