"""What was decided becomes live, whoever died meanwhile: published, and MLflow's stages moved."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from siklus.automation.live import Live
from siklus.automation.rollout.rollouts import Rollouts, drafted
from siklus.automation.stages import Stages
from siklus.project.file import OpenProject, open_project
from siklus.project.loop import RolloutPlan
from siklus.registry.control import Control, open_control
from siklus.registry.policy import PolicyArm, everything_to
from siklus.registry.published import PUBLISHED, read_policy
from siklus.registry.traffic import Traffic
from siklus.registry.versions import Registry
from siklus.tracking.mlflow import open_tracking
from tests.cli.projects import answered, variables

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = "http://127.0.0.1:1"  # where no registry listens


@pytest.fixture
def project(own: Path) -> Path:
    """Versions 1 (production) and 2 (staging); version 1 has all requests."""
    answered("promote", "1", "-C", own)
    return own


def stages(project: Path) -> dict[int, str | None]:
    return {version["number"]: version["stage"] for version in answered("models", "-C", project)}


@contextmanager
def reconciling(project: Path, **settings: str) -> Iterator[tuple[Live, Control, OpenProject, list[Any]]]:
    said: list[Any] = []
    with variables({f"SIKLUS_{name}": value for name, value in settings.items()}):
        found = open_project(project, environment={})
        with open_control(None, file=found.paths.control_database) as control:
            live = Live(found, control, tell=lambda event, **fields: said.append((event, fields)))
            yield live, control, found, said
            live.close()


def reconciled(live: Live, now: datetime) -> bool:
    """At this moment, once the processes that it takes have ended."""
    done = live.reconcile(now)
    while live.busy:
        time.sleep(0.05)
        done = live.reconcile(now)
    return done


def challenger(project: Path) -> PolicyArm:
    [version] = [found for found in answered("models", "-C", project) if found["number"] == 2]
    return PolicyArm(name="challenger", version=2, share=0.0, digest=version["digest"])


def begin(control: Control, name: str, arm: PolicyArm) -> None:
    """Decided, and nothing else: as if whoever did had died at once."""
    policy = Traffic(control, name).current()
    assert policy is not None
    Rollouts(control, name).start(drafted(arm, policy=policy, plan=RolloutPlan(), now=NOW))


def test_what_is_decided_is_published_and_staged_once(project: Path) -> None:
    with reconciling(project) as (live, control, found, said):
        name = found.settings.project.name
        assert reconciled(live, NOW)
        assert said == []
        begin(control, name, challenger(project))
        assert reconciled(live, NOW)
        assert read_policy(found.paths.run / PUBLISHED) == Traffic(control, name).current()
        assert stages(project) == {1: "production", 2: "staging"}
        assert [event for event, _ in said] == ["published", "stages_moved"]
        assert reconciled(live, NOW)
        assert len(said) == 2


def test_stages_follow_a_rollout_to_its_end(project: Path) -> None:
    with reconciling(project) as (_live, control, found, _said):
        name, arm = found.settings.project.name, challenger(project)
        moving, rollouts, traffic = Stages(control, name), Rollouts(control, name), Traffic(control, name)
        registry = Registry(open_tracking(found.settings.state.tracking_uri, paths=found.paths))
        assert not moving.behind()
        for by_hand in (False, True):
            begin(control, name, arm)
            moving.move(registry)
            assert stages(project) == {1: "production", 2: "staging"}
            current = rollouts.current()
            assert current is not None
            rollouts.stop(current, by="jane", now=NOW)
            if by_hand:
                registry.promote(name, "2", None)  # what people have done since stays
            assert moving.behind()
            moving.move(registry)
            assert not moving.behind()
            assert stages(project) == {1: "production", 2: None if by_hand else "archived"}
        policy = traffic.current()
        assert policy is not None
        promoted = everything_to(arm, after=policy.allotment)
        traffic.append(promoted, follows=policy.revision, by="jane", now=NOW)
        moving.move(registry)
        assert stages(project) == {1: "archived", 2: "production"}
        champion, former = (
            structs.replace(each, share=0.5) for each in (promoted.champion, policy.allotment.champion)
        )
        shared = structs.replace(promoted, arms=(champion, structs.replace(former, name="former")))
        traffic.append(shared, follows=traffic.revision(), by="jane", now=NOW)
        assert not moving.behind()  # shares alone move none


@pytest.mark.slow
def test_what_fails_is_told_and_tried_ever_more_seldom(project: Path) -> None:
    arm = challenger(project)
    with reconciling(project, STATE__TRACKING_URI=NOBODY) as (live, control, found, said):
        begin(control, found.settings.project.name, arm)
        # Both bundles are here, so servers learn of it without any registry.
        assert not reconciled(live, NOW)
        assert [event for event, _ in said] == ["published", "stages_failed"]
        assert "TK001" in said[-1][1]["reason"]
        assert not reconciled(live, NOW + timedelta(seconds=9))
        assert len(said) == 2
        assert not reconciled(live, NOW + timedelta(seconds=11))
        assert [event for event, _ in said[2:]] == ["stages_failed"]
        assert not reconciled(live, NOW + timedelta(seconds=25))
        assert len(said) == 3
        assert not reconciled(live, NOW - timedelta(days=1))  # the clock was set back
        assert len(said) == 4
