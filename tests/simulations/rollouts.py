"""Whole rollouts in simulation: requests, failures, latencies and labels of both arms, look by look."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from siklus.automation.rollout.rollout import Evidence, Phase, Rollout, StepCounts
from siklus.automation.rollout.stepping import next_step
from siklus.automation.rollout.transitions import applied
from siklus.automation.rollout.weighing import allocation_of, alpha_of_each, failures_of, latency_of
from siklus.ledgers.layouts import LATENCY_BUCKETS
from siklus.project.loop import SHADOW, RolloutPlan
from siklus.registry.policy import CHALLENGER, CHAMPION, PolicyArm
from siklus.stats.challenge import challenge_losses

Floats = NDArray[np.float64]
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
EDGES = np.array([0.0, *LATENCY_BUCKETS, np.inf])
BAD_MINUTES = 0.01  # of all looks: a dependency is away, or a neighbour has the machine
PLAN = RolloutPlan(steps=(SHADOW, 0.05, 0.25, 1.0), hold="1h", give_up="1d", min_requests=200)


@dataclass(frozen=True, kw_only=True)
class World:
    """``losses``: of each row, of (challenger, champion). ``failing``: of the requests of each, outside bad
    minutes, in which ten times as many of both fail, and take five times as long. ``slower``: how many times
    as long the challenger takes. ``dealt``: of the challenger's share, what comes to it in truth."""

    losses: tuple[Floats, Floats] | None
    failing: tuple[float, float] = (0.01, 0.01)
    slower: float = 1.0
    dealt: float = 1.0
    plan: RolloutPlan = PLAN
    per_look: int = 100
    every: timedelta = timedelta(minutes=10)
    delay: int = 6  # looks from an answer to its outcome
    in_order: bool = False  # rows follow each other as they did in truth; otherwise they are drawn one by one


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a rollout has ended: after how many requests in all, of these to the challenger, and labels."""

    phase: Phase
    reason: str
    requests: int
    challengers: int
    labels: int


def course(world: World, seed: int) -> Course:
    """One rollout from its beginning to its end."""
    rng = np.random.default_rng(seed)
    state, traffic = begun(world.plan), Requests(world, rng)
    for look in range(1, 100_000):
        now = BEGAN + look * world.every
        traffic.serve(state)
        evidence = traffic.evidence(state)
        decision = next_step(state, evidence, now=now)
        after = applied(state, decision, counted=evidence.counted, now=now)
        if after.step != state.step:
            traffic.begin_step()
        state = after
        if not state.going_on:
            return Course(
                phase=state.phase,
                reason=state.reason,
                requests=traffic.requests,
                challengers=traffic.challengers,
                labels=evidence.labels,
            )
    raise AssertionError("a rollout without an end")


def courses(world: World, runs: int) -> Iterator[Course]:
    return (course(world, seed) for seed in range(runs))


def begun(plan: RolloutPlan) -> Rollout:
    arms = [
        PolicyArm(name=name, version=number, share=0.0, digest=f"{number}" * 64)
        for number, name in enumerate((CHALLENGER, CHAMPION))
    ]
    return Rollout(number=1, challenger=arms[0], champion=arms[1], plan=plan, began=BEGAN, since=BEGAN)


class Requests:
    """What servers and records would have counted."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world, self._rng = world, rng
        self.requests = self.challengers = 0
        self._looks = 0
        self._rows = _rows(world, rng)
        self.begin_step()

    def begin_step(self) -> None:
        self._counts = np.zeros(2, dtype=np.int64)
        self._failed = np.zeros(2, dtype=np.int64)
        self._latencies = np.zeros((2, len(EDGES) - 1), dtype=np.int64)

    def serve(self, state: Rollout) -> None:
        """The requests until the next look."""
        world, rng, size = self._world, self._rng, self._world.per_look
        watching = state.plan.steps[state.step] == SHADOW
        mine = size if watching else int(rng.binomial(size, state.share * world.dealt))
        both = np.array([mine, size if watching else size - mine])
        bad = rng.random() < BAD_MINUTES
        chances = np.minimum(np.array(world.failing) * (10 if bad else 1), 1)
        self._counts += both
        self._failed += rng.binomial(both, chances)
        for arm, slower in enumerate((world.slower, 1.0)):
            took = latencies(rng, int(both[arm])) * slower * (5 if bad else 1)
            self._latencies[arm] += np.histogram(took, bins=EDGES)[0]
        self._looks += 1
        self.requests += size
        self.challengers += 0 if watching else mine

    def evidence(self, state: Rollout) -> Evidence:
        counted = StepCounts(
            step=state.plan.steps[state.step],
            requests=_pair(self._counts),
            failures=_pair(self._failed),
            latencies=(tuple(self._latencies[0].tolist()), tuple(self._latencies[1].tolist())),
        )
        known = max(self._looks - self._world.delay, 0) * self._world.per_look
        labelled = None if self._rows is None or not known else [arm[:known] for arm in self._rows]
        return Evidence(
            counted=counted,
            failures=failures_of(state, counted),
            latency=latency_of(state, counted, bounds=LATENCY_BUCKETS),
            allocation=allocation_of(state, counted),
            quality=labelled and challenge_losses(*labelled, alpha=alpha_of_each(state.plan)),
            champion_loss=labelled and float(labelled[1].mean()),
            labels=0 if labelled is None else known,
        )


def latencies(rng: np.random.Generator, requests: int) -> Floats:
    """Seconds: about 2 ms, and one in 200 waits for something up to a hundred times as long."""
    took = rng.lognormal(np.log(0.002), 0.4, size=requests)
    waits = rng.random(requests) < 0.005
    return np.where(waits, took * rng.uniform(5, 100, size=requests), took)


def _rows(world: World, rng: np.random.Generator) -> tuple[Floats, Floats] | None:
    """The losses of all rows that this rollout will meet, in their order."""
    if world.losses is None:
        return None
    most = world.per_look * 1500
    if world.in_order:
        places = (rng.integers(len(world.losses[0])) + np.arange(most)) % len(world.losses[0])
    else:
        places = rng.integers(len(world.losses[0]), size=most)
    return world.losses[0][places], world.losses[1][places]


def _pair(counts: NDArray[np.int64]) -> tuple[int, int]:
    return int(counts[0]), int(counts[1])
