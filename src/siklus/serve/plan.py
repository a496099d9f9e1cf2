"""The plan: all that a server was started with. Every worker gets the same one, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from siklus.project.paths import Paths
from siklus.project.sections import Records, Serve
from siklus.records.ids import random_key
from siklus.serve.access.rate import RateBoard
from siklus.serve.wire.listening import Listener

if TYPE_CHECKING:
    from siklus.bundle.read import Bundle
    from siklus.bundle.signatures import TrustedKeys


@dataclass(frozen=True, kw_only=True)
class AdminPort:
    """A second socket, at which every worker answers whoever runs the server.

    ``host``: as configured. ``digest``: of the token. ``supervisor``: the process that can stop all of them.
    """

    listener: Listener
    host: str
    digest: bytes = field(repr=False)
    supervisor: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings, what answers, and where the state is kept.

    ``bundle``: the one that is pinned, as a sealed directory or as what opens it; None where the server
    follows the traffic policy in ``state``. ``version``: the registered number of the pinned one.
    ``state``: the state directory; None keeps nothing: no log, and counters that end with the server.
    ``run``: where this server counts, which no other server may do; None: in ``state``. Several servers may
    share a state directory as long as each has a run directory of its own.
    ``key``: signs prediction ids where no state directory has a key; all workers share it.
    ``rates``: where its workers count together how often each key asks.
    ``counters``: where its workers count together (`shelf.shared_counters`); None: each in its own memory.
    ``trusted``: the keys of [serve] trusted_keys, read once when the server starts.
    ``admin``: where all of them answer whoever runs the server; None where nobody is answered there.
    """

    serve: Serve = field(default_factory=Serve)
    records: Records = field(default_factory=Records)
    bundle: "Path | Callable[[], Bundle] | None" = None
    version: str | None = None
    state: Path | None = None
    run: Path | None = None
    key: bytes = field(default_factory=random_key, repr=False)
    rates: RateBoard = field(default_factory=RateBoard, repr=False)
    counters: Path | None = None
    admin: AdminPort | None = None
    trusted: "TrustedKeys | None" = None

    @property
    def own(self) -> Path | None:
        """The directory of what is this server's alone; None where nothing is kept."""
        if self.run is not None or self.state is None:
            return self.run
        return Paths.at(self.state).run
