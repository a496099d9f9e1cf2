"""The catalogue of faults, in the order in which they are told, and which of them were asked for."""

from collections.abc import Mapping, Sequence

from siklus.drill import data_faults, rollout_faults, serving_faults, training_faults
from siklus.drill.faults import Fault, Place
from siklus.errors import DrillError
from siklus.project.tables import near

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        *data_faults.FAULTS,
        *training_faults.FAULTS,
        *rollout_faults.FAULTS,
        *serving_faults.FAULTS,
    )
}
# The longest first, so that the short ones fit beside it.
PLACES: tuple[Place, ...] = ("concept", "rollouts", "covariate", "serving", "missing")


def chosen(names: Sequence[str]) -> tuple[Fault, ...]:
    """The faults of these names; without any all. DrillError DR001 for a name that is none."""
    for name in names:
        if name not in FAULTS:
            told = f"there is no fault called {name!r}"
            raise DrillError("DR001", told, expected=near(name, list(FAULTS)))
    return tuple(fault for fault in FAULTS.values() if not names or fault.name in names)


def by_place(faults: Sequence[Fault]) -> list[tuple[Fault, ...]]:
    """Those that share a sandbox, together."""
    groups = (tuple(fault for fault in faults if fault.place == place) for place in PLACES)
    return [group for group in groups if group]
