"""Totals of a small model, written by hand."""

from collections.abc import Mapping

import numpy as np

from siklus.ledgers.layouts import ServerLayout, VersionLayout, layout_of
from siklus.ledgers.totals import ServerTotals, Totals, VersionTotals
from siklus.stats.profile import Profile, profile_words
from tests.serve.counting import FLIGHTS, PROFILES

REFERENCE = Profile(
    rows=101, columns=PROFILES, prediction=profile_words(np.array([0.0] * 90 + [1] * 10), ("no", "yes"))
)
SERVER = ServerLayout()


def layout(version: str) -> VersionLayout:
    return layout_of(version, FLIGHTS, REFERENCE)[0]


def of_version(version: str, **places: int) -> VersionTotals:
    """``places``: what became of requests to the first endpoint, such as `success=3`; all else is 0."""
    found = layout(version)
    counts = np.zeros(found.title.counts, dtype=np.uint64)
    counts[: len(found.outcomes)] = [places.get(outcome, 0) for outcome in found.outcomes]
    return VersionTotals(found, counts, np.zeros(found.title.sums), 0.0)


def totals(*versions: VersionTotals, server: Mapping[tuple[str, ...], int] | None = None) -> Totals:
    rows = np.zeros((2, len(SERVER.places)), dtype=np.uint64)
    for name, count in (server or {}).items():
        rows[1, SERVER.places[name]] = count
    return Totals(versions, (ServerTotals(SERVER, rows),))
