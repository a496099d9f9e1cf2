"""A newcomer can read how a rollout stands: what was seen, what it says, and what it waits for."""

import msgspec
import numpy as np

from siklus.automation.rollout.experiment import ArmRows, experiment_result
from siklus.automation.rollout.rollout import Evidence, Phase, Rollout
from siklus.automation.rollout.table import Looked
from siklus.cli.experiment_words import verdict
from siklus.cli.rollout_words import standing
from tests.automation.rollouts import after, failing, losses, rollout, seen, slow, split


def said(of: Rollout, evidence: Evidence | None = None) -> str:
    looked = None if evidence is None else Looked(time=after(minutes=59), evidence=evidence)
    return "\n".join(standing(of, looked, now=after(hours=1)))


def test_one_that_nobody_has_looked_at() -> None:
    told = said(msgspec.structs.replace(rollout(), reason="the June data"))
    assert told.splitlines() == [
        "Rollout 3 is running: version 8 beside version 7, begun 1 h ago by siklus.",
        "Step 1 of 4: version 8 as a shadow, which answers nobody, for 1 h.",
        "Nobody has looked yet: `siklus up` does.",
        "Why: the June data.",
    ]


def test_a_question_is_not_followed_by_a_full_stop() -> None:
    asked = msgspec.structs.replace(rollout(), reason="does it know the new microscope?")
    assert said(asked).endswith("\nWhy: does it know the new microscope?")


def test_one_against_which_nothing_speaks_yet() -> None:
    waiting = msgspec.structs.replace(rollout(step=1), reason="400 of 500 requests on this step")
    found = seen(waiting, 400, quality=losses(-0.3, 0.1), labels=40)
    assert said(waiting, found).splitlines() == [
        "Rollout 3 is running: version 8 beside version 7, begun 1 h ago by siklus.",
        "Step 2 of 4: version 8 with 5 % of the requests, for 1 h.",
        "Seen 1 min ago:",
        "  requests on this step: 400 to version 8, 400 to version 7",
        "  failures: 0 and 0; version 8 is not shown to fail more often",
        "  latency: nothing can be said yet",
        "  quality: on 40 labels its loss is -0.1 beside the other's, between -0.3 and +0.1",
        "Now: 400 of 500 requests on this step.",
    ]


def test_one_that_was_found_worse() -> None:
    over: Phase = "rolled_back"
    lost = msgspec.structs.replace(rollout(step=1), phase=over, standing=("failures", "latency"), reason="r")
    against = {"failures": failing(worse=True), "latency": slow(over=True), "allocation": split(off=True)}
    told = said(lost, seen(lost, **against))
    assert "Rollout 3 is rolled back: version 8 beside version 7" in told
    assert "version 8 fails more often" in told
    assert "99 % of the requests within 10 ms is what is allowed: not kept" in told
    assert "requests do not fall to the two as they should" in told
    assert "Against version 8: it fails more often, it is too slow." in told
    assert told.endswith("Why: r.")


def test_a_bundle_that_is_gone_and_a_clock_that_was_set_back() -> None:
    looked = Looked(time=after(hours=9), evidence=seen(rollout(), unfit="it is gone"))
    told = standing(rollout(), looked, now=after(hours=-1))
    assert "begun just now" in told[0]
    assert "  version 8 cannot be served: it is gone" in told


def errors(count: int, size: float) -> ArmRows:
    """Rows whose predictions are off by 0.9 or 1.1 times this."""
    truth = np.zeros(count)
    return ArmRows(outcomes=truth, predictions=truth + size * np.tile([0.9, 1.1], count // 2))


def test_an_experiment_in_one_sentence() -> None:
    of = rollout(kind="experiment")
    found = experiment_result("mae", challenger=errors(400, 1.0), champion=errors(400, 2.0))
    assert verdict(of, found).startswith(
        "version 8 is better: the mae, row by row, of version 8 is -1 beside that of version 7, between -1.0"
    )
    assert verdict(of, found).endswith("(95 %), on 400 and 400 rows with outcomes")
    few = experiment_result("mae", challenger=errors(4, 1.0), champion=errors(4, 2.0))
    assert "too few to tell" in verdict(of, few)
    off = experiment_result(
        "mae", challenger=errors(4, 1.0), champion=errors(4, 2.0), allocation=split(off=True)
    )
    assert "nothing can be said of either" in verdict(of, off)
