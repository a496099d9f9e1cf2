"""Outcomes as they lie in the database, read without Siklus."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

ROWS = "SELECT prediction_id, outcome, observed_us, received_us, client FROM outcomes ORDER BY received_us"


def stored_outcomes(path: Path) -> list[tuple[Any, ...]]:
    """Prediction id, outcome as JSON, observed, received (Unix µs) and client of each, by receipt."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(ROWS).fetchall()
