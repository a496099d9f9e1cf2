"""A real Prometheus over a real server's traffic: every signal and panel says something, and it is so."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from siklus.ledgers.bins import column_bins
from siklus.ledgers.board import Board, Gauge, write_board
from siklus.monitor.signals import SIGNALS
from siklus.stats.distance import hellinger, jensen_shannon, psi
from siklus.stats.profile import ColumnProfile, Counts
from siklus.stats.shift import BinShift, bin_shift, pooled
from tests.architecture.source import SRC
from tests.deploy.dashboards.all import DASHBOARDS
from tests.deploy.programs import Prometheus, free_port, running_prometheus
from tests.deploy.projects import deployed, hurried, project
from tests.serve.counting import PROFILES, flights
from tests.serve.servers import Server, serving_bundle

DISTANCES = {"psi": psi, "hellinger": hellinger, "jensen_shannon": jensen_shannon}
SLOTS = {"<missing>": "missing", "<non-finite>": "non_finite", "<unseen>": "unseen"}
SLOTS |= {"<below minimum>": "below_minimum", "<above maximum>": "above_maximum"}
VARIABLES = {
    "$job": "flights",
    "$signal": "memory",
    "$version": ".*",
    "$feature": ".*",
    "$__rate_interval": "10s",
}
OF_VERSION = ("ml_label_coverage", "ml_label_delay_seconds")
OF_METRIC = ("ml_quality", "ml_quality_low", "ml_quality_high", "ml_quality_floor")
OF_FEATURE = ("ml_feature_drift_score", "ml_feature_drift_pvalue", "ml_drift_alarm")
ROWS, ROUNDS = 300, 3
ASKED = ROUNDS * (ROWS + 3)
YOUNG = 0.5  # Prometheus extrapolates by a scrape to the window's end, which is much of a series of three


@dataclass(frozen=True)
class Watched:
    server: Server
    prometheus: Prometheus


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server with two workers that has answered, refused and been told outcomes, and who scrapes it."""
    home = tmp_path_factory.mktemp("live")
    bundle, port, state = flights(home / "bundle"), free_port(), home / "state"
    files = hurried(deployed(project(home), "prometheus", "--target", f"127.0.0.1:{port}", "--every", "1s"))
    options = ["--version", "7", "--port", str(port), "--state", str(state), "--workers", "2"]
    with serving_bundle(bundle, *options) as server, running_prometheus(files, home / "data") as prometheus:
        prometheus.until('up{job="flights"} == 1')
        write_board(state / "run", _board())
        for _ in range(ROUNDS):
            _traffic(server)
            time.sleep(0.4)
        # What was counted last is on the page within a second, and all that is made of it a little later.
        prometheus.until(f'siklus:signal{{signal="predictions_since_training"}} == {ASKED}')
        prometheus.until(f'siklus:feature:rows{{feature="origin"}} >= {ASKED}')
        prometheus.until('siklus:signal{signal="unseen_share"} > 0')
        prometheus.until("siklus:drift_x2")
        yield Watched(server, prometheus)


def _traffic(server: Server) -> None:
    rows: list[Any] = [[i % 70, ["JFK", "LGA", "JFK", None][i % 4]] for i in range(ROWS)]
    answer = server.batch([*rows, [None, "JFK"], [12, "CGK"]])
    server.predict([5, "EWR"])
    server.client.post("/predict", content=b"{")
    outcome = {"prediction_id": answer["prediction_ids"][0], "outcome": "yes"}
    assert server.client.post("/feedback", json=outcome).status_code == 200


def _board() -> Board:
    """What a watch finds, as far as it is not counted."""
    signals = tuple(
        ({"signal": name, **({"feature": "origin"} if kind.by else {})}, 1.0)
        for name, kind in SIGNALS.items()
    )
    gauges = [Gauge(name="ml_signal", meaning="signals", samples=signals)]
    gauges += [Gauge(name=n, meaning=n, samples=(({"version": "7"}, 0.5),)) for n in OF_VERSION]
    metric = {"metric": "accuracy", "version": "7"}
    gauges += [Gauge(name=n, meaning=n, samples=((metric, 0.9),)) for n in OF_METRIC]
    feature = {"feature": "origin", "version": "7"}
    gauges += [Gauge(name=n, meaning=n, samples=((feature, 0.1),)) for n in OF_FEATURE]
    return Board(written=time.time(), seconds=600.0, gauges=tuple(gauges))


def test_prometheus_has_what_the_server_and_numpy_have(watched: Watched) -> None:
    """Every signal, every panel, and each column's distances to 1e-9."""
    prometheus = watched.prometheus
    missing = [
        name for name in SIGNALS if not prometheus.ask(f'siklus:signal{{job="flights",signal="{name}"}}')
    ]
    assert missing == []
    _panels_show_something(prometheus)
    _distances_are_numpys(prometheus)
    _counts_are_the_servers(watched)


def _panels_show_something(prometheus: Prometheus) -> None:
    empty = []
    for name in DASHBOARDS:
        text = (SRC / "siklus" / "deploy" / "watching" / "dashboards" / f"{name}.json").read_text()
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for variable, value in VARIABLES.items():
                    expression = expression.replace(variable, value)
                if not prometheus.ask(expression):
                    empty.append((name, panel["title"], expression))
    assert empty == []


def _distances_are_numpys(prometheus: Prometheus) -> None:
    at = time.time()  # one moment, so that all is of the same evaluation
    for feature, reference in PROFILES.items():
        of = f'{{job="flights",version="7",feature="{feature}"}}'
        rows = prometheus.values(f"siklus:feature_bin:rows{of}", by="bin", at=at)
        window = _counts(feature, reference, rows)
        for name, distance in DISTANCES.items():
            told = prometheus.values(f"siklus:drift_{name}{of}", by="feature", at=at)[feature]
            assert told == pytest.approx(distance(reference, window), abs=1e-9), (feature, name)
    # The other column's bins are all too thin to be judged alone: PromQL has one group of them, numpy some.
    of = '{job="flights",version="7",feature="origin"}'
    window = _counts(
        "origin", PROFILES["origin"], prometheus.values(f"siklus:feature_bin:rows{of}", by="bin", at=at)
    )
    shift = _bin_shift(PROFILES["origin"], window)
    told = prometheus.values(f"siklus:drift_x2{of}", by="feature", at=at)["origin"]
    assert told == pytest.approx(shift.statistic, rel=1e-9)
    freedom = prometheus.values(f"siklus:drift_x2_freedom{of}", by="feature", at=at)["origin"]
    assert freedom == shift.freedom


def _counts(feature: str, reference: ColumnProfile, rows: dict[str, float]) -> Counts:
    """The same as a profile has them, but that Prometheus tells no whole numbers."""
    labels = column_bins(feature, reference).labels
    inside = len(reference.counts.bins)
    bins: Any = tuple(rows[label] for label in labels[:inside])
    slots: Any = {SLOTS[label]: rows[label] for label in labels[inside:]}
    return Counts(bins=bins, **slots)


def _bin_shift(reference: ColumnProfile, window: Counts) -> BinShift:
    before, now = np.array(reference.counts.bins), np.array(window.bins)
    groups = pooled(before, rows=int(now.sum()))
    kept = groups >= 0
    shift = bin_shift(*(np.bincount(groups[kept], each[kept]) for each in (before, now)))
    assert shift is not None
    return shift


def _counts_are_the_servers(watched: Watched) -> None:
    prometheus = watched.prometheus
    since = prometheus.values('siklus:signal{signal="predictions_since_training"}', by="job")["flights"]
    assert since == ASKED
    rows = prometheus.values("siklus:feature:rows", by="feature")
    assert rows == pytest.approx(dict.fromkeys(PROFILES, since), rel=YOUNG)
    unseen = prometheus.values('siklus:signal{signal="unseen_share"}', by="feature")
    assert unseen == {"origin": pytest.approx(1 / (ROWS + 3), rel=YOUNG)}
    refused = prometheus.values('siklus:signal{signal="refused_rate"}', by="job")["flights"]
    assert refused == pytest.approx(1 / (ROWS + 4), rel=YOUNG)
