"""What is decided becomes live: the newest traffic policy is published, and MLflow's stages follow it.

Both are made from the control database, again and again until they are done, so a death loses neither.
What needs MLflow is done by a process beside the loop: a registry that hangs keeps no rollback waiting.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, TypeAlias

from siklus.automation.stages import Stages
from siklus.project.file import OpenProject
from siklus.registry.control import Control
from siklus.registry.publish import publish_at_once, trusted_by
from siklus.registry.published import PUBLISHED, found_policy
from siklus.registry.traffic import NOTHING, Traffic

FIRST_WAIT = timedelta(seconds=10)  # after a failure; doubled after each one
LONGEST_WAIT = timedelta(minutes=10)
LONGEST_SECONDS = 600.0  # that a process may take

Tell: TypeAlias = Callable[..., None]


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A process at work. ``does``: the event of its end, and ``fails`` that of another one; ``until``: the
    moment (monotonic) at which it is given up."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]
    does: str
    fails: str
    revision: int
    until: float


class Live:
    """One project's published policy and stages. ``tell`` writes one line of the log."""

    def __init__(self, project: OpenProject, control: Control, *, tell: Tell) -> None:
        self._project = project
        self._tell = tell
        self._traffic = Traffic(control, project.settings.project.name)
        self._stages = Stages(control, project.settings.project.name)
        self._errand: Errand | None = None
        self._tried = NOTHING  # the revision that was not done at the last try
        self._wait = FIRST_WAIT
        self._again: datetime | None = None

    @property
    def busy(self) -> bool:
        """Whether a process is at work, of whose end the next call of `reconcile` may hear."""
        return self._errand is not None

    def reconcile(self, now: datetime) -> bool:
        """Do what is not done yet; whether all is. Cheap when nothing was decided since.

        What servers can learn of without the registry they learn of at once; the rest a process begins to
        do. What fails is told, and tried again ever more seldom, up to each 10 minutes; a new decision is
        tried at once. RegistryError RG010 when the control database does not answer.
        """
        revision = self._traffic.revision()
        self._publish_at_once(revision)
        if self._errand is not None and not self._heard(self._errand, now=now):
            return False
        if revision > self.published():
            todo = ("siklus.registry.publish", "published", "publish_failed")
        elif self._stages.behind():
            todo = ("siklus.automation.stages", "stages_moved", "stages_failed")
        else:
            self._tried, self._again = NOTHING, None
            return True
        # A clock that is set back makes nobody wait for what it says then.
        waits = self._again is not None and now < self._again <= now + LONGEST_WAIT
        if revision != self._tried or not waits:
            self._start(*todo, revision=revision)
        return False

    def close(self) -> None:
        """Leave a process that is at work; the next loop does what it has not done."""
        if self._errand is not None:
            self._errand.process.terminate()
            self._errand.process.wait()
            self._errand.said.close()
            self._errand = None

    def published(self) -> int:
        """The revision that servers here go by, 0 without one."""
        policy = found_policy(self._project.paths.run / PUBLISHED)
        return NOTHING if policy is None else policy.revision

    def _publish_at_once(self, revision: int) -> None:
        if revision <= self.published():
            return
        policy = self._traffic.current()
        # Servers go by the old shares until then, and whatever they count meanwhile counts for the new ones.
        if policy is not None and publish_at_once(
            policy, self._project.paths, trusted=trusted_by(self._project)
        ):
            self._tell("published", revision=policy.revision)

    def _start(self, module: str, does: str, fails: str, *, revision: int) -> None:
        """Run the module once, as a process that takes MLflow away with it."""
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--project", str(self._project.paths.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        until = time.monotonic() + LONGEST_SECONDS
        self._errand = Errand(
            process=process, said=said, does=does, fails=fails, revision=revision, until=until
        )

    def _heard(self, errand: Errand, *, now: datetime) -> bool:
        """Whether it has ended; what became of it is told."""
        late = time.monotonic() > errand.until
        if errand.process.poll() is None:
            if not late:
                return False
            errand.process.kill()
        code = errand.process.wait()
        self._errand = None
        with errand.said as said:
            said.seek(0)
            words = said.read().decode(errors="replace").strip().splitlines()
        if code == 0:
            self._tell(errand.does, revision=errand.revision)
            return True
        ended = words[-1] if words else f"ended with {code}"
        reason = f"not done in {LONGEST_SECONDS:g} s" if late else ended
        self._tell(errand.fails, level="error", revision=errand.revision, reason=reason)
        again = errand.revision == self._tried
        self._wait = min(2 * self._wait, LONGEST_WAIT) if again else FIRST_WAIT
        self._tried, self._again = errand.revision, now + self._wait
        return True
