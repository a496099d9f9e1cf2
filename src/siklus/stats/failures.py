"""Does the canary fail more often than the champion? Evidence that may be looked at after every request.

Of k failures in all, s₁ of the canary and s₀ of the champion: if both fail equally often, each failure is the
canary's with a chance of r, its share of the requests, whatever the rate of failures is and however that
changes through the day. So the rate need not be known, and only failures count:

    ln e = ln B(a + s₁, b + s₀) − ln B(a, b) − s₁ ln r − s₀ ln(1 − r),    a/(a + b) = r

is the logarithm of a martingale that begins at 1, and ever reaches 1/α with a chance of at most α (Robbins,
Annals of Mathematical Statistics 41, 1970; the case of two arms in `siklus.stats.allocation`). It grows on
either side of r; the canary is worse only where its share of the failures is above r.

A failure is one of a request that could have gone to either arm. Failures that come in bunches (one client
whose every request times out, always with the same arm) say as much as one: count such a client once.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from siklus.stats.allocation import Stage, log_allocation_evidence

ALPHA = 0.05  # roll back at e ≥ 20
# a + b, in failures that an even split weighs. 2 to 20 differ little at shares of 5 to 50 %; with 1, small
# increases take a quarter more requests, with 50, large ones half as many again.
CONCENTRATION = 5.0


class FailureEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """``canary`` of ``failures`` were the canary's, where ``expected`` would be if both failed equally often.

    ``log_evidence``: ln e that they do not. ``worse`` at any look stands: later requests do not take it back.
    """

    canary: int
    failures: int
    expected: float
    log_evidence: float
    log_threshold: float

    @property
    def worse(self) -> bool:
        """The canary fails more often: roll back."""
        return self.log_evidence >= self.log_threshold and self.canary > self.expected


def failure_evidence(
    stages: Sequence[Stage], *, alpha: float = ALPHA, concentration: float = CONCENTRATION
) -> FailureEvidence:
    """Failures of (canary, champion) while the canary had each share of the requests. 0 < ``alpha`` < 1.

    ValueError: a stage that has not two arms.
    """
    if any(len(stage.counts) != 2 for stage in stages):
        raise ValueError("stages of more than a canary and a champion")
    return FailureEvidence(
        canary=sum(stage.counts[0] for stage in stages),
        failures=sum(sum(stage.counts) for stage in stages),
        expected=float(sum(sum(stage.counts) * stage.shares[0] for stage in stages)),
        log_evidence=log_allocation_evidence(stages, concentration=concentration),
        log_threshold=float(-np.log(alpha)),
    )
