"""Drift in PromQL: a window's rows against training's, by column and version, over all replicas.

The same numbers as `stats.distance` has of the same counts. A window's rows are the increase of each bin's
counter, summed over the replicas; training's are what the reference's gauges tell. The distances compare
values, so what no bin takes (missing, unseen, out of range) is left out of them, there as here.

`increase` extrapolates to the edges of the window: over an hour, scraped every 15 s, by at most 0.4 %.
"""

from collections.abc import Iterator, Mapping
from string import Template

from msgspec import Struct

from siklus.ledgers.bins import ABOVE, BELOW, MISSING, NON_FINITE, UNSEEN

PSEUDO_COUNT = 0.5

BIN_ROWS, ROWS = "siklus:feature_bin:rows", "siklus:feature:rows"
BIN_REFERENCE_ROWS = "siklus:feature_bin:reference_rows"
BIN_SHARE, BIN_REFERENCE_SHARE = "siklus:value_bin:share", "siklus:value_bin:reference_share"
PSI, HELLINGER, JENSEN_SHANNON = "siklus:drift_psi", "siklus:drift_hellinger", "siklus:drift_jensen_shannon"
X2 = "siklus:drift_x2"

_COLUMN = "job, version, feature"
_JOB = 'job="$job"'
# No word of a vocabulary is written in single angle brackets, so these five name nothing else.
_VALUES = f'{_JOB},bin!~"{MISSING}|{NON_FINITE}|{BELOW}|{ABOVE}|{UNSEEN}"'
_ENOUGH = f"\nand {ROWS}{{{_JOB}}} >= $min_rows"
_P, _Q = f"{BIN_SHARE}{{{_JOB}}}", f"{BIN_REFERENCE_SHARE}{{{_JOB}}}"


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


def _shares(rows: str) -> str:
    counted = f"({rows}{{{_VALUES}}} + {PSEUDO_COUNT})"
    return f"{counted}\n  / on ({_COLUMN}) group_left () sum by ({_COLUMN}) {counted}"


_RECORDINGS: Mapping[str, tuple[str, str]] = {
    BIN_ROWS: (
        "Rows of the window, by bin, over all replicas.",
        f"sum by ({_COLUMN}, bin) (increase(ml_feature_bin_total{{{_JOB}}}[$window]))",
    ),
    ROWS: (
        "The same of all bins of a column.",
        f"sum by ({_COLUMN}) ({BIN_ROWS}{{{_JOB}}})",
    ),
    BIN_REFERENCE_ROWS: (
        "Rows of the training, by bin. Each replica tells them, so they are not added up.",
        f"max by ({_COLUMN}, bin) (ml_feature_reference_ratio{{{_JOB}}})\n"
        f"  * on ({_COLUMN}) group_left () max by ({_COLUMN}) (ml_feature_reference_rows{{{_JOB}}})",
    ),
    BIN_SHARE: (
        "Shares of the bins that hold values, in the window; half a row in each keeps logarithms finite.",
        _shares(BIN_ROWS),
    ),
    BIN_REFERENCE_SHARE: (
        "Likewise in the training.",
        _shares(BIN_REFERENCE_ROWS),
    ),
    PSI: (
        "The population stability index.",
        f"sum by ({_COLUMN}) (({_P} - {_Q}) * ln({_P} / {_Q})){_ENOUGH}",
    ),
    HELLINGER: (
        "Hellinger's distance, 0 to 1.",
        f"sqrt(sum by ({_COLUMN}) ((sqrt({_P}) - sqrt({_Q})) ^ 2) / 2){_ENOUGH}",
    ),
    JENSEN_SHANNON: (
        "Jensen and Shannon's distance, 0 to 1.",
        f"sqrt(clamp_min(sum by ({_COLUMN}) (\n"
        f"    {_P} * log2(2 * {_P} / ({_P} + {_Q}))\n"
        f"    + {_Q} * log2(2 * {_Q} / ({_P} + {_Q}))\n"
        f"  ) / 2, 0)){_ENOUGH}",
    ),
}
