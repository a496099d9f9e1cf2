"""`python -m tests.automation.dying URL FILE MODEL`: make each decision, killed after each of its statements.

It is made again and again in processes of its own: the first is killed after one statement to the database,
the second after two, until one lives to the end. Told as JSON is, by decision, what was kept before, and
after each of them: how many rollouts, revisions of theirs, policies and entries, and whether it is frozen.
"""

import itertools
import json
import os
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from siklus.registry.control import Control, open_control
from tests.automation.deciding import DECISIONS, World


def told(world: World) -> list[int]:
    found = world.kept()
    revisions = sum(rollout.revision for rollout in found.rollouts)
    return [len(found.rollouts), revisions, len(found.policies), len(found.entries), int(found.frozen)]


def dying(control: Control, world: World, decision: str, *, after: int) -> bool:
    """Whether the process lived through it; ``after``: statements, of which COMMIT is none."""
    control.close()  # no connection is shared; each process makes its own
    child = os.fork()
    if child == 0:
        count = itertools.count(1)

        def kill(*_given: object) -> None:
            if next(count) == after:
                os.kill(os.getpid(), signal.SIGKILL)

        sa.event.listen(sa.Engine, "after_cursor_execute", kill)
        DECISIONS[decision](world)
        sys.exit(0)
    status = os.waitpid(child, 0)[1]
    if status not in (0, signal.SIGKILL):
        raise RuntimeError(f"{decision}: neither done nor killed after {after} statements")
    return status == 0


def died(control: Control, model: str, decision: str) -> list[list[int]]:
    world = World(control, model)
    world.first_policy()
    if decision != "start":
        world.start()
    found = [told(world)]
    for after in itertools.count(1):
        lived = dying(control, world, decision, after=after)
        found.append(told(world))
        if lived:
            break
    return found


def main(url: str, file: str, model: str) -> None:
    with open_control(url or None, file=Path(file)) as control:
        found = {name: died(control, f"{model}-{at}", name) for at, name in enumerate(DECISIONS)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
