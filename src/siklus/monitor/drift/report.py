"""What one look at a window says about drift, as values that are JSON as they stand."""

from typing import Literal, TypeAlias

from msgspec import Struct

PREDICTION = "<prediction>"  # the name under which the model's answers stand among the columns

Role: TypeAlias = Literal["column", "prediction"]
Direction: TypeAlias = Literal["up", "down", "wider", "narrower", ""]
# As in `Counts`; rare: values in bins that hardly occur in the reference.
SlotName: TypeAlias = Literal["missing", "non_finite", "below_minimum", "above_maximum", "unseen", "rare"]

# steady: nothing that the tests can tell from chance. slight: there, but within the tolerance. shifted: the
# values lie elsewhere. jumped: more cells than before are missing, unseen or out of range. vanished: not one
# cell has a value. too few: not judged. Only shifted, jumped and vanished alarm.
Verdict: TypeAlias = Literal["steady", "slight", "shifted", "jumped", "vanished", "too few"]
ALARMING: frozenset[Verdict] = frozenset({"shifted", "jumped", "vanished"})


class Effect(Struct, frozen=True, kw_only=True):
    """How far the values have moved, with bounds at 95 %. 0: not at all; 0.01 is a mean shift of about 0.1 σ.

    ``distance`` is δ of `siklus.stats.shift`, less what chance alone adds. ``direction``: up or down where a
    number mostly moved that way, else wider or narrower where it did that; "" for anything else, and for
    words, which have no order. ``sigmas``: the shift of a normal column's mean that would put its values as
    far up or down; in any other case the one that would move it by the distance. ``p`` and ``p_beyond``:
    X²'s own.
    """

    p: float
    p_beyond: float
    distance: float
    low: float
    high: float
    sigmas: float
    direction: Direction = ""


class Jump(Struct, frozen=True, kw_only=True):
    """Cells that no bin takes, or only one that was nearly empty. Shares are of all cells, 0 to 1.

    ``p``: exact, one-sided: so many or more of them by chance; ``p_beyond``: if the true distance were
    exactly the tolerance.
    """

    slot: SlotName
    share: float
    reference_share: float
    p: float
    p_beyond: float


class ColumnDrift(Struct, frozen=True, kw_only=True):
    """One column, or the predictions, against the reference.

    ``rows``: cells of the window. ``p``: that nothing changed, of all tests on this column together;
    ``p_beyond``: that nothing changed by more than the tolerance; ``p_adjusted``: that, after Holm over all
    columns: at most the false-alarm rate raises the alarm. ``q``: Benjamini and Hochberg's of ``p_beyond``,
    which the columns are ranked by. What could not be computed (no values, too few rows) is None. ``said``:
    the finding as one sentence.
    """

    name: str
    role: Role
    kind: Literal["numeric", "category"]
    verdict: Verdict
    rows: int
    effect: Effect | None = None
    p: float | None = None
    p_beyond: float | None = None
    p_adjusted: float | None = None
    q: float | None = None
    psi: float | None = None
    jensen_shannon: float | None = None
    wasserstein: float | None = None
    jumps: tuple[Jump, ...] = ()
    said: str = ""

    @property
    def alarming(self) -> bool:
        return self.verdict in ALARMING

    def jump(self, slot: SlotName) -> Jump | None:
        """None where no such cell occurs, neither here nor in the reference."""
        return next((jump for jump in self.jumps if jump.slot == slot), None)


class DriftReport(Struct, frozen=True, kw_only=True):
    """One window against the reference. ``columns``: by q, the most certain first.

    ``false_alarm_rate``: of this one look, over all columns together. ``enough``: False when the window has
    fewer rows than ``min_rows``; then nothing is judged and there is no alarm.
    """

    rows: int
    reference_rows: int
    min_rows: int
    enough: bool
    alarm: bool
    false_alarm_rate: float
    tolerance: float
    columns: tuple[ColumnDrift, ...]
    remarks: tuple[str, ...] = ()

    @property
    def alarming(self) -> tuple[ColumnDrift, ...]:
        """The columns that raise the alarm."""
        return tuple(column for column in self.columns if column.alarming)

    def column(self, name: str) -> ColumnDrift:
        """KeyError for a name that the reference does not have; the answers are `PREDICTION`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
