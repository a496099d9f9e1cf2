"""Guards: which labels a training may believe. Pure: labelled rows in, rows to keep and findings out.

*Clients whose labels depart.* Of each client with at least FEWEST_LABELS labels the losses of what was
answered are held against those of every other such client, among rows with like predictions (so that a
client with harder rows, as the model itself says, does not stand out): the chance that one of its rows cost
more than one of another's, ties counting half, which is 1/2 where nothing differs (Brunner & Munzel,
Biometrical Journal 42, 2000; variances as DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988). Each other
client counts alike, however many labels it sends, so that a flood does not decide what is usual. Of three
clients or more, the one that departs most is quarantined, and the others are asked again, as long as one
departs by more than a margin at ERROR_RATE, divided by the clients and both sides; from four on the spread
between clients (their median absolute deviation) is added to the error. It counts on either side: labels
that merely repeat what was predicted depart too. Of two clients nobody can tell which one is right: beyond
twice the margin the training is blocked.

*Clients that send too much.* Of three clients or more none has more than [retrain] client_share of the
labels; of those beyond, rows evenly spread over time are kept.

*Outcomes that jumped* are `siklus.automation.retraining.jumped`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from siklus.automation.retraining.retrained import Finding
from siklus.stats.losses import Floats

ERROR_RATE = 0.001  # of each guard, in a retraining of clients, or labels, that keep within the margins
FEWEST_LABELS = 100  # of a client, for its labels to be judged at all
SEVERAL = 3  # clients, of whom a majority can tell who departs
SPREAD_FROM = 4  # clients, whose spread can be told
FEWEST_IN_STRATUM = 5  # labels of the other client, to be compared with
# Of the chance that a row costs more: 6 points of wrong answers; errors that are a third larger.
MARGIN_OF_CLASSES = 0.03
MARGIN_OF_NUMBERS = 0.08
MAD_TO_DEVIATION = 1.4826  # of a normal distribution

Mask: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Labelled rows, by time; arrays of shape (rows,).

    ``client``: an index into ``clients``, −1 where nobody is known. ``loss``: of what was answered.
    ``stratum``: of rows with like predictions.
    """

    clients: Sequence[str]
    client: Codes
    loss: Floats
    stratum: Codes
    classify: bool

    @property
    def margin(self) -> float:
        return MARGIN_OF_CLASSES if self.classify else MARGIN_OF_NUMBERS


@dataclass(frozen=True, kw_only=True)
class Departure:
    """Of one client: the chance that a row of its own cost more than one of another's, and its error."""

    client: int
    chance: float
    error: float


def guard(labels: Labels, *, client_share: float) -> tuple[Mask, tuple[Finding, ...]]:
    """Where a row may be trained on and judge, shape (rows,), and why the others may not."""
    departed = quarantine(labels)
    out = [labels.clients.index(found.client) for found in departed if found.client and found.left_out]
    kept = ~np.isin(labels.client, out)
    kept, capped = cap(labels, kept, client_share=client_share)
    return kept, (*departed, *capped)


def quarantine(labels: Labels) -> tuple[Finding, ...]:
    """Whose labels depart: one finding for each client that is left out, or one that blocks."""
    judged = [c for c in range(len(labels.clients)) if (labels.client == c).sum() >= FEWEST_LABELS]
    if len(judged) == 2:
        return _disagreeing(labels, judged)
    found = []
    chance_of_one = ERROR_RATE / 2 / max(len(judged), 1)
    while len(judged) >= SEVERAL:
        departures = [departure(labels, c, [d for d in judged if d != c]) for c in judged]
        spread = _spread(departures)
        reach = {one.client: _reach(one, spread, chance_of_one) for one in departures}
        worst = max(departures, key=lambda one: abs(one.chance - 0.5) - reach[one.client])
        if abs(worst.chance - 0.5) <= reach[worst.client] + labels.margin:
            break
        found.append(_departed(labels, worst, bound=0.5 + reach[worst.client] + labels.margin))
        judged.remove(worst.client)
    return tuple(found)


def departure(labels: Labels, client: int, others: Sequence[int]) -> Departure:
    """The client against the others, each of whom counts alike."""
    own = np.flatnonzero(labels.client == client)
    placed = np.zeros(len(own))
    compared = np.zeros(len(own))
    variance = 0.0
    for stratum in np.unique(labels.stratum[own]):
        here = np.flatnonzero(labels.stratum[own] == stratum)
        losses = np.sort(labels.loss[own[here]])
        for other in others:
            theirs = np.sort(labels.loss[(labels.client == other) & (labels.stratum == stratum)])
            if len(theirs) < FEWEST_IN_STRATUM:
                continue
            placed[here] += _places(labels.loss[own[here]], among=theirs)
            compared[here] += 1
            weight = len(here) / len(own) / len(others)
            variance += weight**2 * float(np.var(_places(theirs, among=losses))) / len(theirs)
    places = placed[compared > 0] / compared[compared > 0]
    if not len(places):
        return Departure(client=client, chance=0.5, error=np.inf)
    variance += float(np.var(places)) / len(places)
    return Departure(client=client, chance=float(places.mean()), error=float(np.sqrt(variance)))


def cap(labels: Labels, kept: Mask, *, client_share: float) -> tuple[Mask, tuple[Finding, ...]]:
    """Of what is kept, no client has more than its share, where there are several."""
    counts = np.bincount(labels.client[kept & (labels.client >= 0)], minlength=len(labels.clients))
    several = int((counts >= FEWEST_LABELS).sum())
    if several < SEVERAL:
        return kept, ()
    share = max(client_share, 1 / several)  # less is more than there is room for
    most = _most(counts, total=int(kept.sum()), share=share)
    kept, found = kept.copy(), []
    for client in np.flatnonzero(counts > most).tolist():
        rows = np.flatnonzero(kept & (labels.client == client))
        # Evenly over time: where the running share of `most` reaches the next whole number.
        taken = np.diff(np.arange(len(rows) + 1) * most // len(rows)) > 0
        kept[rows[~taken]] = False
        name, had = labels.clients[client], len(rows) / int(counts.sum())
        found.append(
            Finding(
                guard="client-share",
                message=f"{name} sent {had:.0%} of the labels of clients, and {share:.0%} at most count",
                client=name,
                rows=len(rows),
                left_out=int((~taken).sum()),
                value=had,
                bound=share,
            )
        )
    return kept, tuple(found)


def strata_of(predicted: Floats, probability: Floats, *, classify: bool) -> Codes:
    """Rows with like predictions: tenths of the numbers, or fifths of each class's probability."""
    if not classify:
        return _quantile_codes(predicted, 10)
    codes = np.zeros(len(predicted), dtype=np.int64)
    for label in np.unique(predicted):
        rows = np.flatnonzero(predicted == label)
        codes[rows] = 5 * int(label) + _quantile_codes(np.nan_to_num(probability[rows]), 5)
    return codes


def _quantile_codes(values: Floats, parts: int) -> Codes:
    cuts = np.unique(np.quantile(values, np.arange(1, parts) / parts)) if len(values) else np.empty(0)
    return np.searchsorted(cuts, values, side="right").astype(np.int64)


def _places(values: Floats, *, among: Floats) -> Floats:
    """Which share of sorted losses lies below each value, ties counting half."""
    below, above = np.searchsorted(among, values, side="left"), np.searchsorted(among, values, side="right")
    places: Floats = (below + above) / 2 / len(among)
    return places


def _spread(departures: Sequence[Departure]) -> float:
    """The standard deviation between clients, of whom a minority may be anything; without that by chance."""
    if len(departures) < SPREAD_FROM:
        return 0.0
    chances = np.array([one.chance for one in departures])
    seen = MAD_TO_DEVIATION * float(np.median(np.abs(chances - np.median(chances))))
    by_chance = float(np.median([one.error for one in departures]))
    return float(np.sqrt(max(seen**2 - by_chance**2, 0.0)))


def _reach(one: Departure, spread: float, chance: float) -> float:
    return -float(ndtri(chance)) * float(np.hypot(one.error, spread))


def _departed(labels: Labels, one: Departure, *, bound: float) -> Finding:
    name, rows = labels.clients[one.client], int((labels.client == one.client).sum())
    way = "more" if one.chance > 0.5 else "less"
    return Finding(
        guard="client-errors",
        message=f"with {name}'s labels a row cost {way} than with another client's, for like predictions, "
        f"in {max(one.chance, 1 - one.chance):.0%} of pairs: none of its {rows:,} labels is used",
        client=name,
        rows=rows,
        left_out=rows,
        value=one.chance,
        bound=bound if one.chance > 0.5 else 1 - bound,
    )


def _disagreeing(labels: Labels, judged: Sequence[int]) -> tuple[Finding, ...]:
    one = departure(labels, judged[0], judged[1:])
    bound = _reach(one, 0.0, ERROR_RATE / 2) + 2 * labels.margin
    if abs(one.chance - 0.5) <= bound:
        return ()
    names = " and ".join(labels.clients[client] for client in judged)
    found = Finding(
        guard="client-errors",
        message=f"the labels of {names} disagree: for like predictions a row of the one cost more in "
        f"{max(one.chance, 1 - one.chance):.0%} of pairs, and of two clients nobody can tell who is right",
        rows=int(np.isin(labels.client, judged).sum()),
        value=one.chance,
        bound=0.5 + bound if one.chance > 0.5 else 0.5 - bound,
        blocks=True,
    )
    return (found,)


def _most(counts: Codes, *, total: int, share: float) -> int:
    """The most that any client may keep, so that it has no more than its share of what all keep."""
    descending = np.sort(counts)[::-1]
    limit = share * total
    for k in range(1, len(descending) + 1):
        if descending[k - 1] <= limit:
            break
        room = 1 - k * share
        rest = total - int(descending[:k].sum())
        following = int(descending[k]) if k < len(descending) else 0
        limit = max(share * rest / room, following) if room > 0 else following
    return int(limit)
