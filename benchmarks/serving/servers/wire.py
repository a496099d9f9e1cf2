"""The wire: what the event loop itself allows. Every complete request is answered with the same bytes.

It reads of a request only where it ends, and checks nothing. The difference to `constant` is what our
protocol costs: deadlines, limits, and knowing whether a request is plain.
"""

import argparse

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BODY = b'{"prediction":1,"probability":0.87,"latency_ms":0.021,"prediction_id":"0","version":"1"}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
END_OF_HEADERS = b"\r\n\r\n"


class WireProtocol(HttpToolsProtocol):
    """Takes GET without a body and anything with a Content-Length; pipelined requests too."""

    received = b""

    def data_received(self, data: bytes) -> None:
        waiting = self.received + data if self.received else data
        answers = 0
        while waiting and (size := request_size(waiting)) is not None and len(waiting) >= size:
            waiting = waiting[size:]
            answers += 1
        self.received = waiting
        if answers:
            self.transport.write(ANSWER * answers)


def request_size(received: bytes) -> int | None:
    """Bytes of the first request, headers and body; None while its headers are not complete."""
    end = received.find(END_OF_HEADERS)
    if end < 0:
        return None
    headers = received[:end].lower()
    at = headers.find(b"\r\ncontent-length:")
    body = 0 if at < 0 else int(headers[at + 17 :].split(b"\r\n", 1)[0])
    return end + len(END_OF_HEADERS) + body


async def _no_app(scope: object, receive: object, send: object) -> None:
    """Never called: the protocol answers."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    config = uvicorn.Config(
        _no_app,
        port=port,
        http=WireProtocol,
        loop="uvloop",
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
