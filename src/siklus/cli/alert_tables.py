"""How alerts stand, as tables."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from siklus.cli.output import results, table
from siklus.monitor.alerts.listing import Listed, Listing
from siklus.monitor.alerts.rules import Rule
from siklus.monitor.amounts import amount, counted
from siklus.monitor.signals import SIGNALS
from siklus.project.durations import duration_of, seconds_of
from siklus.project.sections import Monitor
from siklus.registry.journal import Entry

LATE_LOOKS = 3  # looks that were missed, before it is said that nobody looks


def print_listing(shown: Listing, settings: Monitor, *, now: datetime) -> None:
    headings = ["rule", "state", "value", "fires when", "since (UTC)", "told", "silenced until (UTC)"]
    results().print(table("", headings, [_row(row) for row in shown.rules]))
    for line in _remarks(shown, settings, now=now):
        results().print(line, markup=False)


def print_history(entries: Sequence[Entry]) -> None:
    if not entries:
        results().print("Nothing has happened yet.", markup=False)
        return
    rows = [(_minute(entry.time), entry.author, entry.text) for entry in entries]
    results().print(table("", ["time (UTC)", "by", "what"], rows))


def _row(row: Listed) -> tuple[object, ...]:
    rule = row.rule
    return (
        f"{rule.name} of {row.label}" if row.label else rule.name,
        row.state.upper() if row.state == "firing" else row.state,
        "" if row.value is None else amount(row.value, SIGNALS[rule.signal].unit),
        _condition(rule),
        _minute(row.since),
        ", ".join(f"{name} (waiting)" if name in row.waiting else name for name in row.told),
        _minute(row.silenced_until),
    )


def _condition(rule: Rule) -> str:
    """`above 5 % for 5m`; of yes and no the word alone.

    >>> _condition(Rule(name="e", signal="error_rate", comparison=">", threshold=0.05, held=300))
    'above 5 % for 5m'
    """
    unit = SIGNALS[rule.signal].unit
    side = "above" if rule.comparison == ">" else "below"
    if unit == "yes/no" and 0 <= rule.threshold < 1:
        bound = "yes" if rule.comparison == ">" else "no"
    else:
        bound = f"{side} {amount(rule.threshold, unit)}"
    return f"{bound} for {duration_of(rule.held)}" if rule.held else bound


def _remarks(shown: Listing, settings: Monitor, *, now: datetime) -> list[str]:
    said = []
    late = timedelta(seconds=LATE_LOOKS * seconds_of(settings.look))
    if settings.evaluator == "prometheus":
        said.append(
            "Prometheus asks these rules (`siklus deploy prometheus`): Alertmanager knows their state."
        )
    elif shown.looked is None:
        said.append("Nobody has looked yet: `siklus serve` and `siklus watch` do.")
    elif now - shown.looked > late:
        looked = _minute(shown.looked)
        said.append(f"Nobody has looked since {looked} UTC: `siklus serve` and `siklus watch` do.")
    if not settings.enabled:
        said.append("`siklus serve` starts no watch: [monitor] enabled is false.")
    for waiting in shown.waiting:
        receiver, reason = waiting.notification.receiver, waiting.reason or "not tried yet"
        again = f"{counted(waiting.attempts, 'attempt')}, the next at {_minute(waiting.due)} UTC"
        said.append(f"Not delivered to {receiver} yet ({again}): {reason}")
    return said


def _minute(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}"
