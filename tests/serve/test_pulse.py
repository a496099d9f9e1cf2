"""Pulse: what tells a worker that is stuck from one that works hard, and from a machine that is crowded."""

import pytest

from siklus.serve.supervision.board import Phase
from siklus.serve.supervision.pulse import Pulse, Sight, is_stuck

LOOK = 0.1
BODY = 16_000_000
NEAR = 0.35  # of a few looks


def seconds_until_stuck(
    *, used: float, waits: bool = False, phase: Phase = Phase.SERVING, body: int = BODY
) -> float | None:
    """Of silence, while each second uses so much processor time; None if two minutes are not enough."""
    pulse, processor = Pulse(beat=1), 0.0
    for look in range(1, 1200):
        processor += used * LOOK
        pulse = pulse.after(LOOK, beat=1, sight=Sight(processor_seconds=processor, waits=waits))
        if is_stuck(pulse, phase, max_body_bytes=body):
            return round(look * LOOK, 1)
    return None


def test_a_stopped_or_blocked_worker_is_known_within_a_second() -> None:
    assert seconds_until_stuck(used=0) == pytest.approx(0.8, abs=NEAR)


def test_a_worker_that_turns_in_a_circle_gets_five_seconds_of_the_processor() -> None:
    assert seconds_until_stuck(used=1) == pytest.approx(5, abs=NEAR)
    assert seconds_until_stuck(used=0.5, waits=True) == pytest.approx(10, abs=NEAR)


def test_larger_bodies_may_take_longer() -> None:
    assert seconds_until_stuck(used=1, body=4 * BODY) == pytest.approx(20, abs=NEAR)


def test_a_crowded_machine_is_not_held_against_a_worker() -> None:
    assert seconds_until_stuck(used=0, waits=True) == pytest.approx(15, abs=NEAR)


def test_a_model_may_take_long_to_load_while_it_does_something() -> None:
    assert seconds_until_stuck(used=1, phase=Phase.LOADING) is None
    assert seconds_until_stuck(used=0, phase=Phase.LOADING) == pytest.approx(1.5, abs=NEAR)


def test_a_beat_makes_up_for_everything() -> None:
    pulse = Pulse(beat=1, silent=9, still=9, burnt=9)
    assert pulse.after(LOOK, beat=2, sight=None) == Pulse(beat=2)
