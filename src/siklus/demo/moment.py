"""A moment of the demo: all that a view shows, as one value."""

from datetime import date

from msgspec import Struct

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class MonthFigures(Struct, frozen=True, kw_only=True):
    """One month: mean absolute errors in minutes. ``static``: January's model, asked about the same flights.

    ``versions``: those that were champion at the end of some of its days, in their order.
    """

    month: int
    flights: int
    mae_with_loop: float
    mae_static: float
    versions: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return MONTHS[self.month - 1]


class DayFigures(Struct, frozen=True, kw_only=True):
    """The same of some days. ``versions``: those that answered, the champion first."""

    first: date
    last: date
    flights: int
    mae_with_loop: float
    mae_static: float
    versions: tuple[str, ...] = ()


class Share(Struct, frozen=True, kw_only=True):
    """What a version answers now, between 0 (as a shadow) and 1."""

    version: str
    share: float


class Event(Struct, frozen=True, kw_only=True):
    """An entry of the journal, and which day of the year it was in the demo then.

    ``number``: the journal's. ``verdict``: on a challenger, where this is about the end of a retraining.
    """

    number: int
    day: date
    kind: str
    text: str
    verdict: str = ""


class Counted(Struct, frozen=True, kw_only=True):
    """What the loop has done so far. ``refused``: challengers that did not get as far as a rollout."""

    retrainings: int = 0
    refused: int = 0
    failed: int = 0
    promotions: int = 0
    rolled_back: int = 0
    given_up: int = 0


class Moment(Struct, frozen=True, kw_only=True):
    """``doing``: in a few words. ``quality``: the watched metric now, which is to stay below ``floor``."""

    day: date
    doing: str
    flights: int = 0
    failed_requests: int = 0
    months: tuple[MonthFigures, ...] = ()
    shares: tuple[Share, ...] = ()
    events: tuple[Event, ...] = ()
    counted: Counted = Counted()
    drifted: int = 0
    columns: int = 0
    quality: float | None = None
    floor: float | None = None
    quality_alarm: bool = False
