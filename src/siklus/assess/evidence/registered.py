"""The registered versions, read as quickly as may be: MLflow alone takes seconds to load."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from siklus.registry.versions import Version, version_of

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
        version_of(
            name,
            int(number),
            run_id=run_id,
            created=created,
            tags=tags.get(int(number), {}),
            aliases=aliases,
        )
        for number, run_id, created in rows
    ]
    return tuple(sorted(found, key=lambda version: -version.number))
