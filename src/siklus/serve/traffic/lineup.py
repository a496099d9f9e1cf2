"""The lineup: the opened bundles that answer now, and which of them answers a request."""

import random
from dataclasses import dataclass
from hashlib import blake2b

from siklus.bundle.bound import BoundSession
from siklus.bundle.read import Bundle
from siklus.bundle.session import Predictions
from siklus.contract.decode import Rows
from siklus.contract.quick import QuickReader
from siklus.errors import RequestError
from siklus.registry.policy import CHAMPION
from siklus.registry.sticky import Sticky

INLINE_SECONDS = (
    0.002  # a row that costs less is scored on the event loop: a thread would cost about as much again
)
UNPUBLISHED = 0  # the revision of a lineup that comes from no traffic policy


@dataclass(frozen=True, kw_only=True)
class Served:
    """A bundle that has made a prediction here. ``row_seconds`` is what one row cost it.

    ``reader`` reads plain rows of its contract; None where a column has no place in the matrix. ``bound``
    scores them, on the event loop only; None where the model is no graph over the matrix.
    """

    bundle: Bundle
    row_seconds: float
    reader: QuickReader | None
    bound: BoundSession | None

    def predict(self, rows: Rows) -> Predictions:
        """Score rows that ``reader`` read; on the event loop only."""
        return self.bundle.predict(rows) if self.bound is None else self.bound.run(rows.matrix)

    @property
    def is_quick(self) -> bool:
        """One row may be scored on the event loop itself, without holding up the others."""
        return self.row_seconds <= INLINE_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One bundle in the lineup. ``share`` of the requests, 0 to 1; a shadow has none."""

    name: str
    share: float
    served: Served


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineup:
    """The arms of one revision of the traffic policy, all ready to answer.

    The keys of the challengers lie below those of the champion, in the challengers' order: a growing share
    takes keys from the champion and gives none back to it. ``salt``: another one deals all keys anew.
    """

    revision: int
    champion: Arm
    challengers: tuple[Arm, ...] = ()
    shadows: tuple[Arm, ...] = ()
    sticky: Sticky | None = None
    salt: str = ""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All that answer, the champion first."""
        return (self.champion, *self.challengers)

    @property
    def everybody(self) -> tuple[Arm, ...]:
        """All that answer, and then the shadows."""
        return (*self.arms, *self.shadows)

    @property
    def is_quick(self) -> bool:
        """Whichever arm is picked, one row may be scored on the event loop."""
        return all(arm.served.is_quick for arm in self.arms)

    def arm_of(self, version: str) -> Arm:
        """The arm with this version; RequestError RQ030 when none that answers has it."""
        for arm in self.arms:
            if arm.served.bundle.version == version:
                return arm
        answering = ", ".join(arm.served.bundle.version for arm in self.arms)
        raise RequestError("RQ030", f"no version {version[:40]!r} answers here", expected=answering)

    def pick(self, key: str | None) -> Arm:
        """The arm that answers this key, always the same one; without a key, one by chance."""
        if not self.challengers:
            return self.champion
        left = random.random() if key is None else point(key, self.salt)  # noqa: S311 - chance, no secret
        for arm in self.challengers:
            left -= arm.share
            if left < 0:
                return arm
        return self.champion


def point(key: str, salt: str) -> float:
    """Where a key lies in [0, 1): the first 53 bits of its salted BLAKE2b, the same on every machine."""
    # A JSON string may hold half a surrogate pair, which has no UTF-8 form.
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, salt=salt.encode()).digest()
    return (int.from_bytes(digest) >> 11) * 2.0**-53


def alone(served: Served) -> Lineup:
    """The lineup of one bundle that answers everything."""
    return Lineup(revision=UNPUBLISHED, champion=Arm(name=CHAMPION, share=1.0, served=served))
