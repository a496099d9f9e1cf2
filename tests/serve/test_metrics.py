"""Metrics: they count what happened, and no request makes a new series."""

import random
import re
import shutil
import string
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from siklus.bundle.read import Bundle, open_bundle, with_version
from siklus.contract.columns import Category, Contract, Number, Target
from siklus.errors import RequestError
from siklus.ledgers.layouts import ENDPOINTS, FEEDBACK, LIMITS, OUTCOMES
from siklus.serve.counting.counters import Counters
from siklus.serve.counting.metrics import Metrics, picked
from siklus.stats.profile import ColumnProfile, profile_numbers, profile_words
from tests.architecture.source import ROOT
from tests.figures import Figure
from tests.serve.bundles import ODD_ROW, classifier, regressor
from tests.serve.counting import counted, flights, value
from tests.serve.servers import Server, ask, loaded_app

DOCS = ROOT / "docs" / "metrics.md"


def grown(server: Server, before: dict[str, float], name: str) -> float:
    after = server.series()
    assert name in after, sorted(after)
    return after[name] - before[name]


def predictions(endpoint: str, status: str, version: str = "7") -> str:
    return f'ml_predictions_total{{endpoint="{endpoint}",status="{status}",version="{version}"}}'


def test_every_series_is_there_before_the_first_request(bundles: Path) -> None:
    path = regressor(bundles / "fresh", reference=[1.0] * 50 + [2.0] * 50)
    with loaded_app(path, version="3") as app:
        [response] = ask(app, ("GET", "/metrics", None))
    assert response.headers["content-type"].startswith("text/plain; version=")
    for endpoint in ("/predict", "/predict/batch"):
        for status in ("success", "refused", "error"):
            assert f"{predictions(endpoint, status, '3')} 0.0" in response.text
        assert (
            f'ml_prediction_latency_seconds_count{{endpoint="{endpoint}",version="3"}} 0.0' in response.text
        )
    assert 'ml_model_info{name="minutes",task="regression",version="3"} 1.0' in response.text
    assert "process_cpu_seconds_total" in response.text
    assert "process_resident_memory_bytes" in response.text


def test_answered_rows_and_refused_requests_are_counted(irises: Server) -> None:
    before = irises.series()
    irises.predict(ODD_ROW)
    irises.predict(ODD_ROW)
    irises.batch([ODD_ROW] * 5)
    irises.client.post("/predict", content=b"{")
    irises.client.post("/predict", json={"features": []})
    irises.client.post("/predict/batch", json={"instances": [[], []]})
    assert grown(irises, before, predictions("/predict", "success")) == 2
    assert grown(irises, before, predictions("/predict", "refused")) == 2
    assert grown(irises, before, predictions("/predict/batch", "success")) == 5
    assert grown(irises, before, predictions("/predict/batch", "refused")) == 1
    assert grown(irises, before, predictions("/predict", "error")) == 0


def test_latency_counts_answered_requests(irises: Server) -> None:
    before = irises.series()
    told = irises.predict(ODD_ROW)["latency_ms"] / 1000
    irises.batch([ODD_ROW] * 5)
    name = 'ml_prediction_latency_seconds_%s{endpoint="%s",version="7"}'
    assert grown(irises, before, name % ("count", "/predict")) == 1
    assert grown(irises, before, name % ("count", "/predict/batch")) == 1
    assert grown(irises, before, name % ("sum", "/predict")) == pytest.approx(told, rel=0.9)
    bucket = 'ml_prediction_latency_seconds_bucket{endpoint="/predict",le="0.0001",version="7"}'
    assert bucket in before, "the shortest bucket is a tenth of a millisecond"


def test_predicted_classes_are_counted(irises: Server) -> None:
    before = irises.series()
    answers = [
        irises.predict(ODD_ROW)["prediction"],
        *irises.batch([ODD_ROW, {**ODD_ROW, "count": 5}])["predictions"],
    ]
    for label in ("setosa", "versicolor", "virginica"):
        name = f'ml_prediction_distribution_total{{prediction_class="{label}",version="7"}}'
        assert grown(irises, before, name) == answers.count(label)


def test_predicted_numbers_are_counted_in_the_bins_of_the_reference(bundles: Path) -> None:
    """A reference of 1 and 2 alone has bins up to 1, between them, 2 itself, and above."""
    path = regressor(bundles / "two values", reference=[1.0] * 50 + [2.0] * 50)
    instances = [[0, 0], [0, 1], [0, 4], [0, 4], [0, 9]]
    with loaded_app(path, version="3") as app:
        [answer, page] = ask(
            app, ("POST", "/predict/batch", {"instances": instances}), ("GET", "/metrics", None)
        )
    assert answer.json()["predictions"] == [0, 1, 2, 2, 3]
    bins = re.findall(
        r'^ml_prediction_distribution_total\{bin="(.*)",version="3"\} (.*)$', page.text, re.MULTILINE
    )
    counts = {name: float(count) for name, count in bins}
    assert sum(counts.values()) == 5
    assert [count for name, count in counts.items() if name.endswith(", 2.0]")] == [2]
    assert (counts["(2.0, inf]"], counts["(-inf, 0.99999994]"] + counts.get("(0.99999994, 1.0]", 0)) == (1, 2)


def test_unseen_words_are_counted_by_column(irises: Server) -> None:
    before = irises.series()
    irises.batch([{**ODD_ROW, "origin": word} for word in ("JFK", "ORD", "", "x" * 500)])
    assert grown(irises, before, 'ml_unseen_category_total{feature="origin",version="7"}') == 3
    assert grown(irises, before, 'ml_unseen_category_total{feature="grade",version="7"}') == 0


def test_ten_thousand_names_make_no_series(irises: Server, figure: Figure) -> None:
    """Paths, methods, hosts, headers, column names, words, keys of the body and versions by chance."""
    chance = random.Random(0)
    before = set(irises.series())

    def name() -> str:
        return "".join(chance.choices(string.ascii_letters, k=8))

    for _ in range(1000):
        irises.client.get(f"/{name()}")
        irises.client.request(name().upper(), f"/predict?{name()}={name()}", headers={name(): name()})
        irises.client.post(f"/v2/models/{name()}/versions/{name()}/infer", json={name(): name()})
    irises.batch([{**ODD_ROW, "origin": name()} for _ in range(3000)])
    for _ in range(40):
        irises.client.post("/predict/batch", json={"instances": [{name(): 1} for _ in range(50)]})
    grown_by = set(irises.series()) - before
    figure("10,000 names by chance, new metric series", len(grown_by))
    assert grown_by == set()


def test_a_scraper_that_asks_for_openmetrics_gets_it(irises: Server) -> None:
    response = irises.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_a_failure_is_blamed_on_the_version_that_was_picked(tmp_path: Path) -> None:
    bundle = open_bundle(flights(tmp_path / "bundle"))
    champion, challenger = with_version(bundle, "1"), with_version(bundle, "2")
    metrics = Metrics(Counters(None))
    for served in (champion, challenger):
        metrics.watch(served)

    def fail(first: Bundle | None, then: Bundle | None, error: Exception) -> None:
        with metrics.watched("/predict", first):
            if then is not None:
                picked(then)
            raise error

    for first, then, error in (
        (champion, None, RequestError("RQ008", "too large")),
        (champion, challenger, RequestError("RQ008", "too large")),
        (champion, challenger, ZeroDivisionError()),
        (None, None, RequestError("RQ008", "too large")),
    ):
        with pytest.raises(type(error)):
            fail(first, then, error)
    series = counted(metrics.counters)
    outcomes = {("refused", "1"): 1, ("refused", "2"): 1, ("error", "2"): 1, ("refused", "none"): 1}
    for (status, version), count in outcomes.items():
        labels = {"endpoint": "/predict", "status": status, "version": version}
        assert value(series, "ml_predictions_total", **labels) == count
    metrics.counters.close()


def test_without_gpus_nothing_is_said_of_them(irises: Server) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has nvidia-smi")
    assert "gpu" not in irises.client.get("/metrics").text


@pytest.mark.parametrize("words", [ENDPOINTS, OUTCOMES, FEEDBACK, tuple(LIMITS.values())])
def test_the_docs_explain_every_value_of_a_label(words: Sequence[str]) -> None:
    assert [word for word in words if f"`{word}`" not in DOCS.read_text()] == []


def test_every_limit_is_a_documented_problem() -> None:
    page = (ROOT / "docs" / "problems.md").read_text()
    assert [code for code in LIMITS if f"### {code}\n" not in page] == []


def test_the_page_of_a_wide_contract_is_small_and_soon_made(tmp_path: Path) -> None:
    """Twenty features: fifteen numbers with ranges, five categories of sixty words."""
    chance = np.random.default_rng(0)
    numbers = [Number(name=f"number_{i}", minimum=0, maximum=1) for i in range(15)]
    words = tuple(f"word_{i}" for i in range(60))
    categories = [Category(name=f"category_{i}", vocabulary=words) for i in range(5)]
    columns: dict[str, ColumnProfile] = {
        column.name: profile_numbers(chance.random(1000), minimum=0, maximum=1) for column in numbers
    }
    columns |= {column.name: profile_words(chance.integers(0, 60, 1000), words) for column in categories}
    contract = Contract(columns=(*numbers, *categories), target=Target(name="y", classes=("no", "yes")))
    weights = np.zeros((20, 2), dtype=np.float32)
    bundle = open_bundle(classifier(tmp_path / "wide", contract=contract, weights=weights, columns=columns))
    counters = Counters(tmp_path)
    counters.version(bundle)
    metrics = Metrics(counters)
    costs = []
    for _ in range(5):
        began = time.perf_counter()
        page, _ = metrics.page(accept="", lineup=None)
        costs.append(time.perf_counter() - began)
    assert len(page) < 150_000
    counters.close()
    assert min(costs) < 0.2  # 0.03 on a machine that does nothing else
