"""`python -m siklus.registry.follow --project DIR`: publishes here what is decided in a database elsewhere.

One process a machine, beside its servers. It survives the database's absence and the registry's, and says
what happens as lines of JSON on stderr. MLflow is loaded by a process of its own, for as long as it takes.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from siklus.errors import RegistryError, SiklusError
from siklus.events import tell
from siklus.project.file import OpenProject, open_project
from siklus.registry.control import control_uri, open_control
from siklus.registry.publish import publish_at_once, trusted_by
from siklus.registry.published import PUBLISHED, found_policy
from siklus.registry.traffic import NOTHING, Traffic

POLL_SECONDS = 2.0
LAST_RETRY_SECONDS = 60.0  # after failures the wait doubles up to this
FETCH_SECONDS = 1800.0  # a bundle of gigabytes over a slow line

Tell: TypeAlias = Callable[..., None]


def follow(project: OpenProject, *, tell: Tell, waited: Callable[[float], bool]) -> None:
    """Publish each new revision, until ``waited``, which waits these seconds, says that it is to stop."""
    wait = POLL_SECONDS
    trouble = ""
    while True:
        try:
            _follow_while_it_answers(project, tell=tell, waited=waited)
            return
        except RegistryError as error:
            wait = POLL_SECONDS if error.code != trouble else min(2 * wait, LAST_RETRY_SECONDS)
            trouble = error.code
            tell("control_unreachable", level="error", code=error.code, reason=str(error))
        if waited(wait):
            return


def _follow_while_it_answers(project: OpenProject, *, tell: Tell, waited: Callable[[float], bool]) -> None:
    url = control_uri(project.settings.state.control, project.paths.root)
    wait = POLL_SECONDS
    with open_control(url, file=project.paths.control_database) as control:
        traffic = Traffic(control, project.settings.project.name)
        tell("following", model=project.settings.project.name, published=_published(project))
        while True:
            revision = traffic.revision()
            if revision > _published(project):
                done = _publish(project, traffic, tell=tell, revision=revision)
                wait = POLL_SECONDS if done else min(2 * wait, LAST_RETRY_SECONDS)
            if waited(wait):
                return


def _publish(project: OpenProject, traffic: Traffic, *, tell: Tell, revision: int) -> bool:
    policy = traffic.current()
    if policy is not None and publish_at_once(policy, project.paths, trusted=trusted_by(project)):
        tell("published", revision=policy.revision)
        return True
    command = [sys.executable, "-m", "siklus.registry.publish", "--project", str(project.paths.root)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        tell("publish_failed", level="error", revision=revision, reason=f"not done in {FETCH_SECONDS:g} s")
        return False
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()
        tell("publish_failed", level="error", revision=revision, reason=reason[-1] if reason else "no word")
        return False
    tell("published", revision=_published(project))
    return True


def _published(project: OpenProject) -> int:
    policy = found_policy(project.paths.run / PUBLISHED)
    return NOTHING if policy is None else policy.revision


def main(arguments: Sequence[str]) -> int:
    """Follow until SIGTERM or Ctrl-C: 0; 2 on a broken project file."""
    parser = argparse.ArgumentParser(prog="python -m siklus.registry.follow", description=__doc__)
    parser.add_argument("--project", type=Path, default=Path(), help="the project's folder")
    given = parser.parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())

    try:
        follow(open_project(given.project, environment=os.environ), tell=tell, waited=stopped.wait)
    except SiklusError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
