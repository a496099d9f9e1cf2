"""Challenger and champion on the same rows, looked at after every label: who is better, and by how much?

*Right or wrong.* Of n rows on which just one of the two is right, B were the challenger's and C the
champion's. If neither is better, each is a coin's toss, and bets on all chances above one half,

    e = 2ⁿ · 2 · Beta(B + 1, C + 1) · P(Beta(B + 1, C + 1) > 1/2),

are a martingale that begins at 1 and ever reaches 1/α with a chance of at most α: McNemar's test, for all
times (the mixture of Robbins, 1970, on one side). For bounds of the difference of the shares of right
answers, the same bets are laid against every difference m. With B wins, C losses and T ties, each row being
+1, −1 or 0,

    e(m) = ∫₀¹ (1 + λ(1 − m))ᴮ (1 − λm)ᵀ (1 − λ(1 + m))ᶜ du,    λ = u / (1 + m),

which never exceeds 1 on average as long as the true difference is at most m, and is the e above at m = 0
(bets on a bounded mean: Waudby-Smith & Ramdas, arXiv 2010.09686). The integral is a sum over STAKES equal
steps, and every such sum is a bet by itself: no error comes of it. Exact at any number of rows.

*All other losses* have no bound. Theirs is the asymptotic sequence of `siklus.stats.anytime` on the mean of
the paired differences (Waudby-Smith et al., arXiv 2103.06476), from BURN_IN rows on. It is about the mean, as
the metric is, and not about how often either wins. It knows nothing of errors that have not come yet: a
challenger that is as good on average, through one error in 200 that costs a hundred times as much, is called
better in 65 % of runs looked at from 100 labels on, in 12 % from 1,000, in 8 % from 2,000. So ask for
a minimum of labels before a promotion, more where errors have a tail.

Rows are taken to be drawn one by one, in the order in which their labels came.
"""

from collections.abc import Callable

import msgspec
import numpy as np
from scipy.special import betainc, betaln, logsumexp

from siklus.stats.anytime import BURN_IN, anytime_level
from siklus.stats.intervals import Bounds
from siklus.stats.losses import Floats, Truth
from siklus.stats.paired import loss_of, paired_difference, row_losses

ALPHA = 0.05  # of each bound by itself
STAKES = 2000  # fine enough for 10⁵ rows on which the two differ; with more, bounds are a little wider
NARROW = 40  # halvings of the differences between -1 and 1


class Duel(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by who was right: the challenger alone, the champion alone, or both or neither."""

    wins: int
    losses: int
    ties: int

    @property
    def rows(self) -> int:
        return self.wins + self.losses + self.ties


class ChallengeEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Mean loss of the challenger minus that of the champion: below 0, the challenger is better.

    ``low`` and ``high`` hold at all numbers of rows together, each at ``alpha``; None below BURN_IN rows
    where they are asymptotic. ``loss`` names the metric whose per-row loss was compared. ``log_better`` and
    ``log_worse``: ln e that the challenger is; None for losses that are no counts: there the bounds judge.
    """

    rows: int
    mean: float
    low: float | None
    high: float | None
    alpha: float
    loss: str = ""
    log_better: float | None = None
    log_worse: float | None = None

    @property
    def better(self) -> bool:
        return self.no_worse_than(0.0)

    @property
    def worse(self) -> bool:
        return self.low is not None and self.low > 0

    def no_worse_than(self, margin: float) -> bool:
        """Non-inferior: the mean loss rises by less than ``margin``, in the loss's unit."""
        return self.high is not None and self.high < margin


def challenge(
    metric: str, y: Truth, challenger: Floats, champion: Floats, *, alpha: float = ALPHA
) -> ChallengeEvidence:
    """Predictions of both on the rows of ``y``, on the loss that stands for ``metric`` (`paired.loss_of`)."""
    found = challenge_losses(row_losses(metric, y, challenger), row_losses(metric, y, champion), alpha=alpha)
    return msgspec.structs.replace(found, loss=loss_of(metric))


def challenge_losses(challenger: Floats, champion: Floats, *, alpha: float = ALPHA) -> ChallengeEvidence:
    """What each row cost either, both of shape (rows,) with at least one row.

    Each bound is wrong, at any number of rows, in at most ``alpha`` of all runs.
    """
    if np.isin(challenger, (0.0, 1.0)).all() and np.isin(champion, (0.0, 1.0)).all():
        wins, losses = int((challenger < champion).sum()), int((challenger > champion).sum())
        return challenge_counts(
            Duel(wins=wins, losses=losses, ties=len(champion) - wins - losses), alpha=alpha
        )
    rows = len(champion)
    found = paired_difference(challenger, champion, level=anytime_level(rows, level=1 - 2 * alpha))
    enough = rows >= BURN_IN
    return ChallengeEvidence(
        rows=rows,
        mean=found.mean,
        low=found.low if enough else None,
        high=found.high if enough else None,
        alpha=alpha,
    )


def challenge_counts(duel: Duel, *, alpha: float = ALPHA) -> ChallengeEvidence:
    """Right and wrong answers of at least one row, already counted. Exact."""
    low, high = gain_sequence(duel, alpha=alpha)
    return ChallengeEvidence(
        rows=duel.rows,
        mean=(duel.losses - duel.wins) / duel.rows,
        low=-high,
        high=-low,
        alpha=alpha,
        log_better=log_lead(duel.wins, duel.losses),
        log_worse=log_lead(duel.losses, duel.wins),
    )


def log_lead(wins: int, losses: int) -> float:
    """ln e that wins are likelier than losses: the sequential McNemar test on one side.

    >>> round(log_lead(5, 0), 3)  # ln of (2⁶ − 1) / 6
    2.351
    """
    above = betainc(losses + 1, wins + 1, 0.5)
    if above == 0:  # too small for a float, where e is not
        return log_gain(Duel(wins=wins, losses=losses, ties=0), 0.0)
    return float((wins + losses + 1) * np.log(2) + betaln(wins + 1, losses + 1) + np.log(above))


def gain_sequence(duel: Duel, *, alpha: float) -> Bounds:
    """Of the challenger's gain, its share of right answers less the champion's; each bound at ``alpha``."""
    reach = -np.log(alpha)
    gain = (duel.wins - duel.losses) / max(duel.rows, 1)
    mirrored = Duel(wins=duel.losses, losses=duel.wins, ties=duel.ties)
    low = _edge(gain, refuted=lambda m: log_gain(duel, m) >= reach)
    high = -_edge(-gain, refuted=lambda m: log_gain(mirrored, m) >= reach)
    return low, high


def log_gain(duel: Duel, gain: float) -> float:
    """ln e that the challenger's gain is above ``gain``, which lies above −1 and is at most 1."""
    stakes = (np.arange(STAKES) + 0.5) / STAKES / (1 + gain)
    won = (
        duel.wins * np.log1p(stakes * (1 - gain))
        + duel.ties * np.log1p(-stakes * gain)
        + duel.losses * np.log1p(-stakes * (1 + gain))
    )
    return float(logsumexp(won) - np.log(STAKES))


def _edge(gain: float, *, refuted: Callable[[float], bool]) -> float:
    """The greatest gain that is refuted, below the one that was seen; −1 where none is."""
    outside, inside = -1.0, gain
    if gain == outside:
        return outside
    for _ in range(NARROW):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if refuted(middle) else (outside, middle)
    return outside
