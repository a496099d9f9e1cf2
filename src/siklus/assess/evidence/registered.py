"""The registered versions, read as quickly as may be: MLflow alone takes seconds to load."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from siklus.registry.stages import STAGE_TAG, stage_of
from siklus.registry.versions import DATA_TAG, DIGEST_TAG, METRIC_TAG, TASK_TAG, Version

BUSY_SECONDS = 2.0
_VERSIONS = "SELECT version, run_id, creation_time FROM model_versions WHERE name = ?"
_TAGS = "SELECT version, key, value FROM model_version_tags WHERE name = ?"
_ALIASES = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"


def versions_in(database: Path, name: str) -> tuple[Version, ...]:
    """The versions in MLflow's own SQLite file, as `Registry.versions` gives them but without what people
    wrote. Nothing is written; sqlite3.Error when the file is none of MLflow's, or of another MLflow."""
    uri = f"file:{quote(str(database.absolute()))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
        tags: dict[int, dict[str, str]] = {}
        for number, key, value in connection.execute(_TAGS, (name,)):
            tags.setdefault(int(number), {})[key] = value
        aliases = {alias: int(number) for alias, number in connection.execute(_ALIASES, (name,))}
        rows = connection.execute(_VERSIONS, (name,)).fetchall()
    found = [
        _version(name, int(number), run_id, created, tags.get(int(number), {}), aliases)
        for number, run_id, created in rows
    ]
    return tuple(sorted(found, key=lambda version: -version.number))


def _version(
    name: str, number: int, run_id: str | None, created: int, tags: dict[str, str], aliases: dict[str, int]
) -> Version:
    return Version(
        name=name,
        number=number,
        stage=stage_of(number, tag=tags.get(STAGE_TAG), aliases=aliases),
        run_id=run_id or None,
        digest=tags.get(DIGEST_TAG),
        created=datetime.fromtimestamp(created / 1000, UTC),
        task=tags.get(TASK_TAG),
        data_digest=tags.get(DATA_TAG),
        metrics={
            key.removeprefix(METRIC_TAG): float(value)
            for key, value in tags.items()
            if key.startswith(METRIC_TAG)
        },
    )
