"""Following: the lineup is kept at the published traffic policy, whatever else is gone or damaged.

A worker looks at one file only. What the file names is opened, verified, warmed and held against its golden
rows beside the lineup that answers, and takes its place when all of it is ready.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias

from siklus.bundle.read import Bundle, open_cached
from siklus.bundle.signatures import TrustedKeys
from siklus.errors import FileError, RegistryError
from siklus.files import stamp_of
from siklus.project.paths import Paths
from siklus.registry.policy import PolicyArm, TrafficPolicy
from siklus.registry.published import LAST_GOOD, PUBLISHED, read_policy, write_policy
from siklus.registry.sticky import parse_sticky
from siklus.serve.traffic.lineup import Arm, Lineup, Served
from siklus.serve.traffic.models import Models, Pending, code_of, opened

POLL_SECONDS = 0.5
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0  # the wait doubles up to this

Loaded: TypeAlias = tuple[TrafficPolicy, Lineup]

_LOG = logging.getLogger("siklus.serve")


class Follower:
    """Follows the policy in ``state`` in threads of its own, from `start` until `close`.

    ``prepare`` is called, in its thread, with each bundle that was opened and will answer soon. ``trusted``:
    who must have signed it.
    """

    def __init__(
        self, state: Path, *, prepare: Callable[[Bundle], None], trusted: TrustedKeys | None = None
    ) -> None:
        paths = Paths.at(state)
        self.models = Models()
        self._bundles = paths.bundles
        self._published, self._last_good = paths.run / PUBLISHED, paths.run / LAST_GOOD
        self._prepare, self._trusted = prepare, trusted
        self._stopped = threading.Event()
        # A future keeps whatever goes wrong in its thread: no bundle can end the following.
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")
        self._watch = threading.Thread(target=self._follow, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin to load, and come back at once: the server is alive meanwhile."""
        self._watch.start()

    def close(self) -> None:
        """Follow no longer; a load that has begun is given up with the process."""
        self._stopped.set()

    def _follow(self) -> None:
        seen: object = object()  # not even that there is none
        due = wait = 0.0
        while not self._stopped.is_set():
            stamp, now = stamp_of(self._published), time.monotonic()
            if stamp != seen:
                seen, due, wait = stamp, now, FIRST_RETRY_SECONDS
            if now >= due:
                due = math.inf if self._turn() else now + wait
                wait = min(2 * wait, LAST_RETRY_SECONDS)
            self._stopped.wait(POLL_SECONDS)
        self._loader.shutdown(wait=False)

    def _turn(self) -> bool:
        """Load what is published and let it answer; False, with the lineup as it was, when that fails."""
        self.models.pending = Pending(revision=None)
        loading = self._attempt(self._published)
        failure = loading.exception()
        if failure is not None:
            self._refused(failure)
            if self.models.lineup is None:
                self._fall_back()
            if self.models.lineup is None:
                self.models.fail(failure)
            return False
        self.models.pending = None
        policy, lineup = loading.result()
        before = self.models.lineup
        if before is None or policy.revision != before.revision:
            self.models.put(lineup)
            _LOG.info("traffic_live", extra={"revision": policy.revision})
            self._remember(policy)
        return True

    def _fall_back(self) -> None:
        """With nothing sound published since the start: what was last answered with."""
        loading = self._attempt(self._last_good)
        if loading.exception() is None:
            policy, lineup = loading.result()
            self.models.put(lineup)
            _LOG.warning("traffic_last_good_live", extra={"revision": policy.revision})

    def _attempt(self, file: Path) -> Future[Loaded]:
        """Ended when it comes back, well or not."""
        loading = self._loader.submit(self._load, file)
        loading.exception()
        return loading

    def _load(self, file: Path) -> Loaded:
        policy = read_policy(file)
        if file == self._published:
            self.models.pending = Pending(revision=policy.revision)
        before = self.models.lineup
        ready = {} if before is None else {_name(arm.served.bundle): arm.served for arm in before.everybody}
        return policy, lineup_of(policy, partial(self._served, ready))

    def _served(self, ready: dict[tuple[str, str], Served], arm: PolicyArm) -> Served:
        """The one that answers already, or a new one."""
        there = ready.get((arm.digest, str(arm.version)))
        if there is not None:
            return there
        load = partial(
            open_cached, arm.digest, self._bundles, version=str(arm.version), trusted=self._trusted
        )
        return opened(load, prepare=self._prepare)

    def _refused(self, failure: BaseException) -> None:
        pending = self.models.pending
        revision = None if pending is None else pending.revision
        self.models.pending = Pending(revision=revision, code=code_of(failure))
        told = {"revision": revision, "code": code_of(failure), "reason": str(failure)}
        _LOG.error("traffic_refused", extra=told)

    def _remember(self, policy: TrafficPolicy) -> None:
        """Keep the policy that has just been proved, for a start from nothing else."""
        try:
            write_policy(policy, self._last_good)
        except (FileError, OSError) as exc:
            _LOG.warning("traffic_not_kept", extra={"revision": policy.revision, "reason": str(exc)})


def lineup_of(policy: TrafficPolicy, served: Callable[[PolicyArm], Served]) -> Lineup:
    """The policy with its bundles opened; ``served`` is called once for each arm and shadow."""
    allotment = policy.allotment
    arms = [_arm(arm, served) for arm in allotment.arms]
    if len({arm.served.bundle.manifest.task for arm in arms}) > 1:
        raise RegistryError("RG016", "the versions answer different tasks", expected="one task")
    return Lineup(
        revision=policy.revision,
        champion=arms[0],
        challengers=tuple(arms[1:]),
        shadows=tuple(_arm(shadow, served) for shadow in allotment.shadows),
        sticky=None if allotment.sticky is None else parse_sticky(allotment.sticky),
        salt=allotment.salt,
    )


def _arm(arm: PolicyArm, served: Callable[[PolicyArm], Served]) -> Arm:
    return Arm(name=arm.name, share=arm.share, served=served(arm))


def _name(bundle: Bundle) -> tuple[str, str]:
    """Digest and number, by which a policy knows it."""
    return bundle.path.name, bundle.version
