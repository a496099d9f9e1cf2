"""What a look at drift says, as values: of one window, and of repeated looks. Both are JSON as they stand."""

from typing import Literal, TypeAlias

from msgspec import Struct

PREDICTION = "<prediction>"  # the name under which the model's answers stand among the columns

Role: TypeAlias = Literal["column", "prediction"]
SlotName: TypeAlias = Literal["missing", "non-finite", "below minimum", "above maximum", "unseen"]

# steady: nothing that the tests can tell from chance. slight: there, but within the tolerance. shifted: the
# values lie elsewhere. jumped: more cells than before are missing, unseen or out of range. vanished: not one
# cell has a value. too few: not judged. Only shifted, jumped and vanished alarm.
Verdict: TypeAlias = Literal["steady", "slight", "shifted", "jumped", "vanished", "too few"]
ALARMING: frozenset[Verdict] = frozenset({"shifted", "jumped", "vanished"})


class Effect(Struct, frozen=True, kw_only=True):
    """How far the values have moved, with its interval. 0: not at all; 0.01 is a mean shift of about 0.1 σ.

    ``distance`` is the symmetric χ² distance of the two histograms, less what chance adds; ``sigmas`` the
    shift of a normal column's mean that would move it as far. ``direction``: up or down where the values of
    a number moved that way, "" where they did not or have no order.
    """

    distance: float
    low: float
    high: float
    sigmas: float
    direction: Literal["up", "down", ""] = ""


class Jump(Struct, frozen=True, kw_only=True):
    """Cells in one slot that no bin takes. ``p``: exact, one-sided, of so many given the reference.

    ``p_beyond``: the same against the largest share that the tolerance lets pass.
    """

    slot: SlotName
    count: int
    share: float
    reference_count: int
    reference_share: float
    p: float
    p_beyond: float


class ColumnDrift(Struct, frozen=True, kw_only=True):
    """One column, or the predictions, against the reference.

    ``p``: that nothing changed, of all tests on this column together; ``p_beyond``: that nothing changed
    by more than the tolerance; ``p_adjusted``: that, after Holm over all columns: at most the false-alarm
    rate raises the alarm. ``q``: Benjamini and Hochberg's of ``p_beyond``, which the columns are ranked by.
    What could not be computed (no values, too few rows) is None. ``said``: the finding as one sentence.
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
        """The slot's counts; None where the column has no such slot."""
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


class ColumnEvidence(Struct, frozen=True, kw_only=True):
    """``log_evidence``: natural logarithm of the column's own part of the evidence."""

    name: str
    role: Role
    log_evidence: float


class DriftEvidence(Struct, frozen=True, kw_only=True):
    """Repeated looks, a step of traffic each, by a test that may be looked at any time.

    Alarm when ``log_evidence`` reaches ``log_threshold``: in a month without drift that happens with at most
    ``false_alarm_rate``, however often one looks. ``since``: the step (from 0) with which the change most
    likely began, None without an alarm. ``columns``: the most telling first.
    """

    steps: int
    rows: int
    alarm: bool
    log_evidence: float
    log_threshold: float
    false_alarm_rate: float
    since: int | None
    columns: tuple[ColumnEvidence, ...]
