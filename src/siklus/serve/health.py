"""`python -m siklus.serve.health`: whether the server of this container is ready; exit code 0 or 1.

An image needs no curl then. Only the standard library's quickest parts are loaded, since it runs every few
seconds beside a server that has better things to do.
"""

import socket
import sys
from collections.abc import Sequence

from siklus.extras import need

LOOPBACK = "127.0.0.1"
PORT = 8000
SECONDS = 2.0  # to connect, and for each part of the answer
REQUEST = b"GET /ready HTTP/1.0\r\nHost: localhost\r\n\r\n"
USAGE = "usage: python -m siklus.serve.health [--tls] [PORT]\n"


def status_line(port: int, *, tls: bool = False) -> str:
    """The first line of the answer to `GET /ready` on this machine; OSError where nobody answers."""
    with socket.create_connection((LOOPBACK, port), timeout=SECONDS) as plain:
        connection = _encrypted(plain) if tls else plain
        connection.sendall(REQUEST)
        with connection.makefile("rb") as answer:
            return answer.readline(200).decode("latin-1").rstrip()


def _encrypted(connection: socket.socket) -> socket.socket:
    """Whose certificate it is says nothing here: the server is asked by its own machine."""
    ssl = need("ssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    wrapped: socket.socket = context.wrap_socket(connection)
    return wrapped


def main(arguments: Sequence[str]) -> int:
    """0 where it is ready; 1 with what was answered instead; 2 on wrong usage."""
    ports = [word for word in arguments if word != "--tls"] or [str(PORT)]
    if len(ports) > 1 or not ports[0].isdecimal():
        sys.stderr.write(USAGE)
        return 2
    try:
        answered = status_line(int(ports[0]), tls="--tls" in arguments)
    except (OSError, OverflowError) as exc:
        sys.stdout.write(f"no answer: {exc}\n")
        return 1
    sys.stdout.write(f"{answered}\n")
    return 0 if answered.split()[1:2] == ["200"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
