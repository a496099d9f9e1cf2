"""`siklus up`"""

import fcntl
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from siklus.automation.telling import receivers_of
from siklus.cli.answering import following, looped
from siklus.cli.launching import (
    HostOption,
    InsecureOption,
    PortOption,
    SocketOption,
    WorkersOption,
    changes_of,
    launch,
    served,
)
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import command_app, remarks
from siklus.cli.policies import current_policy, published_policy
from siklus.cli.progress import TrainingProgress
from siklus.cli.registered import has_registry, registry_of
from siklus.cli.unlearned import unlearned
from siklus.errors import AutomationError
from siklus.files import disk_errors
from siklus.monitor.amounts import amount
from siklus.project.file import OpenProject
from siklus.project.loop import SHADOW
from siklus.project.sections import Serve
from siklus.serve.wire.listening import listening
from siklus.train.run import Training
from siklus.train.setting import setting_of
from siklus.train.steps import Span

LOCK = "up.lock"  # in the run directory: held as long as the server lives, whose process id stands in it
DRAIN_SECONDS = 40.0  # that the workers of one that was killed may still answer
NO_VERSION = 1

app = command_app()


@app.command()
def up(
    project: ProjectOption = HERE,
    host: HostOption = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    uds: SocketOption = None,
    insecure: InsecureOption = False,
) -> int:
    """Run the whole loop until stopped: serve, watch, retrain, roll out or back, and tell what was done.

    Where there is no version yet, the first one is trained. Exit code 1: its gates fail.
    """
    found = opened(project)
    if not found.settings.monitor.enabled:
        what = f"{found.paths.root}: [monitor] enabled = false, and the loop decides on what the watch sees"
        raise AutomationError("AU091", what, expected="enabled = true, or `siklus serve`")
    settings = served(found, changes_of(host=host, port=port, workers=workers, uds=uds, insecure=insecure))
    _hold(found.paths.run / LOCK)
    with listening(settings):
        pass  # a port that somebody has is said before a training takes its time
    if _has_version(found) or _first_version(found):
        words = [*following(found), *looped(found)]
        _introduce(found, settings)
        launch(words, settings, project=found)
    return NO_VERSION


def _hold(path: Path) -> None:
    """Take the project for this process and the server that it becomes. AutomationError AU090 where another
    one has it; the workers of one that was killed are waited for."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    until = time.monotonic() + DRAIN_SECONDS
    while not _locked(handle):
        pid = os.pread(handle, 20, 0).decode(errors="replace").strip()
        if _lives(pid) or time.monotonic() > until:
            raise AutomationError(
                "AU090",
                f"{path}: `siklus up` is already running here, as process {pid or 'unknown'}",
                expected="one at a time",
            )
        time.sleep(0.2)
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    os.set_inheritable(handle, True)  # so that the server, which takes this process over, holds it on


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(pid: str) -> bool:
    """Whether such a process is there. Without a number nobody knows: it has only just begun."""
    with suppress(ProcessLookupError):
        with suppress(PermissionError, ValueError):
            os.kill(int(pid), 0)
        return True
    return False


def _has_version(project: OpenProject) -> bool:
    if published_policy(project) is not None or current_policy(project) is not None:
        return True
    return has_registry(project) and bool(registry_of(project).versions(project.settings.project.name))


def _first_version(project: OpenProject) -> bool:
    """Train it; whether it is registered."""
    told = remarks()
    told.print(f"siklus: {project.settings.project.name} has no version yet: training the first")
    with TrainingProgress() as progress:
        setting = setting_of(project, now=datetime.now(UTC), trigger="siklus up", listen=progress.trial)
        release = Training(setting, span=Span()).run(told=progress.step)
    if release is not None and release.passed:
        told.print(f"siklus: version {release.version} is registered", markup=False)
        return True
    failing = [] if release is None else [gate.name for gate in release.gates if not gate.passed]
    told.print(
        f"siklus: gates fail ({', '.join(failing)}), so there is nothing to serve: `siklus train` shows them",
        markup=False,
    )
    return False


def _introduce(project: OpenProject, settings: Serve) -> None:
    for line in introduction(project, settings):
        print(line)


def introduction(project: OpenProject, settings: Serve) -> list[str]:
    """What happens from now on, in a few lines."""
    retrain, rollout, look = project.settings.retrain, project.settings.rollout, project.settings.monitor.look
    own = settings.port or "a free port, which the log names"
    where = settings.uds if settings.uds is not None else f"http://{settings.host}:{own}"
    steps = [step if step == SHADOW else amount(float(step), "share") for step in rollout.steps]
    triggers = ", ".join(retrain.on) or "nothing but `siklus retrain`"
    way = f"by {', '.join(steps)}, at least {rollout.hold} on each"
    why = unlearned(project)
    return [
        f"{project.settings.project.name} answers at {where}",
        f"  watches    a look every {look}: `siklus watch --once`, `siklus alerts list`",
        f"  retrains   on {triggers}; at most {retrain.per_day} a day, {retrain.cooldown} apart, each after "
        f"{retrain.min_labels:,} new outcomes: `siklus retrain --dry-run`",
        *([f"  BUT        learns nothing from what it answers: {why}"] if why else []),
        f"  rolls out  {way if rollout.automatic else 'by hand: `siklus rollout start VERSION`'}; "
        "back by itself: `siklus rollout`",
        f"  tells      {', '.join(receivers_of(project.settings)) or 'nobody'}; "
        "`siklus history` has all of it",
        "Ctrl-C ends it.",
    ]
