"""A state directory with published policies. Version n predicts n times what version 1 does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from siklus.bundle.golden import golden_answers
from siklus.bundle.write import manifest_of, place, seal
from siklus.registry.policy import Allotment, PolicyArm
from siklus.registry.published import PUBLISHED, write_policy
from siklus.serve.traffic.following import Follower
from tests.bundle.sealed import INSTANCES, MINUTES, NOW, SUMS, WEIGHTS, contents, regressor
from tests.registry.policies import policy_of
from tests.serve.servers import START_SECONDS, serving

ROW = INSTANCES[0]
ANSWER = float(SUMS[0])  # version 1's; another's is a multiple of it


def version_in(state: Path, number: int, **changes: Any) -> PolicyArm:
    """The sealed bundle of this version in the state's cache, as a champion."""
    made = contents(model=regressor(WEIGHTS * number))
    golden = golden_answers(made.model, INSTANCES, manifest=manifest_of(made, now=NOW), contract=MINUTES)
    draft = state / f"draft-{number}"
    seal(replace(made, golden=golden, **changes), draft, now=NOW)
    return placed(state, number, draft)


def placed(state: Path, number: int, sealed: Path) -> PolicyArm:
    """The sealed bundle, moved to the state's cache, as a champion of this number."""
    digest = place(sealed, state / "bundles").name
    return PolicyArm(name="champion", version=number, share=1.0, digest=digest)


def publish(state: Path, revision: int, *arms: PolicyArm, **more: Any) -> None:
    write_policy(policy_of(revision, Allotment(arms=arms, **more)), state / "run" / PUBLISHED)


def shared(*arms: PolicyArm, **shares: float) -> tuple[PolicyArm, ...]:
    """The arms under these names with these shares."""
    return tuple(
        PolicyArm(name=name, version=arm.version, share=share, digest=arm.digest)
        for arm, (name, share) in zip(arms, shares.items(), strict=True)
    )


def serving_state(state: Path, *options: str) -> Any:
    return serving("-m", "siklus.serve", "--state", str(state), "--port", "0", *options)


@contextmanager
def following(state: Path) -> Iterator[Follower]:
    """A worker's side of it, in this process."""
    follower = Follower(state, prepare=lambda _bundle: None)
    follower.start()
    try:
        yield follower
    finally:
        follower.close()


def eventually(holds: Callable[[], object], *, what: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)
