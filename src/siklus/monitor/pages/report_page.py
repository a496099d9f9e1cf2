"""The page of a window of traffic, made of its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from siklus.monitor.drift.report import PREDICTION, ColumnDrift
from siklus.monitor.drift.words import say_chance, say_far, say_report
from siklus.monitor.pages import report_charts as charts
from siklus.monitor.pages.html import rendered
from siklus.monitor.pages.svg import Drawing
from siklus.monitor.pages.window import Firing, WindowReport
from siklus.monitor.pages.words import count, number, percent, printable, seconds
from siklus.monitor.quality.report import QualityReport

PICTURES = 6  # of the columns that differ most
QUALITY_WORDS = {
    "no labels yet": "no outcomes yet",
    "too few labels": "too few outcomes",
    "keeps": "keeps its floor",
    "unsure": "unsure",
    "beyond": "beyond its floor",
    "no floor": "no floor",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A column of the drift table, as text."""

    name: str
    verdict: str
    alarming: bool
    said: str
    far: str
    p: str
    q: str
    psi: str


@dataclass(frozen=True, kw_only=True)
class FiringRule:
    """What fires of a rule, for whichever columns; ``since`` when the first of them began."""

    title: str
    since: datetime
    severity: str
    advice: str


def report_page(found: WindowReport, *, made: datetime, version: str) -> str:
    """The whole HTML file. ``made`` in UTC; ``version`` is that of Siklus."""
    quality = found.quality
    predicted = next((column for column in found.drift.columns if column.name == PREDICTION), None)
    return rendered(
        "report.html.j2",
        found=found,
        made=made,
        version=version,
        firing=_firing(found),
        length=seconds((found.until - found.since).total_seconds()),
        drift_said=say_report(found.drift),
        columns=[_row(column) for column in found.drift.columns],
        predictions=charts.beside_training(
            "the predictions", found.reference.prediction, found.window.prediction
        ),
        predictions_said=""
        if predicted is None or not found.drift.enough
        else f"{predicted.verdict}: {predicted.said}",
        pictures=_pictures(found),
        asked=charts.asked(found.requests),
        latency=charts.latency(found.requests),
        quality=quality,
        quality_time=None if quality is None else charts.quality_over_time(quality),
        coverage_time=None if quality is None else charts.coverage_over_time(quality),
        remarks=[*found.remarks, *found.drift.remarks, *(quality.remarks if quality else ())],
        **_tiles(found),
        **_quality_words(quality),
    )


def _tiles(found: WindowReport) -> dict[str, object]:
    whole = found.requests.whole
    asked = whole.answered + (whole.refused or 0) + (whole.failed or 0)
    length = (found.until - found.since).total_seconds()
    moved = len(found.drift.alarming)
    if not found.drift.enough:
        drift = "not judged", f"{count(found.drift.rows)} of {count(found.drift.min_rows)} rows"
    elif found.drift.alarm:
        drift = "yes", f"in {moved} of {len(found.drift.columns)} columns"
    else:
        drift = "no", f"of {len(found.drift.columns)} columns"
    return {
        "rate": f"{number(whole.answered / length, 2)} a second",
        "failed_share": (whole.failed or 0) / asked if asked else 0.0,
        "refused_share": (whole.refused or 0) / asked if asked else 0.0,
        "drift_word": drift[0],
        "drift_more": drift[1],
    }


def _firing(found: WindowReport) -> Sequence[FiringRule]:
    """One for each rule: its columns have one advice."""
    told: dict[str, list[Firing]] = {}
    for each in found.firing or ():
        told.setdefault(each.rule, []).append(each)
    return [
        FiringRule(
            title=f"{rule} of {', '.join(printable(one.label) for one in ones)}" if ones[0].label else rule,
            since=min(one.since for one in ones),
            severity=ones[0].severity,
            advice=ones[0].advice,
        )
        for rule, ones in told.items()
    ]


def _quality_words(quality: QualityReport | None) -> dict[str, object]:
    if quality is None:
        told = "no outcome can be joined to these predictions."
        return {"quality_word": "unknown", "quality_more": "", "quality_said": told, "quality_looks": False}
    watched = quality.whole.metrics.get(quality.metric)
    labels = quality.whole.labels
    verdict = QUALITY_WORDS[quality.whole.verdict]
    share = percent(labels.coverage)
    said = f"{count(labels.labelled)} of {count(labels.predictions)} predictions of all versions have their "
    said += f"outcome ({share})."
    if watched is not None and watched.value is not None:
        bounds = "" if watched.low is None else f" (95 %: {number(watched.low)} to {number(watched.high)})"
        floor = f"; floor {quality.floor.said}" if quality.floor else ""
        said += f" On these, {quality.metric} is {number(watched.value)}{bounds}: {verdict}{floor}."
    if quality.alarm is not None and quality.alarm.alarm:
        said += f" {quality.alarm.said}"
    value = watched.value if watched else None
    return {
        "quality_word": verdict if value is None else f"{quality.metric} {number(value, 3)}",
        "quality_more": "" if value is None else verdict,
        "quality_said": said,
        "quality_looks": quality.beyond,
    }


def _pictures(found: WindowReport) -> Sequence[tuple[str, Drawing, str]]:
    """Of the columns that are not steady, the most certain first; where all are, of the first two."""
    if not found.drift.enough:
        return []
    columns = [column for column in found.drift.columns if column.name != PREDICTION]
    told = [column for column in columns if column.verdict != "steady"] or columns[:2]
    drawn = []
    for column in told[:PICTURES]:
        reference, window = found.reference.columns.get(column.name), found.window.columns.get(column.name)
        if reference is None or window is None:
            continue
        picture = charts.beside_training(column.name, reference, window)
        if picture is not None:
            drawn.append((column.name, picture, column.said))
    return drawn


def _row(column: ColumnDrift) -> Row:
    return Row(
        name="the predictions" if column.name == PREDICTION else column.name,
        verdict=column.verdict,
        alarming=column.alarming,
        said=column.said,
        far=say_far(column.effect),
        p=say_chance(column.p),
        q=say_chance(column.q),
        psi="" if column.psi is None else f"{column.psi:.2f}",
    )
