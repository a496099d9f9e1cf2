"""Layouts: which place in a ledger counts what. Made from the bundle; nothing of a request gets in here.

A layout is the ledger's title, as JSON, so that a page can be made from the files alone: also of versions
that nobody has opened since, and of counts that other workers have made.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal, TypeAlias
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Contract, label_text
from siklus.ledgers.bins import FeatureBins, bin_names, bins_of
from siklus.ledgers.ledger import Title
from siklus.stats.profile import NumericProfile, Profile

SHADOW = "shadow"  # the endpoint under which versions count that only watch
ENDPOINTS = (
    "/predict",
    "/predict/batch",
    "/v2/models/{name}/infer",
    "/v1/models/{name}:predict",
    "/invocations",
    SHADOW,
)
OUTCOMES = ("success", "refused", "error")  # answered; the request was wrong (4xx); the server was (5xx)
FEEDBACK = ("new", "known", "unknown_id", "conflicting", "refused", "error")  # what became of an outcome
# Which limit refused, by the code of the refusal.
LIMITS: Mapping[str, str] = {
    "RQ007": "batch_rows",
    "RQ008": "body_bytes",
    "RQ014": "header_bytes",
    "RQ015": "deadline",
    "RQ040": "key",
    "RQ041": "rate",
    "SV020": "waiting",
    "SV021": "connections",
    "SV022": "patience",
}
VERSION_LEDGERS = "version-"  # begins the name of each version's ledger
MOST_NAME = 100  # characters of a version in it
NO_VERSION = "none"  # of a request that failed before a version was picked for it

# Seconds. A row takes about 0.2 ms all in all, a large batch takes seconds.
LATENCY_BUCKETS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """The bins of one float of a decoded row.

    ``reference``: their shares in training, of ``reference_rows`` rows; none if unknown.
    ``unseen`` is where words outside the vocabulary are counted, None for a number.
    """

    name: str
    bins: tuple[str, ...]
    reference: tuple[float, ...]
    reference_rows: int = 0
    unseen: int | None


class VersionLayout(msgspec.Struct, tag="version", frozen=True, kw_only=True, dict=True):
    """Places of one version: outcomes by endpoint, latencies by endpoint, what was predicted, features.

    ``rules`` is a digest of the cuts and ranges: counts over other bins never add up.
    """

    version: str
    endpoints: tuple[str, ...] = ENDPOINTS
    outcomes: tuple[str, ...] = OUTCOMES
    buckets: tuple[float, ...] = LATENCY_BUCKETS
    predicted_as: Literal["prediction_class", "bin"]
    predicted: tuple[str, ...]
    features: tuple[Feature, ...]
    rules: str

    @cached_property
    def latencies(self) -> int:
        """Where the first endpoint's buckets begin; each endpoint has one more than ``buckets``."""
        return len(self.endpoints) * len(self.outcomes)

    @cached_property
    def predictions(self) -> int:
        """Where the counts of what was predicted begin."""
        return self.latencies + len(self.endpoints) * (len(self.buckets) + 1)

    @cached_property
    def bins(self) -> int:
        """Where the features' bins begin."""
        return self.predictions + len(self.predicted)

    @property
    def ledger(self) -> str:
        """The name of the ledger that has this layout."""
        return VERSION_LEDGERS + quote(self.version, safe="")[:MOST_NAME]

    @property
    def title(self) -> Title:
        counts = self.bins + sum(len(feature.bins) for feature in self.features)
        return Title(text=msgspec.json.encode(self), counts=counts, sums=len(self.endpoints))


class ServerLayout(msgspec.Struct, tag="server", frozen=True, kw_only=True, dict=True):
    """Places of what has no version. The first ones say which process has the row."""

    # What names or shows the process that has a row; all else counts, and adds up.
    OF_A_PROCESS: ClassVar[tuple[str, ...]] = ("pid", "ticks", "gauges")

    endpoints: tuple[str, ...] = ENDPOINTS
    failures: tuple[str, ...] = OUTCOMES[1:]
    feedback: tuple[str, ...] = FEEDBACK
    limits: tuple[str, ...] = tuple(LIMITS.values())
    log: tuple[str, ...] = ("written", "dropped")
    gauges: tuple[str, ...] = ("in_flight", "waiting")

    @cached_property
    def places(self) -> dict[tuple[str, ...], int]:
        """(what, label values …) → place."""
        names: list[tuple[str, ...]] = [("pid",), ("ticks",), ("starts",)]
        names += [("failed", at, how) for at in self.endpoints for how in self.failures]
        for what in ("feedback", "limits", "log", "gauges"):
            names += [(what, label) for label in getattr(self, what)]
        return {name: place for place, name in enumerate(names)}

    @property
    def ledger(self) -> str:
        """The name of the ledger that has this layout."""
        return "server"

    @property
    def title(self) -> Title:
        return Title(text=msgspec.json.encode(self), counts=len(self.places), sums=0)


Layout: TypeAlias = VersionLayout | ServerLayout


def read_layout(text: bytes) -> Layout | None:
    """The layout that a ledger's title holds; None when it is another's."""
    try:
        found: Layout = msgspec.json.decode(text, type=VersionLayout | ServerLayout)
    except msgspec.MsgspecError:
        return None
    return found


def layout_of(version: str, contract: Contract, profile: Profile) -> tuple[VersionLayout, FeatureBins]:
    """Where a version's traffic is counted, and how its rows are; ``profile`` is its reference."""
    columns = bins_of(contract, profile)
    classes = contract.target.classes
    cuts = prediction_cuts(profile)
    layout = VersionLayout(
        version=version,
        predicted_as="bin" if classes is None else "prediction_class",
        predicted=tuple(bin_names(cuts) if classes is None else [label_text(label) for label in classes]),
        features=tuple(
            Feature(
                name=column.name,
                bins=column.labels,
                reference=column.reference,
                reference_rows=column.reference_rows,
                unseen=column.unseen,
            )
            for column in columns
        ),
        rules=hashlib.sha256(b"".join(column.rule for column in columns)).hexdigest(),
    )
    return layout, FeatureBins(columns)


def prediction_cuts(profile: Profile) -> NDArray[np.float32]:
    """Where the reference profile cuts the predicted numbers, ascending; empty where it has no cuts."""
    predicted = profile.prediction
    return np.array(predicted.cuts if isinstance(predicted, NumericProfile) else (), dtype=np.float32)
