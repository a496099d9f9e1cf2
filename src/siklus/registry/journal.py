"""The journal: what was decided about a model, when, by whom, on what evidence. No entry ever changes."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa

from siklus.errors import RegistryError
from siklus.registry.control import METADATA, Control

FORMAT = 1
NOTHING = msgspec.Raw(b"null")
AUTHOR = "siklus"  # of what nobody has decided by hand

ENTRIES = sa.Table(
    "journal",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(63), nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("time", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. ``kind``: `alert`, `silence`, `notification` …; ``subject``: what it is about.

    ``author``: a person's name or the program's. ``text``: one sentence for people. ``evidence``: for
    programs, as JSON (`evidence_of`). ``number`` is given by the journal and grows with every entry.
    """

    number: int = 0
    time: datetime
    kind: str
    subject: str
    author: str
    text: str
    evidence: msgspec.Raw = NOTHING


def evidence_of(value: msgspec.Struct) -> msgspec.Raw:
    """A struct as an entry's evidence; `msgspec.json.decode(entry.evidence, type=…)` gives it back."""
    return msgspec.Raw(msgspec.json.encode(value))


def stamp(moment: datetime) -> str:
    """A moment as text that sorts as moments do.

    >>> stamp(datetime(2026, 1, 31, 12, tzinfo=UTC))
    '2026-01-31T12:00:00.000000+00:00'
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


# Told of entries within the transaction that writes them, to write what somebody must hear of them.
Also: TypeAlias = Callable[[sa.Connection, Sequence[Entry]], None]


def nobody(_connection: sa.Connection, _entries: Sequence[Entry]) -> None:
    """Nobody hears of it."""


class Journal:
    """The entries about one model. ``also`` is told of what is written here."""

    def __init__(self, control: Control, model: str, *, also: Also = nobody) -> None:
        self._control = control
        self._model = model
        self._also = also
        control.ensure(ENTRIES)

    def append(self, *entries: Entry) -> None:
        """All of them or none; RegistryError RG010 when the database fails."""
        with self._control.transaction() as connection:
            self.write(connection, *entries)

    def write(self, connection: sa.Connection, *entries: Entry) -> None:
        """The same within a transaction of the caller's: decided and journaled, or neither."""
        for entry in entries:
            connection.execute(ENTRIES.insert().values(self._row(entry)))
        if entries:
            self._also(connection, entries)

    def history(
        self, *, limit: int = 20, kinds: Collection[str] = (), at: datetime | None = None
    ) -> list[Entry]:
        """The latest entries, the newest first. ``kinds``: only these; ``at``: what was known by then."""
        wanted = sa.select(ENTRIES).where(ENTRIES.c.model == self._model)
        if kinds:
            wanted = wanted.where(ENTRIES.c.kind.in_(kinds))
        if at is not None:
            wanted = wanted.where(ENTRIES.c.time <= stamp(at))
        with self._control.transaction() as connection:
            rows = connection.execute(wanted.order_by(ENTRIES.c.number.desc()).limit(limit))
            return [_entry(row) for row in rows]

    def _row(self, entry: Entry) -> dict[str, Any]:
        return {
            "model": self._model,
            "format": FORMAT,
            "time": stamp(entry.time),
            "kind": entry.kind,
            "subject": entry.subject,
            "author": entry.author,
            "text": entry.text,
            "evidence": bytes(entry.evidence).decode(),
        }


def _entry(row: sa.Row[Any]) -> Entry:
    if row.format != FORMAT:
        told = f"journal entry {row.number}: format {row.format}"
        raise RegistryError("RG017", told, expected=f"format {FORMAT}")
    return Entry(
        number=row.number,
        time=datetime.fromisoformat(row.time),
        kind=row.kind,
        subject=row.subject,
        author=row.author,
        text=row.text,
        evidence=msgspec.Raw(row.evidence.encode()),
    )
