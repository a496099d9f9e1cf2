"""What is decided becomes live: the newest traffic policy is published, and MLflow's stages follow it.

Both are made from the control database, again and again until they are done, so a death loses neither.
"""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from siklus.automation.stages import Stages
from siklus.project.file import OpenProject
from siklus.registry.control import Control
from siklus.registry.publish import publish_at_once
from siklus.registry.published import PUBLISHED, found_policy
from siklus.registry.traffic import NOTHING, Traffic

FIRST_WAIT = timedelta(seconds=10)  # after a failure; doubled after each one
LONGEST_WAIT = timedelta(minutes=10)
# That a process may take. Meanwhile nothing is looked at, and a registry that hangs must not stop the loop.
LONGEST_SECONDS = 600.0

Tell: TypeAlias = Callable[..., None]


class Live:
    """One project's published policy and stages. ``tell`` writes one line of the log."""

    def __init__(self, project: OpenProject, control: Control, *, tell: Tell) -> None:
        self._project = project
        self._tell = tell
        self._traffic = Traffic(control, project.settings.project.name)
        self._stages = Stages(control, project.settings.project.name)
        self._tried = NOTHING  # the revision that was not done at the last try
        self._wait = FIRST_WAIT
        self._again: datetime | None = None

    def reconcile(self, now: datetime) -> bool:
        """Do what is not done yet; whether all is. Cheap when nothing was decided since.

        What fails is told, and tried again ever more seldom, up to each 10 minutes; a new decision is tried
        at once. RegistryError RG010 when the control database does not answer.
        """
        revision = self._traffic.revision()
        if revision <= self._published() and not self._stages.behind():
            return True
        if revision == self._tried and self._again is not None and now < self._again:
            return False
        if self._publish(revision) and self._move(revision):
            self._tried, self._again = NOTHING, None
            return True
        self._wait = min(2 * self._wait, LONGEST_WAIT) if revision == self._tried else FIRST_WAIT
        self._tried, self._again = revision, now + self._wait
        return False

    def _published(self) -> int:
        policy = found_policy(self._project.paths.run / PUBLISHED)
        return NOTHING if policy is None else policy.revision

    def _publish(self, revision: int) -> bool:
        if revision <= self._published():
            return True
        policy = self._traffic.current()
        # Servers go by the old shares until then, and whatever they count meanwhile counts for the new ones.
        at_once = policy is not None and publish_at_once(policy, self._project.paths)
        if not at_once and not self._ran("siklus.registry.publish", "publish_failed", revision):
            return False
        self._tell("published", revision=self._published())
        return True

    def _move(self, revision: int) -> bool:
        if not self._stages.behind():
            return True
        if not self._ran("siklus.automation.stages", "stages_failed", revision):
            return False
        self._tell("stages_moved", revision=revision)
        return True

    def _ran(self, module: str, event: str, revision: int) -> bool:
        """Run the module once, as a process that takes MLflow away with it."""
        command = [sys.executable, "-m", module, "--project", str(self._project.paths.root)]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=LONGEST_SECONDS
            )
        except subprocess.TimeoutExpired:
            return self._failed(event, revision, f"not done in {LONGEST_SECONDS:g} s")
        if done.returncode == 0:
            return True
        said = done.stderr.strip().splitlines()
        return self._failed(event, revision, said[-1] if said else f"ended with {done.returncode}")

    def _failed(self, event: str, revision: int, reason: str) -> bool:
        self._tell(event, level="error", revision=revision, reason=reason)
        return False
