"""Is a quantile of the latency above its budget? Evidence that may be looked at after every request.

Histograms know how many requests took at most b seconds, for each bound b of their buckets. If the p-quantile
Q were at most b, a request would take at most b with a chance of at least p. Against that, bets on all
smaller chances, in the proportions of Jeffreys' prior (`siklus.stats.anytime.log_shortfall`), are a
supermartingale: they ever win 1/α with a chance of at most α. Likewise, the other way round, against Q > b.
The more requests took at most b, the less the bets win, so what holds at Q's own place holds at every bound
beyond it: one α is enough for all buckets together, and Q lies between the last bound that it is shown to
exceed and the first that it is shown not to. (Quantiles at all times: Howard & Ramdas, arXiv 1906.09712; of
canaries: Lindon, Sanden & Shirikian, arXiv 2205.14762. Theirs need each value, these only the counts.)

All this is exact, and finer than a bucket nothing can be said. So a budget inside a bucket is exceeded only
once Q is shown to lie beyond the bucket, and kept only once Q is shown to lie before it: choose a budget that
is a bound. Requests are taken to be alike and drawn one by one; a slow minute says less than its requests.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from siklus.stats.anytime import Proportion, log_shortfall
from siklus.stats.intervals import LEVEL, Bounds

LEAST = -700.0  # ln e: as good as none, and a number that can be written down

Verdict: TypeAlias = Literal["over", "within", "unclear"]


class LatencyEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The ``share`` quantile of ``rows`` requests against ``budget`` seconds.

    ``low`` and ``high``, seconds: bucket bounds between which the quantile lies, above the one and at most
    the other; 0 and None where nothing is shown. ``log_over``: ln of the evidence that it is above the
    budget; ``log_within``: that it is not.
    """

    share: float
    budget: float
    rows: int
    low: float
    high: float | None
    log_over: float
    log_within: float
    log_threshold: float

    @property
    def verdict(self) -> Verdict:
        if self.log_over >= self.log_threshold:
            return "over"
        return "within" if self.log_within >= self.log_threshold else "unclear"


def latency_evidence(
    counts: Sequence[int], *, bounds: Sequence[float], share: float, budget: float, alpha: float = 1 - LEVEL
) -> LatencyEvidence:
    """``counts`` of single buckets, those above the last of the ascending ``bounds`` at the end.

    "over" is wrong in at most ``alpha`` of all rollouts that keep the budget, and "within" in as many of
    those that do not, at whatever looks. 0 < ``share`` < 1. ValueError: not one count more than bounds.
    """
    upto = counts_upto(counts, bounds)
    low, high = quantile_sequence(counts, bounds=bounds, share=share, alpha=alpha)
    rows = sum(counts)
    # Of all requests, as far as the buckets tell, at most so many and at least so many kept the budget.
    most = next((hits for bound, hits in zip(bounds, upto, strict=True) if bound >= budget), rows)
    least = max((hits for bound, hits in zip(bounds, upto, strict=True) if bound <= budget), default=0)
    return LatencyEvidence(
        share=share,
        budget=budget,
        rows=rows,
        low=low,
        high=high if np.isfinite(high) else None,
        log_over=log_beyond(Proportion(most, rows), share),
        log_within=log_not_beyond(Proportion(least, rows), share),
        log_threshold=float(-np.log(alpha)),
    )


def quantile_sequence(
    counts: Sequence[int], *, bounds: Sequence[float], share: float, alpha: float
) -> Bounds:
    """Bucket bounds around the quantile; each is wrong, at any look, in at most ``alpha`` of runs."""
    reach, rows = -np.log(alpha), sum(counts)
    cumulated = [Proportion(hits, rows) for hits in counts_upto(counts, bounds)]
    exceeded = [b for b, part in zip(bounds, cumulated, strict=True) if log_beyond(part, share) >= reach]
    kept = [b for b, part in zip(bounds, cumulated, strict=True) if log_not_beyond(part, share) >= reach]
    return max(exceeded, default=0.0), min(kept, default=np.inf)


def counts_upto(counts: Sequence[int], bounds: Sequence[float]) -> list[int]:
    """How many requests took at most each bound."""
    if len(counts) != len(bounds) + 1:
        raise ValueError(f"{len(counts)} counts for {len(bounds)} bounds: not one more")
    return list(accumulate(counts[:-1]))


def log_beyond(upto: Proportion, share: float) -> float:
    """ln of the evidence that fewer than ``share`` of all requests take as little as ``upto`` did."""
    return max(log_shortfall(upto, share), LEAST)


def log_not_beyond(upto: Proportion, share: float) -> float:
    """ln of the evidence that more than ``share`` of all requests do."""
    return max(log_shortfall(Proportion(upto.rows - upto.hits, upto.rows), 1 - share), LEAST)
