"""The alarm: is the champion's quality beyond its floor, by a test that may be looked at any time?"""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from siklus.monitor.microseconds import moment_of
from siklus.monitor.quality.judging import SEED, Judged
from siklus.monitor.quality.report import QualityAlarm, QualityFloor
from siklus.project.durations import MONTH_SECONDS, seconds_of
from siklus.project.sections import Monitor
from siklus.stats.anytime import STARTS, FloorEvidence, anytime_estimate, floor_evidence

MOST_TOLD = 50.0  # of the evidence's logarithm, so that its number can be written
MOST_ROWS = 300_000  # the newest outcomes; more say nothing that these do not


def quality_alarm(judged: Judged, floor: QualityFloor, settings: Monitor) -> QualityAlarm | None:
    """Of one version's rows; None where not one of them has an outcome that the floor's metric can take."""
    places = judged.judged(floor.metric)
    received = judged.rows.received[places]
    order = np.argsort(received, kind="stable")[-MOST_ROWS:]
    places, received = places[order], received[order]
    if not len(places):
        return None
    truth, predictions = judged.truth(places), judged.predictions(floor.metric, places)
    starts = step_starts(received, seconds=seconds_of(settings.step))
    evidence = floor_evidence(
        floor.metric,
        truth,
        predictions,
        starts=starts.tolist(),
        floor=floor.limit,
        threshold=MONTH_SECONDS / seconds_of(settings.step) / settings.false_alarm_rate,
    )
    since = None if evidence.since is None else moment_of(int(received[starts[-evidence.since]]))
    return QualityAlarm(
        rows=len(places),
        estimate=anytime_estimate(floor.metric, truth, predictions, seed=SEED),
        log_evidence=evidence.log_evidence,
        log_threshold=evidence.log_threshold,
        since=since,
        alarm=evidence.alarm,
        said=_said(evidence, floor, settings, since=since),
    )


def step_starts(received: NDArray[np.int64], *, seconds: int) -> NDArray[np.int64]:
    """The row at which each of the last 60 steps begins in which outcomes came; ``received``: µs, ascending.

    A step without outcomes says nothing, so it takes no other's place.
    """
    _, first = np.unique(received // (seconds * 1_000_000), return_index=True)
    return np.asarray(first[-STARTS:], dtype=np.int64)


def _said(evidence: FloorEvidence, floor: QualityFloor, settings: Monitor, *, since: datetime | None) -> str:
    rate = f"{100 * settings.false_alarm_rate:g} %"
    if evidence.alarm and since is not None:
        return (
            f"Beyond its floor ({floor.said}) in the outcomes that came since {since:%Y-%m-%d %H:%M}. "
            f"A month without such a change raises this alarm with a chance of {rate} at most."
        )
    found = float(np.exp(min(evidence.log_evidence, MOST_TOLD)))
    odds = f"{found:,.0f}" if found >= 10 else f"{found:.2g}"
    asked = f"{np.exp(evidence.log_threshold):,.0f}"
    return (
        f"No alarm: evidence of {odds} to 1 that it is beyond its floor, where {asked} to 1 are asked for, "
        "because it is looked at again and again."
    )
