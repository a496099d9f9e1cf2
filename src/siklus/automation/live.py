"""What is decided becomes live: the newest traffic policy is published, and MLflow's stages follow it.

Both are made anew from the control database at every turn until they are done, so a death loses neither.
`python -m siklus.automation.live --project DIR` moves the stages once: MLflow is loaded in that process only.
"""

from collections.abc import Callable
from datetime import datetime

from siklus.project.file import OpenProject
from siklus.registry.control import Control


class Live:
    """One project's published policy and stages. ``tell`` writes one line of the log."""

    def __init__(self, project: OpenProject, control: Control, *, tell: Callable[..., None]) -> None: ...

    def reconcile(self, now: datetime) -> bool:
        """Do what is not done yet; whether all is. Cheap when nothing was decided since. What fails is told,
        and tried again after ever longer, up to 10 minutes; a new decision is tried at once."""
