"""The scales as data: they are those of their sources, and everything they name is there."""

from collections import Counter

import pytest

from siklus.assess.questions import ASK, HOW, QUESTIONS, YES_OR_NO
from siklus.assess.rubrics.catalogue import RUBRICS
from siklus.assess.rubrics.rubric import Criterion
from siklus.assess.signs import SIGNS
from siklus.cli.main import COMMANDS
from tests.architecture.source import ROOT
from tests.assess.looking import SIGNS_ASKED

CRITERIA = [(name, each) for name, rubric in RUBRICS.items() for each in rubric.criteria]


def test_the_ml_test_score_has_the_papers_28_tests_under_its_numbers() -> None:
    """Breck et al. 2017: tables I to IV have seven tests each."""
    keys = [each.key for each in RUBRICS["ml-test-score"].criteria]
    assert keys == [
        f"{table} {number}" for table in ("Data", "Model", "Infra", "Monitor") for number in range(1, 8)
    ]
    assert set(Counter(each.section for each in RUBRICS["ml-test-score"].criteria).values()) == {7}


def test_the_ladders_have_their_sources_levels() -> None:
    assert [level.number for level in RUBRICS["google"].levels] == [0, 1, 2]
    assert [level.number for level in RUBRICS["microsoft"].levels] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["google", "microsoft"])
def test_each_level_above_the_lowest_has_criteria_whose_keys_say_so(name: str) -> None:
    rubric = RUBRICS[name]  # type: ignore[index]  # a name of the catalogue
    assert list(rubric.sections) == [f"level {level.number}" for level in rubric.levels[1:]]
    for criterion in rubric.criteria:
        assert criterion.section == f"level {criterion.key.partition('.')[0]}"


@pytest.mark.parametrize(("name", "criterion"), CRITERIA)
def test_a_criterion_names_only_signs_and_questions_that_there_are(name: str, criterion: Criterion) -> None:
    known = {*SIGNS, *(f"{ASK}{question}" for question in QUESTIONS)}
    assert set(criterion.signs) <= known
    assert criterion.needs
    assert all(criterion.needs)


def test_keys_are_there_once() -> None:
    for rubric in RUBRICS.values():
        assert set(Counter(each.key for each in rubric.criteria).values()) == {1}


def test_every_sign_and_every_question_is_asked_for() -> None:
    known = {*SIGNS, *(f"{ASK}{question}" for question in QUESTIONS)}
    assert known == set(SIGNS_ASKED)


def test_a_question_takes_the_papers_scale_or_yes_and_no() -> None:
    assert {question.replies for question in QUESTIONS.values()} == {HOW, YES_OR_NO}


@pytest.mark.parametrize("sign", SIGNS)
def test_what_would_supply_a_sign_is_a_command_that_there_is(sign: str) -> None:
    for command in SIGNS[sign].command.partition("#")[0].split("&&"):
        program, *words = command.split()
        if program == "siklus":
            assert words[0] in COMMANDS
        else:
            assert program in {"git", "$EDITOR"}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_stands_in_the_docs_as_it_is_asked(name: str) -> None:
    page = (ROOT / "docs" / "assess.md").read_text(encoding="utf-8")
    question = QUESTIONS[name]
    assert f"| `{name}` | {question.asks} | {', '.join(question.replies)} |" in page
