"""Signals of requests, with expected values from the definitions."""

import numpy as np
import pytest

from siklus.ledgers.layouts import LATENCY_BUCKETS
from siklus.ledgers.profiles import window_profile
from siklus.monitor.readings import asked, bucket_quantile, traffic_signals, unseen_shares
from siklus.monitor.signals import SIGNALS
from tests.monitor.counts import REFERENCE, layout, of_version, totals
from tests.serve.counting import FLIGHTS


def test_shares_are_of_all_that_was_asked() -> None:
    found = totals(
        of_version("1", success=90, refused=4, error=1),
        of_version("2", success=3),
        server={("failed", "/predict", "error"): 2, ("failed", "shadow", "error"): 50, ("log", "dropped"): 7},
    )
    signals = {signal.name: signal.value for signal in traffic_signals(found, seconds=60)}

    assert signals["predictions_per_second"] == pytest.approx(93 / 60)
    assert signals["error_rate"] == pytest.approx(3 / 100)
    assert signals["refused_rate"] == pytest.approx(4 / 100)
    assert signals["log_dropped"] == 7
    assert signals.keys() <= SIGNALS.keys()
    assert asked(found).total == 100


def test_nothing_is_said_of_latencies_and_shares_where_nothing_was_asked() -> None:
    names = {signal.name for signal in traffic_signals(totals(of_version("1")), seconds=60)}
    assert names == {"predictions_per_second", "log_dropped"}


def test_a_quantile_of_buckets_lies_within_one_bucket_of_the_rows_own() -> None:
    seconds = np.random.default_rng(0).lognormal(-6, 1, 10_000)
    counts = np.bincount(np.searchsorted(LATENCY_BUCKETS, seconds), minlength=len(LATENCY_BUCKETS) + 1)
    edges = [0.0, *LATENCY_BUCKETS]
    for share in (0.1, 0.5, 0.95, 0.99):
        truth = np.quantile(seconds, share)
        place = int(np.searchsorted(edges, truth))
        assert edges[place - 1] <= bucket_quantile(LATENCY_BUCKETS, counts, share) <= edges[place]


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert bucket_quantile([1.0, 2.0], np.array([1, 0, 99]), 0.99) == 2.0


def test_the_share_of_unseen_words_is_of_the_column_s_cells() -> None:
    window = of_version("1")
    origin = next(i for i, feature in enumerate(layout("1").features) if feature.name == "origin")
    first = layout("1").bins + sum(len(feature.bins) for feature in layout("1").features[:origin])
    feature = layout("1").features[origin]
    assert feature.unseen is not None
    window.counts[first] = 15
    window.counts[first + feature.unseen] = 5

    [signal] = unseen_shares(window_profile(window, reference=REFERENCE, contract=FLIGHTS))
    assert (signal.label, signal.value) == ("origin", 0.25)
