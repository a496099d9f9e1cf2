"""The tables of retrainings: jobs, asks, and the pace; and their rows as values."""

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from siklus.automation.retraining.jobs import Retraining
from siklus.automation.retraining.triggers import Pace
from siklus.errors import AutomationError
from siklus.registry.asks import Ask
from siklus.registry.control import METADATA

FORMAT = 1

JOBS = sa.Table(
    "retrainings",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    # Counts the writes: whoever writes says which one it has read.
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("job", sa.Text, nullable=False),
)
ASKS = sa.Table(
    "retraining_asks",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("id", sa.String(63), primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("ask", sa.Text, nullable=False),
    sa.Column("number", sa.Integer),  # of the job that answers it; NULL while none does
)
PACES = sa.Table(
    "retraining_paces",
    METADATA,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("pace", sa.Text, nullable=False),
)


def job_row(job: Retraining) -> dict[str, Any]:
    return {"format": FORMAT, "state": job.state, "revision": job.revision, "job": text_of(job)}


def job_of(row: sa.Row[Any]) -> Retraining:
    return msgspec.json.decode(_held(row, row.job), type=Retraining)


def pace_of(row: sa.Row[Any]) -> Pace:
    return msgspec.json.decode(_held(row, row.pace), type=Pace)


def ask_of(row: sa.Row[Any]) -> Ask:
    return msgspec.json.decode(_held(row, row.ask), type=Ask)


def _held(row: sa.Row[Any], text: str) -> str:
    if row.format != FORMAT:
        told = f"a retraining's row of {row.model!r}: format {row.format}"
        raise AutomationError("AU031", told, expected=f"format {FORMAT}")
    return text


def text_of(value: Struct) -> str:
    return msgspec.json.encode(value).decode()
