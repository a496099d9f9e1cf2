"""Everything about a window of a version's traffic, as one value: what a page shows and `--json` prints."""

from datetime import datetime

from msgspec import Struct

from siklus.monitor.drift.report import DriftReport
from siklus.monitor.pages.requests import Requests
from siklus.monitor.quality.report import QualityReport
from siklus.registry.journal import Entry
from siklus.stats.profile import Profile


class Firing(Struct, frozen=True, kw_only=True):
    """An alert that fires now. ``label``: the feature where its signal has one, else ""."""

    rule: str
    label: str
    since: datetime
    severity: str
    advice: str


class WindowReport(Struct, frozen=True, kw_only=True):
    """``said``: where the rows come from, in words. ``reference`` and ``window`` are over the same bins.

    ``quality`` is None where no outcome can be joined, ``firing`` None where nobody watches. ``alerts``: what
    the journal says of the window, the newest first. ``remarks``: what a reader must know, in plain words.
    """

    name: str
    version: str
    since: datetime
    until: datetime
    said: str
    requests: Requests
    reference: Profile
    window: Profile
    drift: DriftReport
    quality: QualityReport | None = None
    firing: tuple[Firing, ...] | None = None
    alerts: tuple[Entry, ...] = ()
    remarks: tuple[str, ...] = ()
