"""assess.toml: what people answered, who, when and why; it is committed beside the project file."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from siklus.assess.facts import FULL, HALF, NOTHING, Sighting, Trace
from siklus.assess.questions import ASK, QUESTIONS, Reply
from siklus.errors import AssessError
from siklus.files import write_atomic
from siklus.project.tables import near

FILE_NAME = "assess.toml"
MOST_BYTES = 100_000  # many times what sixteen answers with their reasons take
TOMORROW = timedelta(days=1)  # east of Greenwich it is that already
HEAD = """\
# What only people know about this project. `siklus assess --ask` asks and writes; `siklus assess` reads.
# An answer counts for a year of 30-day windows, then it is asked again. Commit this file.
"""
WORTH: Mapping[Reply, float] = {"automatic": FULL, "yes": FULL, "by hand": HALF, "no": NOTHING}


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``reason``: what the answer rests on, such as a link; a plain "no" needs none."""

    answer: Reply
    who: str
    date: date
    reason: str = ""


def read_answers(root: Path, *, today: date) -> dict[str, Answer]:
    """The answers by question; empty without the file. AssessError AS001 to AS004."""
    path = root / FILE_NAME
    wanted = "TOML, as `siklus assess --ask` writes"
    try:
        with path.open("rb") as file:
            written = file.read(MOST_BYTES + 1)
        if len(written) > MOST_BYTES:
            told = f"{path}: larger than {MOST_BYTES // 1000} kB"
            raise AssessError("AS001", told, expected=f"an answer to each of {len(QUESTIONS)} questions")
        raw = tomllib.loads(written.decode("utf-8"))
    except FileNotFoundError:
        return {}
    except RecursionError as exc:
        raise AssessError("AS001", f"{path}: too many brackets in each other", expected=wanted) from exc
    except OSError as exc:
        raise AssessError("AS001", f"{path}: {exc.strerror or exc}", expected=wanted) from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise AssessError("AS001", f"{path}: {exc}", expected=wanted) from exc
    return {name: _answer(path, name, table, today=today) for name, table in raw.items()}


def write_answers(root: Path, answers: Mapping[str, Answer]) -> Path:
    """All of them, in the order of the questions; FileError FS001."""
    path = root / FILE_NAME
    tables = [_table(name, answers[name]) for name in QUESTIONS if name in answers]
    write_atomic(path, "\n".join([HEAD, *tables]))
    return path


def answered(answers: Mapping[str, Answer]) -> Iterator[Sighting]:
    """As traces of what criteria ask for."""
    for name, given in answers.items():
        why = f": {given.reason}" if given.reason else ""
        trace = Trace(
            kind="answered",
            said=f"{given.answer}, says {given.who}{why}",
            where=f"{FILE_NAME} [{name}]",
            when=datetime.combine(given.date, time(), UTC),
            most=WORTH[given.answer],
        )
        yield Sighting(f"{ASK}{name}", trace)


def _answer(path: Path, name: str, table: Any, *, today: date) -> Answer:
    question = QUESTIONS.get(name)
    if question is None:
        told = f"{path}: [{name}] is no question"
        raise AssessError("AS002", told, expected=near(name, list(QUESTIONS)))
    try:
        given = msgspec.convert(table, type=Answer)
    except msgspec.ValidationError as exc:
        wanted = "answer, who, date, and a reason"
        raise AssessError("AS003", f"{path}: [{name}] {exc}", expected=wanted) from exc
    if given.answer not in question.replies:
        told = f"{path}: [{name}] answer = {given.answer!r}"
        raise AssessError("AS003", told, expected=f"one of {', '.join(question.replies)}")
    if not given.who.strip() or (given.answer != "no" and not given.reason.strip()):
        told = f"{path}: [{name}] says {given.answer!r}, but not who or why"
        raise AssessError("AS003", told, expected="who = a name, reason = what it rests on")
    if given.date > today + TOMORROW:
        raise AssessError("AS004", f"{path}: [{name}] date = {given.date}", expected=f"at most {today}")
    return given


def _table(name: str, given: Answer) -> str:
    # TOML's basic strings take JSON's escapes, but for DEL, which JSON leaves as it is.
    lines = {
        "answer": _quoted(given.answer),
        "who": _quoted(given.who),
        "date": given.date.isoformat(),
    }
    if given.reason:
        lines["reason"] = _quoted(given.reason)
    return "\n".join(
        [f"# {QUESTIONS[name].asks}", f"[{name}]", *(f"{k} = {v}" for k, v in lines.items()), ""]
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
