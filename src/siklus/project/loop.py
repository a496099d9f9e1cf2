"""[retrain] and [rollout]: when the loop trains anew, on what, and how a new version comes to its users."""

from collections.abc import Collection
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from siklus.errors import ProjectError
from siklus.project.durations import WRITTEN, Duration, DurationOrZero
from siklus.project.names import SafeName
from siklus.project.schedule import EXPECTED, PREFIX, parse_schedule
from siklus.project.tables import near

Fraction: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]

Trigger: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(drift|quality|(predictions|labels):[1-9][0-9]{0,11}|alert:[a-z0-9][a-z0-9_-]{0,62}|schedule:[^\n]{9,200})\Z",
        extra_json_schema={
            "description": "'drift', 'quality', 'predictions:4000', 'labels:1000', 'alert:NAME' "
            "or 'schedule:0 3 * * 1'"
        },
    ),
]
Window: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^(all|recent ({WRITTEN})|sliding [1-9][0-9]{{0,9}})\Z",
        extra_json_schema={"description": "'all', 'recent 30d' or 'sliding 50000'"},
    ),
]
SHADOW: Literal["shadow"] = "shadow"
Step: TypeAlias = Literal["shadow"] | Fraction


class Retrain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[retrain]: what starts a training of the loop's, and on which rows.

    ``window``: of the rows of the source (unless ``source`` is false) and of the logged predictions whose
    outcome is known, by their [data] time, else by when they were answered; counted back from the newest.
    Rows of the source without a time stay in a window of days, and are the oldest of one of rows.
    ``min_labels``: labelled predictions since the last training, below which nothing is trained, and below
    which no challenger is judged. ``patience``: how long a challenger may wait for them. ``trusted``: a file
    of rows that no training reads, on which a challenger must not be worse. ``client_share``: of the labels,
    that one client may have sent. ``notify``: who hears what the loop has done.
    """

    on: tuple[Trigger, ...] = ("drift", "quality")
    cooldown: DurationOrZero = "6h"
    per_day: Annotated[int, Meta(ge=1)] = 2
    window: Window = "recent 90d"
    source: bool = True
    min_labels: Annotated[int, Meta(ge=1)] = 2_000
    patience: Duration = "7d"
    trusted: str | None = None
    client_share: Fraction = 0.5
    memory_bytes: Annotated[int, Meta(ge=500_000_000)] | None = None
    notify: tuple[SafeName, ...] | None = None  # without the key all receivers


class RolloutPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[rollout]: a challenger's way to all requests, step by step, and what it must show on each.

    ``steps``: `shadow`, then shares that grow to 1. ``hold``: the least time on each step; ``give_up``: the
    longest of a whole rollout. ``settle``: after a step began, what is not counted yet, because servers still
    learn of it. ``min_requests``: of the challenger's on each step. ``min_labels``: rows with outcomes that
    both have been asked about, before the last step. ``margin``: by which share of the champion's loss the
    challenger may be worse. ``latency_factor``: its 90 % and 99 % quantiles against the champion's.
    ``alpha``: the chance at which a challenger that is no worse is rolled back, by any test at any look.
    """

    automatic: bool = True  # otherwise a challenger that was accepted waits for `siklus rollout start`
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=20)] = ("shadow", 0.05, 0.25, 1.0)
    hold: DurationOrZero = "1h"
    give_up: Duration = "7d"
    settle: DurationOrZero = "10s"
    freeze: DurationOrZero = "1d"  # after a rollback, when nothing is rolled out by itself
    min_requests: Count = 500
    min_labels: Count = 2_000
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.02
    latency_factor: Annotated[float, Meta(ge=1)] = 2.0
    alpha: Annotated[float, Meta(gt=0, lt=0.5)] = 0.01


def refuse_unclear_retrain(retrain: Retrain, *, where: str, receivers: Collection[str]) -> None:
    """PJ018 for a schedule that is none, or that never comes; PJ017 for a receiver that is not declared.

    ``where``: the place of [retrain]; ``receivers``: the names of [notify.*].
    """
    for trigger in retrain.on:
        if trigger.startswith(PREFIX):
            try:
                parse_schedule(trigger.removeprefix(PREFIX))
            except ValueError as exc:
                told = f"{where}: [retrain] on = {trigger!r}: {exc}"
                raise ProjectError("PJ018", told, expected=EXPECTED) from exc
    for name in retrain.notify or ():
        if name not in receivers:
            wanted = f"a section [notify.{name}], or {near(name, sorted(receivers))}"
            raise ProjectError(
                "PJ017", f"{where}: [retrain] notify = {name!r}: no [notify.{name}]", expected=wanted
            )


def refuse_unclear_steps(plan: RolloutPlan, *, where: str) -> None:
    """PJ004 unless the steps grow, from one on which the champion still answers. ``where``: their place."""
    shares = [0.0 if step == SHADOW else float(step) for step in plan.steps]
    if shares[0] == 1 or any(later <= earlier for earlier, later in pairwise(shares)):
        told = f"{where}: [rollout] steps = {list(plan.steps)}"
        raise ProjectError("PJ004", told, expected="'shadow' or a share below 1 first, then growing shares")
