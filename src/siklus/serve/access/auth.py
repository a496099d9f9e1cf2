"""Auth: who is let in, by the key that a request brings.

Once a key was added, every call needs one, but for those that only say whether the server is alive. Before,
a server that only its own machine can reach lets everybody in, and any other does not even start.
"""

import ipaddress
import logging
import threading
from collections.abc import Sequence
from hmac import compare_digest

from starlette.datastructures import Headers

from siklus.errors import RequestError, ServeError
from siklus.files import stamp_of
from siklus.project.paths import Paths
from siklus.project.sections import Serve
from siklus.serve.access.keys import ApiKey, digest_of, read_keys
from siklus.serve.access.rate import Rate, RateBoard
from siklus.serve.plan import Plan

AUTHORIZATION, API_KEY = "authorization", "x-api-key"
SCHEME = "bearer"
POLL_SECONDS = 0.5

_LOG = logging.getLogger("siklus.serve")


class KeyRing:
    """The keys at one moment. ``keys``: None lets everybody in, an empty ring nobody."""

    def __init__(self, keys: Sequence[ApiKey] | None, board: RateBoard) -> None:
        self.asks = keys is not None
        self._entries = [(bytes.fromhex(key.sha256), key.name, _rate(key, board)) for key in keys or ()]

    def admit(self, authorization: Sequence[str], api_key: Sequence[str]) -> Rate | None:
        """Whoever sends these headers: the rate that holds for it, None where none does.

        RequestError RQ040, always the same, unless exactly one of them brings a key of the ring.
        """
        if not self.asks:
            return None
        found = self._found(authorization, api_key)
        if found is None:
            raise RequestError(
                "RQ040",
                "a valid API key is needed",
                expected="one header, `Authorization: Bearer KEY`",
            )
        return found[1]

    def client(self, authorization: Sequence[str], api_key: Sequence[str]) -> str | None:
        """The name of the key that these headers bring; None where no keys are asked for."""
        found = self._found(authorization, api_key)
        return None if found is None else found[0]

    def _found(self, authorization: Sequence[str], api_key: Sequence[str]) -> tuple[str, Rate | None] | None:
        secret = secret_of(authorization, api_key)
        digest = digest_of(secret or "")
        # All are looked at, each in constant time: how long it takes tells nothing of any key.
        found = [(name, rate) for known, name, rate in self._entries if compare_digest(known, digest)]
        return None if secret is None or not found else found[0]


class Guard:
    """The ring of one worker, kept at the file in the state directory from `start` until `close`.

    ``ring`` is another object whenever the file has changed. One that cannot be read changes nothing, and
    lets nobody in where it is the first.
    """

    def __init__(self, plan: Plan) -> None:
        self._path = None if plan.state is None else Paths.at(plan.state).keys
        self._board = plan.rates
        self._may_be_open = is_local(plan.serve) or plan.serve.insecure
        self._seen: object = object()  # not even that there is none
        self._told: object = object()  # of what could not be read
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._follow, name="keys", daemon=True)
        self.ring = self._ring(None) if self._path is None else self._ring(())
        self._look()

    def start(self) -> None:
        """Follow the file in a thread: a disk that hangs must not hold up the requests."""
        if self._path is not None:
            self._watch.start()

    def close(self) -> None:
        self._stopped.set()

    def admit(self, headers: Headers) -> None:
        """Let a request in; RequestError RQ040 without a key, RQ041 (`RateExceeded`) with it too often."""
        rate = self.ring.admit(headers.getlist(AUTHORIZATION), headers.getlist(API_KEY))
        if rate is not None and not rate.take():
            raise rate.exceeded()

    def client(self, headers: Headers) -> str | None:
        """Who sends a request that was let in: its key's name, None where no keys are asked for."""
        return self.ring.client(headers.getlist(AUTHORIZATION), headers.getlist(API_KEY))

    def _follow(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        if self._path is None:
            return
        stamp = stamp_of(self._path)
        if stamp == self._seen:
            return
        try:
            self.ring = self._ring(read_keys(self._path))
            self._seen = stamp
        except ServeError as error:  # looked at again, because it may be the descriptors that are used up
            if stamp == self._told:
                return
            self._told = stamp
            _LOG.error("keys_refused", extra={"code": error.code, "reason": error.message})

    def _ring(self, keys: Sequence[ApiKey] | None) -> KeyRing:
        return KeyRing(() if keys is None and not self._may_be_open else keys, self._board)


def is_local(settings: Serve) -> bool:
    """Whether only processes of this machine can reach the server."""
    return settings.uds is not None or is_loopback(settings.host)


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_door(plan: Plan) -> None:
    """ServeError SV013 where anybody could ask without a key, SV014 where the keys cannot be read."""
    keys = None if plan.state is None else read_keys(Paths.at(plan.state).keys)
    if keys or is_local(plan.serve) or plan.serve.insecure:
        return
    raise ServeError(
        "SV013",
        f"other machines can reach {plan.serve.host}, and there is no key that they would need",
        expected="`siklus keys add NAME` first, or --host 127.0.0.1, or --insecure to let everybody in",
    )


def secret_of(authorization: Sequence[str], api_key: Sequence[str]) -> str | None:
    """The key that the headers bring; None where they bring none, or more than one."""
    if len(authorization) + len(api_key) != 1:
        return None
    if api_key:
        return api_key[0]
    scheme, _, secret = authorization[0].partition(" ")
    return secret.strip(" ") if scheme.lower() == SCHEME else None


def _rate(key: ApiKey, board: RateBoard) -> Rate | None:
    if key.requests_per_second is None:
        return None
    return Rate(board, slot=key.slot, per_second=key.requests_per_second)
