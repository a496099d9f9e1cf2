"""What the journal says was decided and done: trainings, rollouts, rollbacks, messages, drills, proofs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from siklus.assess.facts import FULL, HALF, Sighting, Trace
from siklus.assess.signs import SIGNS
from siklus.drill.report import KIND as DRILL
from siklus.drill.report import DrillReport, FaultReport
from siklus.registry.journal import Entry
from siklus.registry.proofs import KIND as PROOF
from siklus.registry.proofs import SKEW

MOST_SAID = 110  # characters of an entry's sentence
SIGNALS = ("drift", "quality", "alert")  # triggers that come from what was watched
TRIGGERS = (*SIGNALS, "labels", "predictions", "schedule")
LIVE = ("traffic", "promotion", "rollback")
SILENT = "log"  # a receiver that reaches nobody by itself
NOTIFY = SIGNS["alerts-set"].command
OUTAGES = frozenset({"dead-worker", "full-disk", "corrupt-bundle"})


class _Counted(Struct, frozen=True):
    step: float | str = 1.0
    requests: tuple[int, ...] = ()


class _Quality(Struct, frozen=True):
    rows: int = 0


class _Weighed(Struct, frozen=True):
    counted: _Counted | None = None
    quality: _Quality | None = None


class _Judged(Struct, frozen=True):
    evidence: _Quality | None = None


class _Turned(Struct, frozen=True):
    """Of a rollout's or an experiment's turn."""

    turn: str = ""
    evidence: _Weighed | None = None


class _Column(Struct, frozen=True):
    verdict: str = ""


class _Considered(Struct, frozen=True):
    columns: tuple[_Column, ...] = ()


class _Retrained(Struct, frozen=True):
    """Of a retraining that begins (its ``verdict`` is on whether one would help) or that has ended."""

    trigger: str = ""
    verdict: str | _Considered = ""
    judgement: _Judged | None = None
    evidence: _Quality | None = None


class _Held(Struct, frozen=True):
    """Of a proof."""

    holds: bool = False
    rows: int = 0


class _Message(Struct, frozen=True):
    receiver: str = ""
    test: bool = False


Made = TypeVar("Made")


def decided(entries: Iterable[Entry]) -> Iterator[Sighting]:
    """The signs of all entries that show something; only those of `KINDS` do."""
    for entry in entries:
        if entry.kind in LIVE:
            yield _seen("live-decided", entry)
        look = _KINDS.get(entry.kind)
        if look is not None:
            yield from look(entry)


def _retraining(entry: Entry) -> Iterator[Sighting]:
    found = _evidence(entry, _Retrained)
    if found is None or not found.verdict:
        return
    if isinstance(found.verdict, _Considered):
        counted = Counter(column.verdict for column in found.verdict.columns)
        if counted:
            said = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
            yield _seen("drift-watched", entry, f"columns before a training: {said}")
        return
    if found.trigger and found.verdict != "failed":
        yield _seen("retrained", entry)
        kinds = {word.strip().partition(":")[0] for word in found.trigger.split(",")}
        if kinds.intersection(TRIGGERS):
            yield _seen("retrained-by-trigger", entry, f"by {found.trigger}: {entry.text}")
        if kinds.intersection(SIGNALS):
            yield _seen("retrained-by-signal", entry, f"by {found.trigger}: {entry.text}")
    judged = found.judgement.evidence if found.judgement else found.evidence
    if judged is not None and judged.rows:
        yield _seen("challenger-judged", entry)


def _turned(entry: Entry) -> Iterator[Sighting]:
    found = _evidence(entry, _Turned)
    if found is None or not found.turn:
        return
    weighed = found.evidence or _Weighed()
    counted = weighed.counted
    if counted is not None and isinstance(counted.step, float) and counted.step < 1 and any(counted.requests):
        said = f"{counted.requests[0]:,} requests met it at {counted.step:.0%}: {entry.text}"
        yield _seen("canaried", entry, said)
    if weighed.quality is not None and weighed.quality.rows:
        yield _seen("compared-live", entry)
    if found.turn == "promote":
        yield _seen("promoted-by-loop", entry)


def _rollback(entry: Entry) -> Iterator[Sighting]:
    yield _seen("rolled-back", entry)
    yield from _turned(entry)


def _notification(entry: Entry) -> Iterator[Sighting]:
    found = _evidence(entry, _Message)
    if found is None or found.test:
        return
    if found.receiver == SILENT:
        yield _seen(
            "told", entry, f"{entry.text}: only in the log, which calls nobody", most=HALF, mend=NOTIFY
        )
    else:
        yield _seen("told", entry)


def _proof(entry: Entry) -> Iterator[Sighting]:
    found = _evidence(entry, _Held)
    if found is not None and found.holds and found.rows and entry.subject == SKEW:
        yield _seen("skew-disproved", entry)


def _drill(entry: Entry) -> Iterator[Sighting]:
    found = _evidence(entry, DrillReport)
    if found is None:
        return
    passed = {fault.name: fault for fault in found.faults if fault.result == "passed"}
    for name, fault in passed.items():
        for sign in _shown(name, fault):
            yield _seen(sign, entry, f"in a drill: {fault.injected or name}")
    if passed.keys() >= OUTAGES:
        yield _seen("drilled-outage", entry, f"in drills: {', '.join(sorted(OUTAGES))}")


def _shown(name: str, fault: FaultReport) -> Iterator[str]:
    """What of the loop a passed fault has set to work, by what was expected and seen of it."""
    met = [finding.expected for finding in fault.findings if finding.met]
    if any(words.startswith("mail") for words in met):
        yield "told"
    if "journal: rollback" in met:
        yield "rolled-back"
    if "rollout: promoted" in met:
        yield "drilled-loop"
        yield "retrained-by-signal"
    if name == "missing-column":
        yield "drilled-input"


_KINDS: Mapping[str, Callable[[Entry], Iterator[Sighting]]] = {
    "retraining": _retraining,
    "challenger": _retraining,
    "rollout": _turned,
    "experiment": _turned,
    "promotion": _turned,
    "rollback": _rollback,
    "notification": _notification,
    PROOF: _proof,
    DRILL: _drill,
}

KINDS = tuple(dict.fromkeys((*LIVE, *_KINDS)))


def _evidence(entry: Entry, kind: type[Made]) -> Made | None:
    try:
        return msgspec.json.decode(entry.evidence, type=kind)
    except msgspec.MsgspecError:  # null, or of a version of Siklus that told it otherwise
        return None


def _seen(
    sign: str, entry: Entry, said: str | None = None, *, most: float = FULL, mend: str = ""
) -> Sighting:
    told = said or entry.text
    if len(told) > MOST_SAID:
        told = f"{told[: MOST_SAID - 1].rstrip()}…"
    where = f"journal entry {entry.number}"
    when = entry.time
    return Sighting(sign, Trace(kind="exercised", said=told, where=where, when=when, most=most, mend=mend))
