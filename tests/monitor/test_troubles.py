"""What goes wrong at each look is said, and does not fill the log."""

import pytest
from msgspec import json

from siklus.errors import RegistryError
from siklus.monitor.troubles import AGAIN_SECONDS, Troubles

LOCKED = RegistryError("RG010", "the database is locked", expected="one that answers")
OTHER = RegistryError("RG015", "no policy", expected="a policy")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def said(capfd: pytest.CaptureFixture[str]) -> list[tuple[str, str, str]]:
    lines = [json.decode(line) for line in capfd.readouterr().err.splitlines()]
    return [(line["event"], line["part"], line["code"]) for line in lines]


def test_what_lasts_is_said_once_and_then_now_and_again(capfd: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    troubles = Troubles(clock=clock)
    for _ in range(10):
        troubles.failed("turn_failed", LOCKED, part="look")
        clock.seconds += 5
    assert said(capfd) == [("turn_failed", "look", "RG010")]
    clock.seconds += AGAIN_SECONDS
    troubles.failed("turn_failed", LOCKED, part="look")
    assert said(capfd) == [("turn_failed", "look", "RG010")]


def test_each_part_and_each_problem_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    troubles = Troubles()
    troubles.failed("turn_failed", LOCKED, part="look")
    troubles.failed("turn_failed", LOCKED, part="lease")
    troubles.failed("turn_failed", OTHER, part="look")
    assert said(capfd) == [
        ("turn_failed", "look", "RG010"),
        ("turn_failed", "lease", "RG010"),
        ("turn_failed", "look", "RG015"),
    ]


def test_that_it_is_over_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    troubles = Troubles()
    troubles.done("look")
    troubles.failed("turn_failed", LOCKED, part="look")
    troubles.done("look")
    troubles.done("look")
    troubles.failed("turn_failed", LOCKED, part="look")
    assert said(capfd) == [
        ("turn_failed", "look", "RG010"),
        ("well_again", "look", "RG010"),
        ("turn_failed", "look", "RG010"),
    ]
