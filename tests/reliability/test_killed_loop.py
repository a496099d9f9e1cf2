"""kill -9 of the loop, of a training, of a worker, at any point of retrainings and rollouts."""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.figures import Figure
from tests.reliability.agreeing import Story, settled
from tests.reliability.living import Living, living, living_project, until

POINTS = 200
POINTS_IN_CI = 6
LONGEST_PAUSE_SECONDS = 6.0  # between two kills: a turn, a training, a step of a rollout take as long
ROUND_SECONDS = 600.0  # for a retraining and its rollout after the last kill, however busy the machine is
# What a client that was being answered by a killed worker may lose: the requests on its connections.
BROKEN_A_KILL = 4


def one_of(living: Living, kind: str) -> psutil.Process | None:
    """One that is there to be killed."""
    found: Sequence[psutil.Process] = {
        "loop": living.loops,
        "training": living.trainings,
        "worker": living.workers,
    }[kind]()
    return found[0] if found else None


def killed(living: Living, chance: random.Random, points: int) -> dict[str, list[float]]:
    """Kill so many, each at a random moment of the loop's work; when (monotonic) which kind was killed."""
    when: dict[str, list[float]] = {"loop": [], "training": [], "worker": []}
    while sum(map(len, when.values())) < points:
        until(living.is_looping, seconds=ROUND_SECONDS, what=living.log.read_text)
        time.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        there = {kind: process for kind in when if (process := one_of(living, kind)) is not None}
        kind = chance.choice([*there, *(kind for kind in there if kind != "worker")])
        process = there[kind]
        with suppress(psutil.NoSuchProcess):
            process.kill()
            when[kind].append(time.monotonic())
    return when


def begun(living: Living) -> bool:
    """Whether the first retraining has begun: before it there is nothing to lose."""
    return bool(living.said("news"))


def broken(living: Living, kills: Sequence[float]) -> list[str]:
    """Requests that failed at no kill of a worker, which is all that may cost one."""
    return [
        what for at, what in living.world.failed if not any(kill - 1.0 <= at <= kill + 5.0 for kill in kills)
    ]


@pytest.mark.parametrize(
    "points", [POINTS_IN_CI, pytest.param(POINTS, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_whoever_is_killed_what_was_decided_is_done_once(points: int, tmp_path: Path, figure: Figure) -> None:
    folder = living_project(tmp_path / "live")
    chance = random.Random(points)
    with living(folder) as found:
        until(lambda: begun(found), seconds=ROUND_SECONDS, what=found.log.read_text)
        when = killed(found, chance, points)
        before = len(Story(found.project).promoted())
        until(
            lambda: len(Story(found.project).promoted()) > before,
            seconds=ROUND_SECONDS,
            what=lambda: found.log.read_text()[-5000:],
        )
        until(lambda: not settled(found.project), seconds=ROUND_SECONDS, what=lambda: settled(found.project))
        versions = dict(found.world.versions)
        lost = broken(found, when["worker"])
        failed = len(found.world.failed)
    story = Story(found.project)
    story.check()
    assert lost == []
    assert failed <= BROKEN_A_KILL * len(when["worker"])
    kills = ", ".join(f"{len(at)} of a {kind}" for kind, at in when.items())
    many = [len(story.jobs), len(story.rollouts), len(story.promoted())]
    figure(f"{points} kills in retrainings and rollouts", kills)
    figure(f"{points} kills: decisions lost or doubled", f"0 of {len(story.entries)} journal entries")
    figure(f"{points} kills: retrainings, rollouts, promotions", ", ".join(map(str, many)))
    figure(f"{points} kills: requests", f"{sum(versions.values()):,} answered, {failed} failed")
