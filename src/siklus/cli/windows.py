"""Windows of traffic that a command looks at: counted by the servers, logged, or in a file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from siklus.bundle.read import Bundle
from siklus.cli.control import has_control, project_control
from siklus.cli.rows import file_source
from siklus.contract.columns import Contract
from siklus.contract.decode import Decoded
from siklus.errors import DataError, MonitorError
from siklus.ledgers.profiles import window_profile
from siklus.ledgers.totals import Totals
from siklus.monitor.drift.rows import (
    Answers,
    Instance,
    WindowRows,
    decode_leniently,
    profile_window,
    rows_of_instances,
    rows_of_records,
    rows_of_table,
)
from siklus.monitor.looks import project_looks
from siklus.project.durations import seconds_of
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.records.query import Answer, query
from siklus.records.read import newest, records_between
from siklus.records.reading import PredictionRecord
from siklus.stats.profile import Profile
from siklus.table import Table, objects

SourceOfWindow: TypeAlias = Literal["counters", "log", "file", "query"]
ROWS_AT_ONCE = 50_000  # that a model answers for a file
NO_ROWS = "DA009"  # what a source without rows is refused with
OVERDUE_LOOKS = 3  # so many looks may fail before the counters are no news


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Whose traffic it is: ``bundle`` None where there is a contract but no version yet."""

    contract: Contract
    bundle: Bundle | None

    @property
    def version(self) -> str | None:
        return None if self.bundle is None else self.bundle.version


@dataclass(frozen=True, kw_only=True)
class Window:
    """``said``: where it comes from, for a person. ``rows`` None: the servers kept counts only.

    ``whole``: False where counting began only within the window. ``newest``: of an empty window of the log,
    what was answered last, by whatever version.
    """

    source: SourceOfWindow
    said: str
    profile: Profile
    rows: WindowRows | None = None
    whole: bool = True
    newest: PredictionRecord | None = None


def file_window(file: Path, judge: Judge, reference: Profile) -> Window:
    rows = rows_of_file(file, judge)
    return Window(source="file", said=str(file), profile=profile_window(rows, reference), rows=rows)


def rows_of_file(file: Path, judge: Judge) -> WindowRows:
    """All rows of a file, also of one that has none, with what the version says to them."""
    try:
        table = file_source(file).read().table
    except DataError as error:
        if error.code != NO_ROWS:
            raise
        table = Table({name: objects([]) for name in judge.contract.names})
    decoded = decode_leniently(table, judge.contract)
    return rows_of_table(decoded, _answers(decoded, judge.bundle), contract=judge.contract)


def query_window(sql: str, project: OpenProject, judge: Judge, reference: Profile) -> Window:
    """The log's rows that a SELECT names; MonitorError MO004 when it gives no features."""
    found = query(Layout(project.paths.records), sql)
    if "features" not in found.columns:
        raise MonitorError(
            "MO004",
            f"--query gives {', '.join(found.columns)}",
            expected="rows with their features, such as SELECT * FROM predictions WHERE …",
        )
    answered = "prediction" in found.columns
    rows = rows_of_instances(_instances(found), contract=judge.contract)
    rows = rows if answered else replace(rows, answers=None)
    return Window(source="query", said="the query", profile=profile_window(rows, reference), rows=rows)


def traffic_window(
    project: OpenProject, judge: Judge, reference: Profile, *, window: str, now: datetime
) -> Window:
    """The counters where they have the whole window, which costs nothing; else where more of it is."""
    counted = None
    if judge.bundle is not None:
        counted = counted_window(project, judge.bundle, reference, window=window, now=now)
    if counted is not None and counted.whole:
        return counted
    logged = logged_window(project, judge, reference, window=window, now=now)
    return counted if counted is not None and counted.profile.rows > logged.profile.rows else logged


def counted_window(
    project: OpenProject, bundle: Bundle, reference: Profile, *, window: str, now: datetime
) -> Window | None:
    """What the servers counted of the version; None unless somebody has kept looking at them."""
    if not has_control(project):
        return None
    settings = project.settings
    since = now - timedelta(seconds=seconds_of(window))
    late = timedelta(seconds=OVERDUE_LOOKS * seconds_of(settings.monitor.look))
    with project_control(project) as control:
        looks = project_looks(control, settings)
        last = looks.last_look()
        first = looks.first_look()
        if first is None or last is None or last < now - late:
            return None
        totals = looks.between(since, now)
    profile = _counted(totals, bundle, reference)
    if profile is None or not profile.rows:
        return None
    said = f"the last {window}, as the servers counted"
    if first > since:
        return Window(source="counters", said=f"{said} since {first:%H:%M} UTC", profile=profile, whole=False)
    return Window(source="counters", said=said, profile=profile)


def logged_window(
    project: OpenProject, judge: Judge, reference: Profile, *, window: str, now: datetime
) -> Window:
    """What the version answered, and what it only watched, as the prediction log has it."""
    since = now - timedelta(seconds=seconds_of(window))
    found = records_between(Layout(project.paths.records), since, now)
    rows = rows_of_records(
        (record for record in found if judge.version in (None, record.version)), contract=judge.contract
    )
    last = None if len(rows) else next(iter(newest(Layout(project.paths.records), 1)), None)
    return Window(
        source="log",
        said=f"the last {window} of the prediction log",
        profile=profile_window(rows, reference),
        rows=rows,
        newest=last,
    )


def _counted(totals: Totals, bundle: Bundle, reference: Profile) -> Profile | None:
    """Counts of other bins are another bundle's, which had the number before."""
    found = None
    for each in totals.versions:
        if each.layout.version != bundle.version:
            continue
        try:
            profile = window_profile(each, reference=reference, contract=bundle.contract)
        except MonitorError:
            continue
        found = profile if found is None else found.add(profile)
    return found


def _instances(found: Answer) -> Iterator[Instance]:
    features = found.columns.index("features")
    answer = found.columns.index("prediction") if "prediction" in found.columns else None
    for row in found.rows:
        try:
            instance = msgspec.json.decode(str(row[features]))
        except msgspec.MsgspecError as exc:
            raise MonitorError(
                "MO004",
                f"--query: features {str(row[features])[:60]!r}: {exc}",
                expected="the log's own features",
            ) from exc
        yield instance, None if answer is None else row[answer]


def _answers(decoded: Decoded, bundle: Bundle | None) -> Answers | None:
    if bundle is None:
        return None
    rows = decoded.rows
    answers = [np.empty(0)]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        found = bundle.predict(rows.take(slice(start, start + ROWS_AT_ONCE)))
        said = found.values if found.task == "regression" else found.class_indices
        answers.append(said.astype(np.float64))
    return np.concatenate(answers)
