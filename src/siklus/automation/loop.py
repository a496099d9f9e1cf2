"""The loop: it looks, decides and carries out, a turn at each look, beside the servers.

Every machine's loop looks; the one that holds the lease decides. What it has decided is in the control
database before anything follows from it, so a loop that dies at any point is gone on with by the next one.
"""

import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from siklus.automation.lease import Lease
from siklus.errors import SiklusError
from siklus.events import tell
from siklus.monitor.drift.joint_look import JointErrand
from siklus.monitor.look import Seen
from siklus.monitor.notify.courier import Delivery
from siklus.monitor.subject import Pinned
from siklus.monitor.watch import Watch, replica_of
from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject
from siklus.registry.control import Control

LEASED_LOOKS = 3  # that the holder may miss before another machine decides
LEASED_SECONDS = 60.0  # at least: a look at a wide table takes its time


Done = TypeVar("Done")


class Turn(Struct, frozen=True, kw_only=True):
    """What became of one turn. ``seen``: None where the look failed; ``decided``: this loop has the lease."""

    seen: Seen | None
    decided: bool


class Loop:
    """One project's loop. Opened once, then a turn at each look."""

    def __init__(
        self,
        project: OpenProject,
        control: Control,
        *,
        environment: Mapping[str, str],
        pinned: Pinned | None = None,
        joint: JointErrand | None = None,
    ) -> None:
        """AlertError for rules that cannot be; ``environment`` may hold the receivers' secrets."""
        self._watch = Watch(project, control, environment=environment, pinned=pinned, joint=joint)
        every = seconds_of(project.settings.monitor.look)
        self._lease = Lease(
            control,
            project.settings.project.name,
            holder=holder_of(project),
            seconds=max(LEASED_LOOKS * every, LEASED_SECONDS),
        )

    @property
    def busy(self) -> bool:
        """Whether a training or a rollout is under way, so that the next turn may well come sooner."""
        return False

    def turn(self, *, now: datetime) -> Turn:
        """Look, and where this loop has the lease, decide. A part that fails is said, and others go on."""
        seen = _tried("look", lambda: self._watch.look(now=now))
        decided = bool(_tried("lease", self._lease.held))
        return Turn(seen=seen, decided=decided)

    def deliver(self, *, now: datetime, wait: float) -> Delivery:
        """Hand out what waits to be told; takes no longer than ``wait`` seconds."""
        return self._watch.deliver(now=now, wait=wait)

    def close(self) -> None:
        """Let go of the lease."""
        _tried("lease", self._lease.release)


def holder_of(project: OpenProject) -> str:
    """This machine's loop among all of the model: the state's name, which outlives a process."""
    return f"{replica_of(project.paths.run)}@{socket.gethostname()}"


def _tried(part: str, act: Callable[[], Done]) -> Done | None:
    try:
        return act()
    except SiklusError as error:
        tell("turn_failed", level="error", part=part, code=error.code, reason=str(error))
        return None
