"""Asking people what only they know, on a terminal; each answer is kept at once."""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import typer

from siklus.assess.answers import Answer, write_answers
from siklus.assess.questions import QUESTIONS, Question, Reply
from siklus.cli.output import harmless
from siklus.errors import AssessError
from siklus.project.tables import near

Asked = tuple[str, Question]
WIDTH = 80
MEANINGS: Mapping[Reply, str] = {
    "automatic": "something does it again and again, without anybody",
    "by hand": "somebody does it, and writes down what came of it",
    "no": "nobody does it, or nobody knows",
}


def ask_one(name: str) -> Asked:
    """The question of that name; AssessError AS002."""
    if name not in QUESTIONS:
        raise AssessError("AS002", f"{name!r} is no question", expected=near(name, list(QUESTIONS)))
    return name, QUESTIONS[name]


def open_questions(answers: Mapping[str, Answer], *, today: date, last: timedelta) -> list[Asked]:
    """Those without an answer that counts still; a "no" is asked again."""
    return [
        (name, question)
        for name, question in QUESTIONS.items()
        if name not in answers or answers[name].answer == "no" or today - answers[name].date > last
    ]


def ask_all(
    asked: Sequence[Asked], answers: Mapping[str, Answer], *, root: Path, who: str, today: date
) -> None:
    """Ask them one after the other; Ctrl-C or Ctrl-D leaves the rest open. FileError FS001."""
    kept = dict(answers)
    _say(f"{len(asked)} questions. An empty line leaves one as it is; Ctrl-C ends.")
    try:
        for number, (name, question) in enumerate(asked, start=1):
            _ask(f"{number}. [{name}] {question.asks}", question, before=answers.get(name))
            reply = _reply(question)
            if reply is not None:
                kept[name] = Answer(answer=reply, who=who, date=today, reason=_reason(reply))
                _say(f"   → {write_answers(root, kept)}")
    except typer.Abort:
        _say("\nThe rest stays open.\n")


def _ask(text: str, question: Question, *, before: Answer | None) -> None:
    _say("\n" + textwrap.fill(text, WIDTH, subsequent_indent="   "))
    for reply in question.replies:
        _say(f"     {reply[0]}  {reply}" + (f": {MEANINGS[reply]}" if reply in MEANINGS else ""))
    if before is not None:
        why = f" ({before.reason})" if before.reason else ""
        _say(f"     so far: {before.answer}, says {before.who} on {before.date}{why}")


def _reply(question: Question) -> Reply | None:
    """By its first letter or in full; None for an empty line."""
    letters = "/".join(reply[0] for reply in question.replies)
    while True:
        given: str = typer.prompt(f"   {letters}", default="", show_default=False, err=True).strip().lower()
        if not given:
            return None
        fitting = [reply for reply in question.replies if reply.startswith(given)]
        if len(fitting) == 1:
            return fitting[0]
        _say(f"     {given!r} is none of {', '.join(question.replies)}")


def _reason(reply: Reply) -> str:
    if reply == "no":
        return ""
    while True:
        given: str = typer.prompt(
            "   what it rests on (a link, a place)", default="", show_default=False, err=True
        )
        if given.strip():
            return given.strip()
        _say("     an answer that counts needs a reason")


def _say(text: str) -> None:
    typer.echo(harmless(text), err=True)
