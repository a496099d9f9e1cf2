"""Rounds: servers that stand side by side are asked in turn, A B C A B C, so that a slow minute hits all."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.serving import processes
from benchmarks.serving.batches import Batch
from benchmarks.serving.case import Case
from benchmarks.serving.clients import CLIENTS
from benchmarks.serving.contenders import Contender
from benchmarks.serving.failures import BenchmarkError
from benchmarks.serving.figures import Figure, Standing
from benchmarks.serving.load import Load
from benchmarks.serving.running import Running, running
from benchmarks.serving.settings import Setting, Street


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``rounds`` of ``seconds`` for each contender and setting; ``starts`` for the start-up's median.

    ``named_connections``: with features by name. ``deadline``: by `time.monotonic`; after it no setting
    gets another round beyond its first.
    """

    load: Load
    connections: Sequence[int]
    rounds: int
    seconds: float
    starts: int
    named_connections: Sequence[int] = ()
    clients: Sequence[str] = ()
    batches: Sequence[Batch] = ()
    deadline: float | None = None


@dataclass(frozen=True, kw_only=True)
class Session:
    """Contenders that are measured against each other, ours among them."""

    name: str
    contenders: Sequence[Contender]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """``rounds``: a figure for each. ``refusals``: batches that ours did not answer, and why."""

    rounds: list[Figure]
    standings: list[Standing]
    refusals: list[str]


def measure(session: Session, plan: Plan, *, case: Case, scratch: Path) -> Seen:
    """BenchmarkError when a server fails, answers wrongly, or leaves a request of a round unanswered."""
    startups = _trial_starts(session, plan, case=case, scratch=scratch)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(contender, case=case, scratch=scratch / contender.name))
            for contender in session.contenders
        ]
        street = Street(servers=servers, case=case, scratch=scratch, seconds=plan.seconds)
        rounds = list(_rounds(session.name, _settings(street, plan), servers, plan))
        # Before the batches: they bring libraries and buffers that a server of single rows never needs.
        standings = [
            Standing(
                session=session.name,
                contender=server.contender.name,
                startup_s=median([*startups[server.contender.name], server.startup_s]),
                memory_mb=processes.memory_bytes(server.pid) / 1e6,
            )
            for server in servers
        ]
        in_batches, refusals = street.batches(plan.batches)
        rounds += _rounds(session.name, in_batches, servers, plan)
    return Seen(rounds=rounds, standings=standings, refusals=refusals)


def _trial_starts(session: Session, plan: Plan, *, case: Case, scratch: Path) -> dict[str, list[float]]:
    """Seconds to the first answer, of all starts but the one that is measured further."""
    found: dict[str, list[float]] = {contender.name: [] for contender in session.contenders}
    for turn in range(plan.starts - 1):
        for contender in session.contenders:
            with running(contender, case=case, scratch=scratch / f"{contender.name}-{turn}") as server:
                found[contender.name].append(server.startup_s)
    return found


def _settings(street: Street, plan: Plan) -> list[Setting]:
    return [
        *(street.waves(f"c{count}", plan.load, connections=count) for count in plan.connections),
        *(
            street.waves(f"c{count}_named", plan.load, connections=count, named=True)
            for count in plan.named_connections
        ),
        *(street.waves(name, CLIENTS[name], connections=1) for name in plan.clients),
    ]


def _rounds(
    session: str, settings: Sequence[Setting], servers: Sequence[Running], plan: Plan
) -> Iterator[Figure]:
    for turn in range(plan.rounds):
        for setting in settings:
            if turn > 0 and plan.deadline is not None and time.monotonic() > plan.deadline:
                return
            for server in servers:
                if server.contender.name in setting.asks:
                    yield _round(session, setting, server)


def _round(session: str, setting: Setting, server: Running) -> Figure:
    name = server.contender.name
    before = processes.cpu_seconds(server.pid)
    answered = setting.asks[name]()
    used = processes.cpu_seconds(server.pid) - before
    if answered.failures:
        raise BenchmarkError(
            f"{name} at {setting.name}: {answered.failures} failures beside {answered.requests} answers"
        )
    units = answered.requests * setting.units
    return Figure(
        session=session,
        contender=name,
        setting=setting.name,
        per_second=units / answered.seconds,
        p50_ms=answered.p50_ms,
        p99_ms=answered.p99_ms,
        cpu_us=used / units * 1e6,
    )
