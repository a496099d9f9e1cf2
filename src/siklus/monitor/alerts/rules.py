"""Alert rules: when a signal's value is somebody's business. One definition for every evaluator.

Siklus asks them once a look (`evaluate`), Prometheus at its own interval (`siklus deploy prometheus`); they
mean the same in both. A rule is true of a value; held for its seconds it fires; once it is not true, or the
signal has no value, for as long as it is kept, it resolves.
"""

from typing import Literal, TypeAlias

from msgspec import Struct, structs

from siklus.errors import AlertError
from siklus.monitor.signals import SIGNALS, YES
from siklus.project.alerts import PlacedAlert, Severity
from siklus.project.notify import DEFAULT_RECEIVERS
from siklus.project.sections import Project
from siklus.project.tables import near

HOUR, DAY = 3600, 86_400

Comparison: TypeAlias = Literal[">", "<"]

_BY_FEATURE = tuple(name for name, kind in SIGNALS.items() if kind.by == "feature")


class Rule(Struct, frozen=True, kw_only=True):
    """One rule, checked against the catalogue of signals.

    ``comparison`` and ``threshold`` are Prometheus' `signal > threshold`. ``held``: seconds for which it
    must be true at every look before it fires; 0 fires at once. ``kept``: seconds for which it must not be
    true any more before it is over; 0 is over at once. ``repeat``: seconds after which a rule that
    still fires is told again; None: never. ``receivers``: names of [notify.*]; nobody is told without any.
    ``feature``: the only label that counts, of a signal by feature.
    """

    name: str
    signal: str
    comparison: Comparison
    threshold: float
    held: int = 0
    kept: int = 0
    repeat: int | None = 4 * 3600
    receivers: tuple[str, ...] = ()
    severity: Severity = "warning"
    advice: str = ""
    feature: str | None = None

    def true_of(self, value: float) -> bool:
        """
        >>> Rule(name="slow", signal="latency_p99", comparison=">", threshold=1.0).true_of(1.0)
        False
        """
        return value > self.threshold if self.comparison == ">" else value < self.threshold

    def nearer(self, value: float, *, than: float) -> bool:
        """Whether the value is nearer than the other to making the rule true, or makes it more so."""
        return value > than if self.comparison == ">" else value < than


# Those of a window are kept for an hour: its rows may be enough to judge at one look and too few at the next.
DEFAULTS: tuple[Rule, ...] = (
    Rule(
        name="predictions_since_training",
        signal="predictions_since_training",
        comparison=">",
        threshold=4000,
        held=60,
        repeat=7 * DAY,
        severity="info",
        advice="Consider retraining: the model has answered 4000 predictions since it was trained.",
    ),
    Rule(
        name="drift_alarm",
        signal="drift_alarm",
        comparison=">",
        threshold=YES,
        kept=HOUR,
        repeat=DAY,
        advice="`siklus drift` says which columns have moved, and how far. Look at the data first: train "
        "again if the world has changed, mend the source if it is broken.",
    ),
    Rule(
        name="joint_drift",
        signal="joint_drift",
        comparison=">",
        threshold=YES,
        repeat=7 * DAY,
        advice="Columns go together otherwise than in training, even where each alone looks as it did: "
        "`siklus drift --joint` says which ones give it away.",
    ),
    Rule(
        name="quality_alarm",
        signal="quality_alarm",
        comparison=">",
        threshold=YES,
        repeat=DAY,
        severity="critical",
        advice="`siklus quality` says how far the answers are below their floor, and in which slices. "
        "Train again on recent rows, or give the traffic back to the version before.",
    ),
    Rule(
        name="error_rate",
        signal="error_rate",
        comparison=">",
        threshold=0.05,
        held=300,
        severity="critical",
        advice="The server fails requests that were right: its log says why. If a new version is to blame, "
        "give the traffic back to the one before: `siklus traffic set --champion VERSION`.",
    ),
    Rule(
        name="refused_rate",
        signal="refused_rate",
        comparison=">",
        threshold=0.2,
        held=600,
        advice="Somebody sends rows that break the contract: their answers (422) name row and column. "
        "Ask who changed what is sent, before the contract is changed.",
    ),
    Rule(
        name="latency_p99",
        signal="latency_p99",
        comparison=">",
        threshold=1.0,
        held=300,
        advice="One request of a hundred waits for more than a second. More `[serve] workers`, smaller "
        "batches of the callers, or a simpler model make it quicker.",
    ),
    Rule(
        name="missing_jump",
        signal="missing_jump",
        comparison=">",
        threshold=YES,
        kept=HOUR,
        repeat=DAY,
        advice="More cells of the column are empty than in training: most often its source is broken. "
        "Mend that; do not train on it.",
    ),
    Rule(
        name="unseen_share",
        signal="unseen_share",
        comparison=">",
        threshold=0.05,
        held=300,
        kept=HOUR,
        repeat=DAY,
        advice="The column brings words that training did not know, and the model learnt nothing of them. "
        "If they are here to stay, train again with a contract that has them; if they are mistakes, mend "
        "the source.",
    ),
    Rule(
        name="log_dropped",
        signal="log_dropped",
        comparison=">",
        threshold=0,
        advice="The disk does not take the prediction log: free some room, or lower `[records] keep_bytes`. "
        "What was answered meanwhile cannot be judged later.",
    ),
    Rule(
        name="model_age",
        signal="model_age",
        comparison=">",
        threshold=90,
        repeat=30 * DAY,
        severity="info",
        advice="The model was trained three months ago. `siklus train` on recent rows says whether a newer "
        "one would be better.",
    ),
)


def project_rules(project: Project) -> tuple[Rule, ...]:
    """The project's own rules and the defaults that they do not replace, by name.

    AlertError AL001 for a signal that does not exist, AL002 for a `feature` where the signal has none.
    """
    everybody = tuple(sorted(project.notify)) or tuple(DEFAULT_RECEIVERS)
    own = [_own(alert, everybody) for alert in project.alerts]
    taken = {rule.name for rule in own}
    defaults = DEFAULTS if project.monitor.default_alerts else ()
    return (*own, *(_told(rule, everybody) for rule in defaults if rule.name not in taken))


def _told(rule: Rule, everybody: tuple[str, ...]) -> Rule:
    return structs.replace(rule, receivers=everybody)


def _own(alert: PlacedAlert, everybody: tuple[str, ...]) -> Rule:
    kind = SIGNALS.get(alert.signal)
    if kind is None:
        told = f"{alert.place}: [[alerts]] signal = {alert.signal!r}: there is no such signal"
        raise AlertError("AL001", told, expected=near(alert.signal, list(SIGNALS)))
    if alert.feature is not None and kind.by != "feature":
        told = f"{alert.place}: [[alerts]] feature = {alert.feature!r}: {alert.signal} has one value for all"
        raise AlertError("AL002", told, expected=f"no feature, or one of {', '.join(_BY_FEATURE)}")
    return Rule(
        name=alert.title,
        signal=alert.signal,
        comparison=">" if alert.above is not None else "<",
        threshold=alert.threshold,
        held=alert.held_seconds,
        kept=alert.kept_seconds,
        repeat=alert.repeat_seconds,
        receivers=everybody if alert.notify is None else alert.notify,
        severity=alert.severity,
        advice=alert.advice,
        feature=alert.feature,
    )
