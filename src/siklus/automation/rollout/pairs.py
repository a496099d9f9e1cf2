"""Pairs: what two versions say of the same labelled rows, and what that costs either."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.automation.replay.asked import Asked, Features, ask, features_of, known_to
from siklus.automation.rollout.doubts import NOBODY, Told, believed
from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract, Label, label_text
from siklus.errors import RecordsError
from siklus.records.joined import plain
from siklus.records.layout import Layout
from siklus.records.outcomes import outcome_stamp
from siklus.records.query import open_views
from siklus.stats.challenge import ChallengeEvidence, challenge_losses
from siklus.stats.losses import Floats, Truth
from siklus.stats.paired import loss_of, row_losses

PIECE_ROWS = 2_000  # that both are asked about at once
LOOK_ROWS = 50_000  # at one look, which is some seconds; what is left waits for the next one
MOST_ROWS = 500_000  # after which no more are taken: a mean of so many no longer moves
STORED_US = 600_000_000  # at most, from the receipt of an outcome to its place in the database
NO_OUTCOMES = (0, 0)  # what `outcome_stamp` says of none

_LABELLED = """
SELECT prediction_id, epoch_us(received), CAST(features AS VARCHAR), client, {answer}, probability, {outcome}
FROM joined ANTI JOIN siklus_near USING (prediction_id)
WHERE outcome IS NOT NULL AND time >= ? AND received >= make_timestamp(?)
ORDER BY received, prediction_id LIMIT ?
"""


Row: TypeAlias = tuple[str, int, str, str | None, Any, float | None, Any]  # as `_LABELLED` selects it


@dataclass(frozen=True, kw_only=True)
class Paired:
    """What rows cost the challenger and the champion, both of which have answered each of them.

    ``places``: of these rows among those that were asked about, ascending.
    """

    places: NDArray[np.int64]
    challenger: Floats
    champion: Floats


class Pairs:
    """The labelled rows that were answered ``since`` then, by whichever version, as both would answer them.

    Only what is new is read and asked about. Rows that one of the two cannot answer are left out, and those
    of clients whose labels depart (`doubts.believed`).
    """

    def __init__(
        self, layout: Layout, challenger: Bundle, champion: Bundle, *, metric: str, since: datetime
    ) -> None:
        """``metric``: of the task that both have; its per-row loss is compared (`stats.paired.loss_of`)."""
        self._layout, self._since, self._metric = layout, since, metric
        self._challenger, self._champion = challenger, champion
        self._stamp: tuple[int, int] | None = None
        self._from_us = 0
        self._near: dict[str, int] = {}  # ids whose outcome came lately: some that came with them may be late
        self._pieces: list[Paired] = []
        self._told: list[Told] = []
        self._rows = 0
        self._trusted: tuple[int, Paired] | None = None
        self._known: tuple[int, float, ChallengeEvidence] | None = None

    def __len__(self) -> int:
        return len(self._believed().places)

    @property
    def champion_loss(self) -> float | None:
        """Its mean; None without a row."""
        return float(self._believed().champion.mean()) if len(self) else None

    def challenge(self, *, alpha: float) -> ChallengeEvidence | None:
        """Who is better; None without a row."""
        if not len(self):
            return None
        if self._known is None or self._known[:2] != (self._rows, alpha):
            rows = self._believed()
            found = challenge_losses(rows.challenger, rows.champion, alpha=alpha)
            found = msgspec.structs.replace(found, loss=loss_of(self._metric))
            self._known = (self._rows, alpha, found)
        return self._known[2]

    def read(self) -> None:
        """Take in what is new; RecordsError RC003, RC006.

        Nothing can be taken where a column is sensitive, since the log does not have it as it was.
        """
        hidden = any(map(has_sensitive, (self._challenger.contract, self._champion.contract)))
        stamp = outcome_stamp(self._layout.outcomes)
        if hidden or stamp in (self._stamp, NO_OUTCOMES) or self._rows >= MOST_ROWS:
            return
        found = self._new()
        for at in range(0, len(found), PIECE_ROWS):
            self._take(found[at : at + PIECE_ROWS])
        if found:
            self._from_us = max(self._near.values()) - STORED_US
            self._near = {name: us for name, us in self._near.items() if us >= self._from_us}
        if len(found) < LOOK_ROWS:
            self._stamp = stamp

    def _believed(self) -> Paired:
        """Those whose labels no guard doubts: asked for once all that is new has been taken in."""
        if self._trusted is None or self._trusted[0] != self._rows:
            rows, kept = self._all(), believed(self._told, classify=self._classify)
            found = Paired(
                places=rows.places[kept], challenger=rows.challenger[kept], champion=rows.champion[kept]
            )
            self._trusted = self._rows, found
        return self._trusted[1]

    @property
    def _classify(self) -> bool:
        return self._champion.contract.target.classes is not None

    def _new(self) -> Sequence[Row]:
        views = open_views(
            self._layout, for_query="joined", made_from=self._since, received_from_us=max(self._from_us, 0)
        )
        names = ("prediction", "outcome") if self._classify else ("predicted_number", "outcome_number")
        asked = _LABELLED.format(answer=names[0], outcome=names[1])
        given = [plain(self._since), max(self._from_us, 0), LOOK_ROWS]
        with views as connection:
            try:
                near = "CREATE TEMP TABLE siklus_near AS SELECT unnest(?::VARCHAR[]) AS prediction_id"
                connection.execute(near, [[*self._near]])
                return connection.execute(asked, given).fetchall()
            except duckdb.Error as exc:
                raise RecordsError(
                    "RC006",
                    f"{self._layout.root}: {exc}",
                    expected="room on the disk, and sound Parquet files",
                ) from exc

    def _take(self, rows: Sequence[Row]) -> None:
        self._near |= {name: received for name, received, *_ in rows}
        features = [features_of(text) for _, _, text, *_ in rows]
        found = pair(
            self._metric, [outcome for *_, outcome in rows], features, self._challenger, self._champion
        )
        if len(found.champion):
            self._pieces.append(found)
            told = (Told(*rows[place][3:]) for place in found.places.tolist())
            self._told += [NOBODY if each.client is None else each for each in told]
            self._rows += len(found.champion)

    def _all(self) -> Paired:
        if not self._pieces:
            none = np.zeros(0)
            return Paired(places=none.astype(np.int64), challenger=none, champion=none)
        if len(self._pieces) > 1:
            self._pieces = [
                Paired(
                    places=np.concatenate([piece.places for piece in self._pieces]),
                    challenger=np.concatenate([piece.challenger for piece in self._pieces]),
                    champion=np.concatenate([piece.champion for piece in self._pieces]),
                )
            ]
        return self._pieces[0]


def pair(
    metric: str, outcomes: Sequence[Any], features: Sequence[Features], challenger: Bundle, champion: Bundle
) -> Paired:
    """Ask both about rows with these outcomes: classes as text, or numbers."""
    said = [
        ask(bundle, [known_to(bundle.contract, row) for row in features]) for bundle in (challenger, champion)
    ]
    return losses_of(metric, outcomes, *said, contracts=(challenger.contract, champion.contract))


def losses_of(
    metric: str, outcomes: Sequence[Any], ours: Asked, theirs: Asked, *, contracts: tuple[Contract, Contract]
) -> Paired:
    """Of the rows that both have answered, and whose outcome either could have said."""
    classes = _together(*contracts)
    truth, known = _truth(outcomes, classes)
    places = np.flatnonzero(known & ours.answered & theirs.answered)
    y: Truth = truth[places] if classes is None else truth[places].astype(np.int64)
    costs = [
        row_losses(metric, y, _by_classes(asked.raw[places], contract, classes))
        for asked, contract in zip((ours, theirs), contracts, strict=True)
    ]
    finite = np.isfinite(costs[0]) & np.isfinite(costs[1])  # a relative error of an outcome of 0 is not
    return Paired(places=places[finite], challenger=costs[0][finite], champion=costs[1][finite])


def has_sensitive(contract: Contract) -> bool:
    """Whether the log lacks what a row would have to be asked about again with."""
    return any(column.sensitive for column in contract.columns)


def _together(challenger: Contract, champion: Contract) -> tuple[Label, ...] | None:
    """All classes that either knows, the champion's first."""
    ours, theirs = challenger.target.classes, champion.target.classes
    return None if ours is None or theirs is None else tuple(dict.fromkeys((*theirs, *ours)))


def _truth(
    outcomes: Sequence[Any], classes: tuple[Label, ...] | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers, or indices of classes; and where there is one."""
    if classes is None:
        numbers = np.array([np.nan if value is None else value for value in outcomes], dtype=np.float64)
        return numbers, np.isfinite(numbers)
    index = {label_text(label): i for i, label in enumerate(classes)}
    places = np.array([index.get(str(value), -1) for value in outcomes], dtype=np.float64)
    return places, places >= 0


def _by_classes(raw: Floats, contract: Contract, classes: tuple[Label, ...] | None) -> Floats:
    """Probabilities in the order of ``classes``: 0 for one that the contract does not know."""
    if classes is None or contract.target.classes is None:
        return raw
    found = np.zeros((len(raw), len(classes)))
    found[:, [classes.index(label) for label in contract.target.classes]] = raw
    return found
