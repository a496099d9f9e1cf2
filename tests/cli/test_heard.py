"""What people decide by hand is heard by whoever hears of the loop."""

from pathlib import Path

import pytest

from siklus.monitor.alerts.outbox import Outbox
from siklus.registry.control import open_control
from tests.cli.projects import answered


@pytest.fixture
def project(own: Path) -> Path:
    """Versions 1 (production) and 2 (staging); version 1 has all requests."""
    answered("traffic", "set", "--champion", "1", "-C", own)
    return own


def heard(project: Path) -> list[str]:
    """Headlines that wait to be told, the oldest first."""
    with open_control(None, file=project / ".siklus" / "control.db") as control:
        waiting = Outbox(control, "line").waiting()
    return [news.headline for each in waiting for news in each.notification.news]


def test_who_heard_that_a_rollout_began_hears_how_a_person_ended_it(project: Path) -> None:
    assert heard(project) == []
    answered("rollout", "start", "2", "-C", project)
    answered("pause", "-C", project)
    answered("promote", "2", "-C", project)
    assert heard(project) == [
        "rollout 1 begins",
        "rollout 1 is paused",
        "version 2 is promoted",
        "rollout 1 ends",
    ]
