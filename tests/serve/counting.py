"""A model whose every count follows from its rows, and the page that shows what was counted."""

from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from siklus.contract.columns import Category, Contract, Number, Target
from siklus.serve.counting.counters import Counters
from siklus.serve.counting.metrics import Metrics
from siklus.stats.profile import ColumnProfile, profile_numbers, profile_words
from tests.serve.bundles import classifier

ORIGINS = ("JFK", "LGA", "EWR", "<odd>")
FLIGHTS = Contract(
    columns=(
        Number(name="distance", minimum=0, maximum=100, nullable=True),
        Category(name="origin", vocabulary=ORIGINS, nullable=True),
    ),
    target=Target(name="late", classes=("no", "yes")),
)
PROFILES: dict[str, ColumnProfile] = {
    "distance": profile_numbers(np.arange(101), minimum=0, maximum=100),
    "origin": profile_words(np.array([0.0] * 60 + [1] * 30 + [2] * 10), ORIGINS),
}

Labels = dict[str, str]
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def flights(path: Path) -> Path:
    """Says "yes" to whatever lies above a distance of 0, wherever it comes from."""
    weights = np.array([[-1, 1], [0, 0]], dtype=np.float32)
    return classifier(path, contract=FLIGHTS, weights=weights, name="flights", columns=PROFILES)


def parsed(page: str) -> Series:
    """Every sample of a page, by its name and labels; fails on a page that Prometheus would refuse."""
    found: Series = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice on the page: {key}"
            found[key] = sample.value
    return found


def counted(counters: Counters) -> Series:
    """What the page of this worker shows."""
    content, _ = Metrics(counters).page(accept="", lineup=None)
    return parsed(content.decode())


def value(series: Series, name: str, /, **labels: str) -> float:
    return series[name, frozenset(labels.items())]


def of_feature(series: Series, feature: str, *, version: str = "7") -> dict[str, float]:
    """The counts of a feature by bin."""
    found = {}
    for (name, pairs), count in series.items():
        labels = dict(pairs)
        if name == "ml_feature_bin_total" and labels["feature"] == feature and labels["version"] == version:
            found[labels.get("bin", "")] = count
    return found
