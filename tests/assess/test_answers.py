"""assess.toml: what people answered is read back as it was written, and refused where it is not whole."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from siklus.assess.answers import FILE_NAME, Answer, answered, read_answers, write_answers
from siklus.assess.questions import QUESTIONS
from siklus.errors import AssessError

TODAY = date(2026, 11, 22)
WHOLE = 'answer = "by hand"\nwho = "Rani"\ndate = 2026-11-20\nreason = "wiki/privacy"\n'


def test_without_the_file_nothing_is_answered(tmp_path: Path) -> None:
    assert read_answers(tmp_path, today=TODAY) == {}


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    given = {
        name: Answer(
            answer=question.replies[i % len(question.replies)],
            who='Rani "R" \\ Sari',
            date=TODAY - timedelta(days=i),
            reason="seen\nin wiki \x7f 審査",
        )
        for i, (name, question) in enumerate(QUESTIONS.items())
    }
    write_answers(tmp_path, given)
    assert read_answers(tmp_path, today=TODAY) == given


def test_a_file_written_by_hand_is_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(f"[privacy]\n{WHOLE}")
    found = read_answers(tmp_path, today=TODAY)
    assert found["privacy"] == Answer(
        answer="by hand", who="Rani", date=date(2026, 11, 20), reason="wiki/privacy"
    )
    (sighting,) = answered(found)
    assert sighting.sign == "ask:privacy"
    assert sighting.trace.most == 0.5


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[privacy\n", "AS001"),
        (f"[privcy]\n{WHOLE}", "AS002"),
        ("privacy = 3\n", "AS003"),
        (f"[privacy]\n{WHOLE}more = 1\n", "AS003"),
        (f"[privacy]\n{WHOLE}".replace("by hand", "perhaps"), "AS003"),
        (f"[managed-compute]\n{WHOLE}", "AS003"),  # yes or no
        (f"[privacy]\n{WHOLE}".replace("wiki/privacy", " "), "AS003"),
        (f"[privacy]\n{WHOLE}".replace("Rani", ""), "AS003"),
        (f"[privacy]\n{WHOLE}".replace("11-20", "11-24"), "AS004"),  # where is it that day by now?
        (f"a = {'[' * 10_000}", "AS001"),
        (f"[privacy]\n{WHOLE}# {'x' * 100_000}\n", "AS001"),
    ],
)
def test_an_answer_that_is_not_whole_is_refused(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(AssessError) as refused:
        read_answers(tmp_path, today=TODAY)
    assert refused.value.code == code


def test_today_may_be_tomorrow_in_jakarta(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(f"[privacy]\n{WHOLE}".replace("11-20", "11-23"))
    assert read_answers(tmp_path, today=TODAY).keys() == {"privacy"}


def test_a_no_needs_no_reason(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[privacy]\nanswer = "no"\nwho = "Rani"\ndate = 2026-11-20\n')
    (sighting,) = answered(read_answers(tmp_path, today=TODAY))
    assert sighting.trace.most == 0
