"""[[alerts]]: of which signals somebody must hear, and when. Which signals there are, the monitor says."""

import math
from collections.abc import Collection, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct, field

from siklus.errors import ProjectError
from siklus.project.durations import NEVER, DurationOrNever, DurationOrZero, seconds_of, seconds_or_zero
from siklus.project.names import SafeName
from siklus.project.places import Places
from siklus.project.tables import near, read_table

TABLE = "alerts"

Severity: TypeAlias = Literal["info", "warning", "critical"]


class Alert(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One [[alerts]]. It takes ``above`` or ``below``, and is named after its signal where it has no name.

    ``held`` (the key `for`): true at every look for so long before anybody is told. ``kept`` (the key
    `keep_firing_for`): not true any more for so long before it is over. ``notify``: names of
    [notify.*]; without the key all of them, with an empty list nobody. ``feature``: of a signal that has a
    value for each column, only this one.
    """

    signal: str
    name: SafeName | None = None
    above: float | None = None
    below: float | None = None
    held: DurationOrZero = field(name="for", default="0s")
    kept: DurationOrZero = field(name="keep_firing_for", default="0s")
    notify: tuple[SafeName, ...] | None = None
    advice: str = ""
    severity: Severity = "warning"
    repeat: DurationOrNever = "4h"
    feature: str | None = None


class PlacedAlert(Alert, frozen=True, kw_only=True):
    """An alert as the file has it. ``place``: `siklus.toml:12`, for what only the monitor finds wrong."""

    place: str

    @property
    def title(self) -> str:
        return self.name or self.signal

    @property
    def threshold(self) -> float:
        """The bound, of whichever side."""
        return self.above if self.above is not None else self.below or 0.0

    @property
    def held_seconds(self) -> int:
        return seconds_or_zero(self.held)

    @property
    def kept_seconds(self) -> int:
        return seconds_or_zero(self.kept)

    @property
    def repeat_seconds(self) -> int | None:
        """None for `never`."""
        return None if self.repeat == NEVER else seconds_of(self.repeat)


def read_alerts(raw: object, places: Places, *, receivers: Collection[str]) -> tuple[PlacedAlert, ...]:
    """All [[alerts]]; ``receivers`` are the names of [notify.*].

    ProjectError PJ003 to PJ005 as for any table; PJ015 when a threshold is missing or there are two,
    PJ016 for a name that is taken, PJ017 for a receiver that is not declared.
    """
    if not isinstance(raw, list):
        told = f"{places.at((TABLE,))}: {TABLE} = {str(raw)[:80]}"
        raise ProjectError("PJ004", told, expected="sections that begin with [[alerts]]")
    alerts = tuple(_read(item, places.key(TABLE, number), places) for number, item in enumerate(raw))
    _refuse_taken_names(alerts)
    for alert in alerts:
        for name in alert.notify or ():
            if name not in receivers:
                told = f"{alert.place}: [[alerts]] notify = {name!r}: no [notify.{name}]"
                wanted = f"a section [notify.{name}], or {near(name, sorted(receivers))}"
                raise ProjectError("PJ017", told, expected=wanted)
    return alerts


def _read(raw: Any, key: tuple[str, ...], places: Places) -> PlacedAlert:
    alert = read_table(raw, Alert, key, places)
    bounds = [bound for bound in (alert.above, alert.below) if bound is not None]
    place = places.at(key)
    if len(bounds) != 1 or not math.isfinite(bounds[0]):
        told = f"{place}: [[alerts]] {alert.signal}: {_bounds(alert)}"
        raise ProjectError("PJ015", told, expected="`above` or `below`, one of them, with a number")
    return PlacedAlert(**msgspec.structs.asdict(alert), place=place)


def _bounds(alert: Alert) -> str:
    given = {"above": alert.above, "below": alert.below}
    return " and ".join(f"{key} = {value:g}" for key, value in given.items() if value is not None) or (
        "no threshold"
    )


def _refuse_taken_names(alerts: Sequence[PlacedAlert]) -> None:
    seen: dict[str, PlacedAlert] = {}
    for alert in alerts:
        if (first := seen.setdefault(alert.title, alert)) is not alert:
            told = f"{alert.place}: [[alerts]] {alert.title}: {first.place} is called so already"
            raise ProjectError("PJ016", told, expected="a `name` of its own")
