"""Replay: logged requests through a candidate, before any user meets it.

Each row is asked as a server would be asked, of the candidate and of the champion; beside the answers stands
the one that was given then. So whatever the candidate would refuse, fail at, or say otherwise is known
beforehand, and where outcomes have come, who of the two is better.
"""

import time
from datetime import UTC, datetime

import duckdb
import msgspec

from siklus.automation.replay.beside import TIMED_ROWS, latency_beside
from siklus.automation.replay.replayed import Replay
from siklus.automation.replay.tally import LoggedRow, Tally
from siklus.automation.rollout.pairs import has_sensitive
from siklus.bundle.read import Bundle
from siklus.errors import AutomationError, RecordsError
from siklus.monitor.quality.question import QualityQuestion, columns_of
from siklus.project.sections import Project
from siklus.records.joined import plain
from siklus.records.layout import Layout
from siklus.records.query import open_views
from siklus.train.metric import metric_of

PIECE_ROWS = 2_000  # asked at once
SAMPLE_ROWS = 100_000  # drawn by default: a share of 0.1 % among them is known to a tenth of itself

_STRETCH = "FROM joined WHERE time >= ? AND time < ?"
# By MD5, so that the same rows are drawn again, whatever came to the log since.
_DRAWN = "ORDER BY md5_number_lower(prediction_id) LIMIT ?"
_ROWS = """
SELECT prediction_id, epoch_us(time), version, arm, CAST(features AS VARCHAR), prediction, predicted_number,
    probability, outcome, outcome_number
"""


class ReplayQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Rows answered from ``since`` until before ``until``, moments with a time zone; no shadows' answers.

    ``sample``: at most so many, drawn at random; None: all. ``by``: `version` (which answered then), `arm` or
    columns of the champion's contract, beside those of [monitor] slices.
    """

    since: datetime
    until: datetime
    sample: int | None = SAMPLE_ROWS
    by: tuple[str, ...] = ()


def replay(
    layout: Layout, question: ReplayQuestion, settings: Project, *, candidate: Bundle, champion: Bundle
) -> Replay:
    """Ask both about the logged rows of a stretch.

    AutomationError AU070 where a column is sensitive, so that the log does not have it, AU071 without a row,
    AU072 for a candidate of another task; MonitorError MO021 for a column that is not there; RecordsError
    RC003, RC006. About 30 bytes a row stay in memory.
    """
    _refuse_other_kind(candidate, champion)
    began = time.monotonic()
    asked = QualityQuestion(since=question.since, until=question.until, by=question.by)
    tally = Tally(
        candidate=candidate,
        champion=champion,
        metric=metric_of(settings),
        slices={
            **dict.fromkeys(name for name in question.by if name in ("version", "arm")),
            **columns_of(asked, settings.monitor, champion),
        },
    )
    logged = 0
    with open_views(layout, for_query="joined", made_from=question.since) as connection:
        try:
            logged, found = _drawn(connection, question)
            tally.time_every(max(1, min(logged, question.sample or logged) // TIMED_ROWS))
            while rows := found.fetchmany(PIECE_ROWS):
                tally.take([LoggedRow(*row) for row in rows])
        except duckdb.Error as exc:
            raise RecordsError(
                "RC006", f"{layout.root}: {exc}", expected="room on the disk, and sound Parquet files"
            ) from exc
    if not logged:
        told = f"no row was answered from {_moment(question.since)} until {_moment(question.until)} UTC"
        raise AutomationError("AU071", told, expected="a longer time: --last 30d")
    latency = latency_beside(candidate, champion, tally.timed)
    found_all = tally.result(question.since, question.until, logged=logged, latency=latency)
    return msgspec.structs.replace(found_all, seconds=time.monotonic() - began)


def _drawn(
    connection: duckdb.DuckDBPyConnection, question: ReplayQuestion
) -> tuple[int, duckdb.DuckDBPyConnection]:
    """How many rows there are, and those that are asked about, as they come."""
    stretch = [plain(question.since), plain(question.until)]
    [(logged,)] = connection.execute(f"SELECT count(*) {_STRETCH}", stretch).fetchall()
    if question.sample is None or logged <= question.sample:
        return logged, connection.execute(f"{_ROWS} {_STRETCH}", stretch)
    chosen = f"SELECT prediction_id {_STRETCH} {_DRAWN}"
    connection.execute(f"CREATE TEMP TABLE siklus_drawn AS {chosen}", [*stretch, question.sample])
    return logged, connection.execute(f"{_ROWS} FROM joined SEMI JOIN siklus_drawn USING (prediction_id)")


def _refuse_other_kind(candidate: Bundle, champion: Bundle) -> None:
    if candidate.contract.task != champion.contract.task:
        told = f"version {candidate.version} answers a {candidate.contract.task}"
        raise AutomationError("AU072", told, expected=f"a {champion.contract.task}, as the champion")
    for bundle in (candidate, champion):
        if has_sensitive(bundle.contract):
            names = [column.name for column in bundle.contract.columns if column.sensitive]
            told = f"version {bundle.version} reads {', '.join(names)}, which the log does not keep as it was"
            raise AutomationError("AU070", told, expected="columns that are not sensitive")


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
