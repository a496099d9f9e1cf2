"""The lifecycle: whether a worker takes requests for good, or is on its way out."""

import signal

DRAIN = signal.SIGUSR2  # tells a supervisor to drain; unlike SIGTERM, a second one hurries nobody


class Lifecycle:
    """What the signals, threads and requests of one worker know of its end.

    Plain attributes, because the hot path reads them at each request, and signal handlers set them.
    ``listening``: connections are taken in.
    ``draining``: from now on `/ready` says no, and every answer carries `Connection: close`.
    ``replaced``: another worker has the same socket, so what still waits there need not be taken in.
    ``hurried``: what still runs is to be cut off.
    ``failure``: why this worker can never answer, so that its process should end; None where it can.
    """

    def __init__(self) -> None:
        self.listening = False
        self.draining = False
        self.replaced = False
        self.hurried = False
        self.failure: BaseException | None = None

    def drain(self, *, replaced: bool = False) -> None:
        """Answer what is there and what is on its way, then end; asked for twice, end at once.

        To be ``replaced`` meanwhile is no second time. May be called from anywhere, signal handlers too.
        """
        self.hurried = self.hurried or (self.draining and not replaced)
        self.replaced = self.replaced or replaced
        self.draining = True

    def give_up(self, failure: BaseException) -> None:
        """End, because nothing can ever be answered; the first failure is kept."""
        self.failure = self.failure or failure
