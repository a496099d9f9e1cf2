"""What is published: the policy as a file beside the servers, which is all that they ever look at."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from siklus.errors import RegistryError
from siklus.files import disk_errors, write_atomic
from siklus.registry.policy import FORMAT, TrafficPolicy, checked

PUBLISHED = "traffic.json"
LAST_GOOD = "traffic.last-good.json"  # the last one that a server has answered with
LOCK = "traffic.lock"
MAX_BYTES = 1_000_000  # of the file: a policy has a few hundred


def read_policy(file: Path) -> TrafficPolicy:
    """The policy in this file; RegistryError RG015 when it holds none that can be served."""
    wanted = f"a traffic policy of format {FORMAT}, as `siklus traffic set` writes it"
    try:
        with file.open("rb") as content:
            policy = msgspec.json.decode(content.read(MAX_BYTES), type=TrafficPolicy)
        checked(policy.allotment)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise RegistryError("RG015", f"{file}: {exc}", expected=wanted) from exc
    if policy.format != FORMAT:
        raise RegistryError("RG015", f"{file}: format {policy.format}", expected=wanted)
    return policy


def found_policy(file: Path) -> TrafficPolicy | None:
    """The same, or None where there is no such policy."""
    try:
        return read_policy(file)
    except RegistryError:
        return None


def write_policy(policy: TrafficPolicy, file: Path) -> bool:
    """Write it, whole and durably, unless a revision as new is there; whether it was written.

    Any number of processes may call this at once: the newest revision stays.
    """
    with _turn(file.parent / LOCK):
        there = found_policy(file)
        if there is not None and there.revision >= policy.revision:
            return False
        write_atomic(file, msgspec.json.format(msgspec.json.encode(policy), indent=2) + b"\n")
        return True


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait for the lock on ``path``, which the kernel takes back from whoever dies."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
