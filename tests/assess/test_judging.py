"""From facts to levels and scores: what counts how much, what drops when evidence goes, what is said."""

from datetime import timedelta

import pytest

from siklus.assess.facts import Facts, Lens, Trace
from siklus.assess.judging import judged
from siklus.assess.questions import ASK
from siklus.assess.rubrics.catalogue import RUBRICS
from siklus.assess.rubrics.rubric import Criterion, Rubric
from tests.assess.looking import (
    LENS,
    NEEDS,
    NOW,
    SIGNS_ASKED,
    everything,
    scores,
    standings,
    trace,
    values,
)

DAY = timedelta(days=1)


def test_with_everything_seen_lately_every_scale_is_at_its_top() -> None:
    assert values(everything()) == {"google": 2, "microsoft": 4, "ml-test-score": 7}


def test_with_nothing_every_scale_is_at_its_bottom() -> None:
    assert values({}) == {"google": 0, "microsoft": 0, "ml-test-score": 0}


@pytest.mark.parametrize("gone", SIGNS_ASKED)
def test_evidence_that_goes_lowers_only_the_criteria_that_ask_for_it(gone: str) -> None:
    before, after = scores(everything()), scores({s: t for s, t in everything().items() if s != gone})
    lowered = {key for key, score in after.items() if score < before[key]}
    asking = {(name, criterion.key) for name, criterion, need in NEEDS if gone in need}
    alone = {(name, criterion.key) for name, criterion, need in NEEDS if need == (gone,)}
    assert alone <= lowered <= asking
    assert all(after[key] == 0 for key in alone)


@pytest.mark.parametrize("old", [sign for sign in SIGNS_ASKED if not sign.startswith(ASK)])
def test_evidence_that_is_too_old_counts_half_where_it_is_alone(old: str) -> None:
    after = scores({**everything(), old: (trace(old, ago=31 * DAY),)})
    for name, criterion, need in NEEDS:
        if need == (old,):
            assert after[name, criterion.key] == 0.5
        elif old not in criterion.signs:
            assert after[name, criterion.key] == 1


def test_what_was_exercised_counts_in_full_for_as_long_as_is_said() -> None:
    assert LENS.worth(trace("trained", ago=30 * DAY)) == 1
    assert LENS.worth(trace("trained", ago=30 * DAY + timedelta(seconds=1))) == 0.5
    assert Lens(now=NOW, within=90 * DAY).worth(trace("trained", ago=60 * DAY)) == 1


def test_what_happens_only_tomorrow_counts_half_until_the_clock_is_right() -> None:
    assert LENS.worth(trace("trained", ago=-timedelta(hours=20))) == 1
    assert LENS.worth(trace("trained", ago=-400 * DAY)) == 0.5
    assert LENS.told(trace("trained", ago=-400 * DAY)) == "in the future, by this clock"


def test_an_answer_counts_twelve_times_as_long_and_then_not_at_all() -> None:
    assert LENS.worth(trace("ask:privacy", ago=360 * DAY)) == 1
    assert LENS.worth(trace("ask:privacy", ago=361 * DAY)) == 0
    assert LENS.worth(trace("ask:privacy", most=0.5)) == 0.5


def test_what_is_configured_is_worth_half_for_ever() -> None:
    assert LENS.worth(Trace(kind="configured", said="", where="siklus.toml:3")) == 0.5
    halves = {sign: (Trace(kind="configured", said="", where="a file"),) for sign in SIGNS_ASKED}
    assert set(scores(halves).values()) == {0.5}
    assert values(halves) == {"google": 0, "microsoft": 0, "ml-test-score": 3.5}


def test_a_level_counts_only_above_levels_that_are_whole() -> None:
    without = {sign: traces for sign, traces in everything().items() if sign != "contract-held"}
    found = standings({**without, "contract": (trace("contract", ago=31 * DAY),)})["google"]
    assert found.value == 0
    assert found.between == "Level 1 needs 1 more of its 9 criteria (1 half done): Rows are validated."
    assert [sum.points for sum in found.sums] == [8.5, 7]


def test_a_trace_that_meets_two_needs_is_told_once() -> None:
    file = {"workflow": (Trace(kind="configured", said="a pipeline's file", where="ci.yml"),)}
    finding = next(each for each in standings(file)["google"].findings if each.key == "2.2")
    assert [shown.said for shown in finding.evidence] == ["a pipeline's file"]


def test_the_score_is_the_least_of_the_four_sums() -> None:
    kept = {sign: traces for sign, traces in everything().items() if sign not in ("ask:inclusion", "tuned")}
    kept.pop("trials-set")
    found = standings(kept)["ml-test-score"]
    assert {sum.section: sum.points for sum in found.sums} == {
        "data": 7,
        "model": 5,
        "infrastructure": 7,
        "monitoring": 7,
    }
    assert found.value == 5
    assert found.means.startswith("strong")


def toy(points: int) -> Rubric:
    """A score of one section, in half points."""
    criteria = tuple(
        Criterion(
            key=str(i), section="all", title="", asks="", needs=(("trained",) if i < points else ("tuned",),)
        )
        for i in range(14)
    )
    levels = RUBRICS["ml-test-score"].levels
    return Rubric(
        name="ml-test-score",
        title="",
        source="",
        url="",
        criteria=criteria,
        levels=levels,
        sections={"all": "All"},
    )


@pytest.mark.parametrize(
    ("halves", "band"),
    [
        (0, "0"),
        (1, "above 0"),
        (2, "above 0"),
        (3, "above 1"),
        (4, "above 1"),
        (5, "above 2"),
        (6, "above 2"),
        (7, "above 3"),
        (10, "above 3"),
        (11, "above 5"),
    ],
)
def test_bands_are_the_papers(halves: int, band: str) -> None:
    """Table V of Breck et al.: 0; above 0 to 1; above 1 to 2; above 2 to 3; above 3 to 5; above 5."""
    facts = Facts(project="toy", traces={"trained": (trace("trained", ago=40 * DAY),)})
    found = judged(toy(halves), facts, LENS)
    assert found.value == halves / 2
    assert found.name == band


def test_the_cheapest_commands_come_first_and_say_what_they_lift() -> None:
    found = standings({})["ml-test-score"]
    assert len(found.advice) == 3
    assert found.advice[0].command == "siklus assess --ask"
    assert {"Data 3", "Data 5"} <= set(found.advice[0].lifts)


def commands(key: str, *signs: str) -> list[str]:
    """What would lift the ML Test Score's criterion where only these signs are there."""
    findings = standings({sign: (trace(sign),) for sign in signs})["ml-test-score"].findings
    return [gap.command for each in findings if each.key == key for gap in each.gaps]


def test_a_command_that_cannot_work_yet_is_not_advised_but_what_comes_before_it() -> None:
    assert commands("Monitor 3") == ["siklus up"]  # without logged requests there is nothing to prove
    assert commands("Monitor 3", "logged") == ["siklus verify-skew"]
    canary = {"rollout-set": (Trace(kind="configured", said="", where=""),)}
    for there, command in (
        ((), "siklus train"),
        (("trained",), "siklus train --force"),
        (("trained", "former-kept"), "siklus up"),
        (("trained", "former-kept", "live-decided"), "siklus rollout start staging"),
    ):
        found = standings({**canary, **{sign: (trace(sign),) for sign in there}})["ml-test-score"]
        finding = next(each for each in found.findings if each.key == "Infra 6")
        assert [gap.command for gap in finding.gaps] == [command]


def test_what_cannot_be_read_may_be_there_and_holds_nothing_up() -> None:
    facts = Facts(project="line", unknown={"records": "closed"})
    finding = next(f for f in judged(RUBRICS["ml-test-score"], facts, LENS).findings if f.key == "Monitor 3")
    assert [gap.command for gap in finding.gaps] == ["siklus verify-skew"]


def test_where_nothing_can_be_read_it_is_unknown_not_missing() -> None:
    facts = Facts(project="line", unknown={"registry": "TK001 nobody answers"})
    found = judged(RUBRICS["google"], facts, LENS)
    first = found.findings[0]
    assert first.score == 0
    assert first.gaps[0].unknown
    assert first.gaps[0].said == "unknown: TK001 nobody answers"


def test_a_no_is_told_as_an_answer_and_no_command_would_help() -> None:
    no = Trace(kind="answered", said="no, says Rani", where="assess.toml", when=NOW, most=0)
    found = standings({**everything(), "ask:inclusion": (no,)})["ml-test-score"]
    finding = next(each for each in found.findings if each.key == "Model 7")
    assert (finding.score, finding.evidence) == (0, ())
    assert [(gap.said, gap.command) for gap in finding.gaps] == [("answered: no, says Rani", "")]


def test_what_is_old_says_when_it_was() -> None:
    found = standings({**everything(), "skew-disproved": (trace("skew-disproved", ago=45 * DAY),)})
    finding = next(each for each in found["ml-test-score"].findings if each.key == "Monitor 3")
    assert [(gap.said, gap.command) for gap in finding.gaps] == [
        ("the last time was 45 days ago", "siklus verify-skew")
    ]


def test_without_a_setting_the_setting_comes_before_what_follows_from_it() -> None:
    finding = next(each for each in standings({})["ml-test-score"].findings if each.key == "Infra 4")
    assert finding.gaps[0].command.startswith("$EDITOR siklus.toml")
