"""Examining: all checks at once, each in a thread of its own; none is waited for beyond the deadline."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import sqlalchemy as sa

from siklus.doctor.case import Case
from siklus.doctor.finding import Finding, trouble, unknown
from siklus.errors import SiklusError

DEADLINE_SECONDS = 9.0

Check: TypeAlias = Callable[[Case], Sequence[Finding]]


@dataclass(kw_only=True)
class _Visit:
    """One check on its way. ``findings``: None as long as it has not come back."""

    name: str
    findings: Sequence[Finding] | None = None
    back: threading.Event = field(default_factory=threading.Event)


def examine(
    case: Case, checks: Mapping[str, Check], *, seconds: float = DEADLINE_SECONDS
) -> list[tuple[str, Finding]]:
    """Each check's name with what it found, in the order of ``checks``.

    A check that fails is a finding itself. One that is not back after ``seconds`` is unknown, and its thread,
    which may hang in a dead disk, ends with the process.
    """
    until = time.monotonic() + seconds
    visits = [_Visit(name=name) for name in checks]
    for visit in visits:
        run = threading.Thread(target=_visit, args=(visit, checks[visit.name], case), daemon=True)
        run.start()
    found: list[tuple[str, Finding]] = []
    for visit in visits:
        visit.back.wait(max(until - time.monotonic(), 0.0))
        late = [unknown(visit.name, f"no answer within {seconds:g} s", mend="look at what it would ask")]
        found += [(visit.name, each) for each in (late if visit.findings is None else visit.findings)]
    return found


def _visit(visit: _Visit, check: Check, case: Case) -> None:
    try:
        visit.findings = check(case)
    except SiklusError as error:
        wanted = f"it wants {error.expected}" if error.expected else "`docs/problems.md` explains the code"
        visit.findings = [trouble(visit.name, f"{error.code} {error.message}", mend=wanted)]
    except PermissionError as exc:
        cure = f"`chown -R $(id -u) {exc.filename}`, or start as its owner"
        visit.findings = [unknown(visit.name, f"{exc.filename} cannot be read by this user", mend=cure)]
    except (OSError, sa.exc.SQLAlchemyError) as exc:
        visit.findings = [unknown(visit.name, " ".join(str(exc).split())[:300])]
    except Exception as exc:  # noqa: BLE001 - the edge of a thread: a doctor who falls ill says so, and goes on
        visit.findings = [unknown(visit.name, f"the check itself failed: {type(exc).__name__}: {exc}")]
    finally:
        visit.back.set()
