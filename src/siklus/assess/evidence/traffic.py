"""What servers and the watch have seen: the board of the last look, and that answered rows were recorded."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from siklus.assess.facts import FULL, HALF, Sighting, Trace
from siklus.assess.signs import SIGNS as CATALOGUE
from siklus.ledgers.board import MOST_BYTES, NAME, Board
from siklus.monitor.alerts.rules import project_rules
from siklus.monitor.amounts import amount
from siklus.monitor.signals import SIGNALS
from siklus.project.file import OpenProject
from siklus.project.notify import Log
from siklus.project.paths import Paths
from siklus.records.layout import Layout

FAMILY = "ml_signal"
NOTIFY = CATALOGUE["alerts-set"].command
# What a look must have had a value of, and the signals of which one must have a rule that somebody hears of.
SEEN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "drift": (("drift_alarm",), ("drift_alarm", "drift_score", "joint_drift")),
    "quality": (("quality",), ("quality", "quality_alarm")),
    "age": (("model_age",), ("model_age", "predictions_since_training")),
    "speed": (("latency_p99", "memory"), ("latency_p99", "latency_p95", "latency_p50")),
}


def on_the_board(project: OpenProject) -> Iterator[Sighting]:
    """Of the last look, however long ago it was; nothing where there was none. AlertError for wrong rules."""
    paths = project.paths
    path = paths.run / NAME
    try:
        with path.open("rb") as file:
            board = msgspec.json.decode(file.read(MOST_BYTES), type=Board)
    except (OSError, msgspec.MsgspecError):
        return
    values: dict[str, float] = {}
    for gauge in board.gauges:
        if gauge.name == FAMILY:
            values |= {labels["signal"]: value for labels, value in gauge.samples if len(labels) == 1}
    where, when = _place(paths, path), datetime.fromtimestamp(board.written, UTC)
    yield _seen("watched", f"the last look had {len(values)} signals", where, when)
    rules = project_rules(project.settings)
    # What only a log takes down, nobody hears.
    people = {name for name, kind in project.settings.notify.items() if not isinstance(kind, Log)}
    asked = {rule.signal for rule in rules}
    heard = {rule.signal for rule in rules if people.intersection(rule.receivers)}
    for sign, (names, ruled) in SEEN.items():
        if all(name in values for name in names):
            said = ", ".join(f"{name} {amount(values[name], SIGNALS[name].unit)}" for name in names)
            yield _seen(f"{sign}-watched", said, where, when)
            asking = ", ".join(sorted(asked.intersection(ruled)))
            if heard.intersection(ruled):
                yield _seen(f"{sign}-heard", f"somebody hears when {asking} fires", where, when)
            elif asking:
                said = f"when {asking} fires, only the log has it"
                yield _seen(f"{sign}-heard", said, where, when, most=HALF, mend=NOTIFY)


def in_the_log(paths: Paths) -> Iterator[Sighting]:
    """The newest file of the prediction log; what stands in it is not read."""
    layout = Layout(paths.records)
    files = [*layout.segments.glob("*"), *layout.parquet.rglob("*.parquet")]
    times = [(file.stat().st_mtime, file) for file in files if file.is_file()]
    if times:
        written, newest = max(times)
        when = datetime.fromtimestamp(written, UTC)
        yield _seen("logged", "answered rows are recorded with their input", _place(paths, newest), when)


def _place(paths: Paths, path: Path) -> str:
    return str(path.relative_to(paths.root)) if path.is_relative_to(paths.root) else str(path)


def _seen(
    sign: str, said: str, where: str, when: datetime, *, most: float = FULL, mend: str = ""
) -> Sighting:
    return Sighting(sign, Trace(kind="exercised", said=said, where=where, when=when, most=most, mend=mend))
