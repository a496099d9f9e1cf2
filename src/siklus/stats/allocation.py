"""Do arms get the shares that they were meant to have? Evidence that may be looked at after every request.

Where each of n things fell into arm i with a fixed chance r_i, independently, the counts n_i of a fair
allocation grow as they should; where they do not, a mixture over all other shares wins:

    e = DM(n | κ·r) / Mult(n | r),    ln e = ln B(κ·r + n) − ln B(κ·r) − Σ n_i ln r_i

with B the multivariate beta function (Lindon & Malek, arXiv 2011.03567). e is a martingale that begins at 1,
so under fair allocation it ever reaches 1/α with a chance of at most α, however often one looks (Ville).
When shares change, a new stage begins, with e = 1; the stages' e multiply.

The things have to be drawn one by one. An arm that sticks to a key gets all requests of that key, so a client
with many requests would look like a mismatch: give the number of distinct keys, each counted in the stage in
which it was first seen.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.special import gammaln

MISMATCH_ALPHA = 0.001  # a mismatch is a defect of the split itself, and blocks everything: it has to be rare
# κ, in things that the fair shares weigh. Half and half that is 55 to 45 is seen after about 1,550 things,
# 52 to 48 after 9,800; with 10 after 1,700 and 11,150, with 10,000 after 4,150 and 14,100.
MISMATCH_CONCENTRATION = 100.0
ROUNDING = 1e-9  # by which shares may miss 1


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What fell into each arm while the shares stood still: ``counts`` and ``shares`` of shape (arms,).

    ValueError: no two arms, a count below 0, or shares that are not above 0 with a sum of 1.
    """

    counts: tuple[int, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.shares) or len(self.counts) < 2:
            raise ValueError(f"{len(self.counts)} counts and {len(self.shares)} shares")
        if min(self.counts) < 0:
            raise ValueError(f"counts {self.counts}: below 0")
        if not min(self.shares) > 0 or not abs(sum(self.shares) - 1) <= ROUNDING:
            raise ValueError(f"shares {self.shares}: not above 0 with a sum of 1")


class AllocationEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """ln e against fair allocation of ``rows`` things in all. A mismatch at any look stands for good."""

    log_evidence: float
    log_threshold: float
    rows: int

    @property
    def mismatch(self) -> bool:
        return self.log_evidence >= self.log_threshold


def allocation_evidence(
    stages: Sequence[Stage],
    *,
    alpha: float = MISMATCH_ALPHA,
    concentration: float = MISMATCH_CONCENTRATION,
) -> AllocationEvidence:
    """The stages of one rollout, in any order; those without counts change nothing. 0 < ``alpha`` < 1."""
    return AllocationEvidence(
        log_evidence=log_allocation_evidence(stages, concentration=concentration),
        log_threshold=float(-np.log(alpha)),
        rows=sum(sum(stage.counts) for stage in stages),
    )


def log_allocation_evidence(stages: Sequence[Stage], *, concentration: float) -> float:
    """ln e of all stages together; ``concentration`` is κ > 0; large ones suit small shifts."""
    return sum(_log_stage(stage, concentration) for stage in stages)


def _log_stage(stage: Stage, concentration: float) -> float:
    counts, shares = np.array(stage.counts, dtype=np.float64), np.array(stage.shares)
    prior = concentration * shares
    cells = (gammaln(prior + counts) - gammaln(prior) - counts * np.log(shares)).sum()
    return float(cells + gammaln(prior.sum()) - gammaln(prior.sum() + counts.sum()))
