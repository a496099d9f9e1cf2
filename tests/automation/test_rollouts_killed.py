"""A decision that dies between any two statements has not been made; one that lives has been made whole."""

import json
import subprocess
import sys
from pathlib import Path

from tests.tracking.stores import new_name

# rollouts, revisions of their states, policies, journal entries, frozen: before, and after
BEGUN = [1, 1, 2, 1, 0]
COMES_TO = {
    "start": ([0, 0, 1, 0, 0], BEGUN),
    "advance": (BEGUN, [1, 2, 3, 2, 0]),
    "roll_back": (BEGUN, [1, 2, 3, 3, 1]),
    "promote_by_hand": (BEGUN, [1, 2, 3, 3, 0]),
    "roll_back_by_hand": (BEGUN, [1, 2, 3, 4, 1]),
}
# Of each decision: it reads, and it writes to the three tables that there are for it at least.
FEWEST_DEATHS = 5


def test_all_of_a_decision_is_kept_or_nothing(control_url: str | None, tmp_path: Path) -> None:
    place = [control_url or "", str(tmp_path / "control.db"), new_name()]
    command = [sys.executable, "-m", "tests.automation.dying", *place]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    for decision, found in json.loads(done.stdout).items():
        before, whole = COMES_TO[decision]
        assert found[-1] == whole, decision
        assert [kept for kept in found[:-1] if kept != before] == [], decision
        assert len(found) > FEWEST_DEATHS + 1, decision
