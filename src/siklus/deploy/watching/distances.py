"""Drift in PromQL: a window's rows against training's, by column and version, over all replicas.

The same numbers as `stats.distance` and `stats.shift` have of the same counts. A window's rows are the
increase of each bin's counter, summed over the replicas; training's are what the reference's gauges tell.
`increase` extrapolates to the edges of the window: over an hour, scraped every 15 s, by at most 0.4 %.

X² differs in one thing: PromQL knows no order of bins, so those that are too thin to be judged alone are all
put together, where `stats.shift.pooled` makes several groups if there are many.
"""

from collections.abc import Iterator, Mapping
from string import Template

from msgspec import Struct

from siklus.ledgers.bins import ABOVE, BELOW, MISSING, NON_FINITE, UNSEEN
from siklus.stats.distance import PSEUDO_COUNT
from siklus.stats.shift import FEWEST, SETTLED

BIN_ROWS, ROWS = "siklus:feature_bin:rows", "siklus:feature:rows"
BIN_REFERENCE_ROWS = "siklus:feature_bin:reference_rows"
BIN_SHARE, BIN_REFERENCE_SHARE = "siklus:feature_bin:share", "siklus:feature_bin:reference_share"
SMOOTH_SHARE, SMOOTH_REFERENCE_SHARE = "siklus:smooth_bin:share", "siklus:smooth_bin:reference_share"
ENOUGH = "siklus:feature:enough_rows"
POOLED, REFERENCE_POOLED = "siklus:pooled_bin:rows", "siklus:pooled_bin:reference_rows"
PSI, HELLINGER, JENSEN_SHANNON = "siklus:drift_psi", "siklus:drift_hellinger", "siklus:drift_jensen_shannon"
X2, FREEDOM = "siklus:drift_x2", "siklus:drift_x2_freedom"

_JOB = 'job="$job"'
_COLUMN = "job, version, feature"
_ENOUGH = f"\n  and {ROWS}{{{_JOB}}} >= $min_rows"
# No word of a vocabulary stands in single angle brackets, so these five name nothing else.
_VALUES = f'{_JOB},bin!~"{MISSING}|{NON_FINITE}|{BELOW}|{ABOVE}|{UNSEEN}"'


class Recording(Struct, frozen=True, kw_only=True):
    """A recording rule: the name of its series, what it is, and the expression."""

    record: str
    meaning: str
    expression: str


def drift_recordings(*, job: str, window: str, min_rows: int) -> Iterator[Recording]:
    """In the order in which they need each other.

    ``job``: a project's name, which needs no quoting. ``window``: a duration. Of fewer than ``min_rows``
    rows there is no distance.
    """
    values = {"job": job, "window": window, "min_rows": str(min_rows)}
    for record, (meaning, expression) in _RECORDINGS.items():
        yield Recording(record=record, meaning=meaning, expression=Template(expression).substitute(values))


def _sum(of: str) -> str:
    return f"sum by ({_COLUMN}) ({of})"


def _of_column(part: str, whole: str, *, by: str = "/") -> str:
    """Each bin's ``part`` by one value for its column."""
    return f"{part}\n  {by} on ({_COLUMN}) group_left () {whole}"


_N, _M = f"{BIN_ROWS}{{{_JOB}}}", f"{BIN_REFERENCE_ROWS}{{{_JOB}}}"
_VALUE_N, _VALUE_M = f"{BIN_ROWS}{{{_VALUES}}}", f"{BIN_REFERENCE_ROWS}{{{_VALUES}}}"
_P, _Q = f"{BIN_SHARE}{{{_JOB}}}", f"{BIN_REFERENCE_SHARE}{{{_JOB}}}"
_SMOOTH_P, _SMOOTH_Q = f"{SMOOTH_SHARE}{{{_JOB}}}", f"{SMOOTH_REFERENCE_SHARE}{{{_JOB}}}"
_POOLED_N, _POOLED_M = f"{POOLED}{{{_JOB}}}", f"{REFERENCE_POOLED}{{{_JOB}}}"
_THICK, _THIN = (f"{_VALUE_M} {than} on ({_COLUMN}) group_left () {ENOUGH}{{{_JOB}}}" for than in (">=", "<"))


def _smooth(rows: str) -> str:
    counted = f"({rows} + {PSEUDO_COUNT} and {_N} + {_M} > 0)"
    return _of_column(counted, _sum(counted))


def _divergence(share: str) -> str:
    """Kullback and Leibler's, from the middle between both; an empty bin, whose logarithm is none, adds 0."""
    return _sum(f"({share} > 0)\n    * log2(2 * {share} / ({_P} + {_Q}))")


def _pooled(rows: str) -> str:
    together = f"{_sum(f'{rows} and {_THIN}')}\n    and {_sum(_THIN)} >= {ENOUGH}{{{_JOB}}}"
    return f'({rows} and {_THICK})\n  or label_replace({together}, "bin", "<few>", "", "")'


_RECORDINGS: Mapping[str, tuple[str, str]] = {
    BIN_ROWS: (
        "Rows of the window, by bin, over all replicas.",
        f"sum by ({_COLUMN}, bin) (increase(ml_feature_bin_total{{{_JOB}}}[$window]))",
    ),
    ROWS: ("The same of a whole column.", _sum(_N)),
    BIN_REFERENCE_ROWS: (
        "Rows of the training, by bin. Every replica tells them, so they are not added up.",
        "round("
        + _of_column(
            f"max by ({_COLUMN}, bin) (ml_feature_reference_ratio{{{_JOB}}})",
            f"max by ({_COLUMN}) (ml_feature_reference_rows{{{_JOB}}})",
            by="*",
        )
        + ")",
    ),
    BIN_SHARE: ("Shares of the window's rows.", _of_column(_N, f"({ROWS}{{{_JOB}}} > 0)")),
    BIN_REFERENCE_SHARE: ("Shares of the training's rows.", _of_column(_M, f"({_sum(_M)} > 0)")),
    SMOOTH_SHARE: (
        f"The window's shares with {PSEUDO_COUNT} rows more a bin, so that each has a logarithm; "
        "bins that are empty in both are left out.",
        _smooth(_N),
    ),
    SMOOTH_REFERENCE_SHARE: ("The training's likewise.", _smooth(_M)),
    PSI: (
        "The population stability index.",
        _sum(f"\n  ({_SMOOTH_P} - {_SMOOTH_Q})\n  * ln({_SMOOTH_P} / {_SMOOTH_Q})\n") + _ENOUGH,
    ),
    HELLINGER: (
        "Hellinger's distance, from 0 to 1.",
        f"sqrt({_sum(f'(sqrt({_P}) - sqrt({_Q})) ^ 2')} / 2){_ENOUGH}",
    ),
    JENSEN_SHANNON: (
        "Jensen and Shannon's distance, from 0 to 1.",
        f"sqrt(clamp_min({_divergence(_P)}\n  + {_divergence(_Q)}, 0) / 2){_ENOUGH}",
    ),
    ENOUGH: (
        f"Training rows that make a bin worth judging alone: {SETTLED}, and so many that {FEWEST} are "
        "expected of the window.",
        f"clamp_min({FEWEST} * {_sum(_VALUE_M)}\n  / ({_sum(_VALUE_N)} > 0), {SETTLED})",
    ),
    POOLED: ("The window's rows by bins of values, the thin ones together.", _pooled(_N)),
    REFERENCE_POOLED: ("The training's likewise.", _pooled(_M)),
    FREEDOM: ("Degrees of freedom of X².", f"count by ({_COLUMN}) ({_POOLED_M}) - 1 > 0"),
    X2: (
        "X²: without drift it is about as large as its degrees of freedom.",
        _sum(
            f"\n  (\n    {_of_column(_POOLED_N, _sum(_POOLED_N), by='    /')}\n"
            f"    - {_of_column(_POOLED_M, _sum(_POOLED_M), by='    /')}\n  ) ^ 2\n"
            f"  / ({_POOLED_N} + {_POOLED_M})\n"
        )
        + f"\n  * {_sum(_POOLED_N)} * {_sum(_POOLED_M)}\n  and {FREEDOM}{{{_JOB}}}{_ENOUGH}",
    ),
}
