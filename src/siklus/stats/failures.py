"""Does the canary fail more often than the champion? Evidence that may be looked at after every request.

Of k failures in all, s₁ of the canary and s₀ of the champion: if both fail equally often, each failure is the
canary's with a chance of r, its share of the requests, whatever the rate of failures is and however that
changes through the day. So the rate need not be known, and only failures count:

    ln e = ln B(a + s₁, b + s₀) − ln B(a, b) − s₁ ln r − s₀ ln(1 − r),    a/(a + b) = r

is the logarithm of a martingale that begins at 1, and ever reaches 1/α with a chance of at most α (Robbins,
Annals of Mathematical Statistics 41, 1970; the case of two arms in `siklus.stats.allocation`). It grows on
either side of r; the canary is worse only where its share of the failures is above r.

The share is that of requests as they came (`stage_of`), not the one that was asked for. An arm that sticks to
keys has that share of the keys; where some keys send more than others, its requests are more or fewer, and
with the share of keys 14 to 23 % of equal canaries were rolled back at α = 5 % (keys by Zipf's law; with the
share of requests 1 %). Given the requests, the law above is nearly exact as long as most do not fail.

What no share mends is a failure that is the key's own: one client whose every request times out, always with
the same arm. Where a tenth of the keys have nearly all failures, 15 to 22 % are rolled back. Count those that
come in bunches once a key (keys that failed, of keys that were seen).
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from siklus.stats.allocation import Stage, log_allocation_evidence

HALF = 0.5  # a request more for either arm, so that none has a share of 0
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
    """Failures of (canary, champion) while the canary had each share of the requests (`stage_of`).

    0 < ``alpha`` < 1. ValueError: a stage that has not two arms.
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


def stage_of(failures: tuple[int, int], *, requests: tuple[int, int]) -> Stage:
    """Failures and requests of (canary, champion) in one stage, failures being among the requests.

    >>> stage_of((3, 10), requests=(99, 899)).shares
    (0.0995995995995996, 0.9004004004004004)
    """
    total = sum(requests) + 2 * HALF
    return Stage(counts=failures, shares=((requests[0] + HALF) / total, (requests[1] + HALF) / total))
