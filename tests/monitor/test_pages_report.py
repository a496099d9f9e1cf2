"""`siklus report`: one file that says what a window of traffic was like."""

import re
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from siklus.bundle.read import Bundle, open_bundle
from siklus.monitor.drift.judge import drift
from siklus.monitor.drift.rows import profile_window, rows_of_instances
from siklus.project.sections import Monitor
from tests.cli.projects import answered, siklus
from tests.monitor.labelled import Batch, Traffic, packaged
from tests.monitor.pages import HOSTILE, Seen, check_page
from tests.monitor.watched import project_in, watching
from tests.serve.published import placed, publish, serving_state

FILE = """
[project]
name = "shop"
task = "regression"

[data]
path = "rows.csv"
target = "minutes"

[monitor]
floor = "<= 2"
slices = ["shop"]
"""
ALERT = """
[monitor]
default_alerts = false

[[alerts]]
name = "busy"
signal = "predictions_since_training"
above = 100
for = "0s"
advice = "Look at <b>it</b>."

[[alerts]]
name = "far"
signal = "drift_score"
above = 0
"""
ROWS = [{"distance": float(i % 101), "origin": ("JFK", "LGA")[i % 3 == 0]} for i in range(600)]
AGO = timedelta(minutes=20)


def frame_of(rows: int, *, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shops = rng.choice(["east", "west", "<i>north</i>"], rows)
    return pd.DataFrame({HOSTILE: rng.normal(size=rows) + shift, "z": rng.normal(size=rows), "shop": shops})


def minutes_of(frame: pd.DataFrame) -> Any:
    noise = np.random.default_rng(5).normal(size=len(frame))
    return pd.Series(20 + 3 * frame[HOSTILE].to_numpy() + frame["z"].to_numpy() + noise, name="minutes")


class Shop:
    """A project whose champion, version 1, has answered 500 rows that moved, 20 minutes ago."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "siklus.toml").write_text(FILE)
        seen = frame_of(2000, seed=1)
        columns = make_column_transformer((OneHotEncoder(), ["shop"]), remainder="passthrough")
        model = make_pipeline(columns, LinearRegression()).fit(seen, minutes_of(seen))
        packaged(folder / "draft", model, seen, minutes_of(seen))
        champion = placed(folder / ".siklus", 1, folder / "draft")
        publish(folder / ".siklus", 1, champion)
        self.bundle: Bundle = open_bundle(folder / ".siklus" / "bundles" / champion.digest, version="1")
        self.rows = frame_of(500, seed=2, shift=2.0)
        self.outcomes = minutes_of(self.rows)
        traffic, at = Traffic(folder / ".siklus" / "records"), datetime.now(UTC) - AGO
        self.batch: Batch = traffic.answer(self.bundle, self.rows, at=at)
        traffic.tell(self.batch.ids[:400], self.outcomes[:400], at=at + timedelta(minutes=5))

    def page(self, *words: str | Path) -> Seen:
        out = self.folder / "page.html"
        done = siklus("report", "-C", self.folder, "--out", out, *words)
        assert done.code == 0, done.err
        return check_page(out.read_text())

    def document(self, *words: str) -> Any:
        return answered("report", "-C", self.folder, *words)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop") / "shop")


def test_the_page_is_one_file_in_which_names_are_only_text(shop: Shop) -> None:
    seen = shop.page("--window", "1h")
    assert HOSTILE in seen.text
    assert "<i>north</i>" in seen.text
    assert seen.tags.count("svg") >= 5


def test_requests_are_those_of_the_log(shop: Shop) -> None:
    found = shop.document("--window", "1h")["requests"]
    assert found["source"] == "log"
    assert found["whole"]["answered"] == 500
    assert found["whole"]["p50"] == pytest.approx(0.001)
    assert found["whole"]["failed"] is None
    counts = [stretch["answered"] for stretch in found["stretches"]]
    assert (sum(counts), max(counts)) == (500, 500)


def test_drift_is_what_the_rows_themselves_show(shop: Shop) -> None:
    found = shop.document("--window", "1h")["drift"]
    assert found["alarm"]
    assert HOSTILE in [column["name"] for column in found["columns"][:2]]
    instances = zip(shop.rows.to_dict("records"), shop.batch.predictions, strict=True)
    reference = shop.bundle.profile()
    window = profile_window(rows_of_instances(instances, contract=shop.bundle.contract), reference)
    expected = drift(reference, window, settings=Monitor())
    assert found == msgspec.json.decode(msgspec.json.encode(expected))
    seen = shop.page("--window", "1h")
    assert found["columns"][0]["said"] in seen.text
    assert "yes" in seen.text


def test_the_bins_now_are_those_that_numpy_counts(shop: Shop) -> None:
    found = shop.document("--window", "1h")
    counts, cuts = (found[which]["columns"]["z"] for which in ("window", "reference"))
    values = shop.rows["z"].to_numpy(np.float32)
    edges = np.array([-np.inf, *cuts["cuts"], np.inf], dtype=np.float32)
    inside = values[(values >= cuts["minimum"]) & (values <= cuts["maximum"])]
    bins = [int(((inside > low) & (inside <= high)).sum()) for low, high in pairwise(edges)]
    assert counts["counts"]["bins"] == bins


def test_quality_is_what_scikit_learn_says_of_the_labelled_rows(shop: Shop) -> None:
    whole = shop.document("--window", "1h")["quality"]["whole"]
    said = shop.batch.raw.reshape(-1)[:400]
    assert whole["labels"]["coverage"] == pytest.approx(0.8)
    assert whole["metrics"]["mae"]["value"] == pytest.approx(mean_absolute_error(shop.outcomes[:400], said))
    seen = shop.page("--window", "1h")
    assert f"{whole['metrics']['mae']['value']:.4g}" in seen.text
    assert "keeps its floor" in seen.text
    assert "mae by shop" in seen.text


def test_a_window_without_traffic_says_so(shop: Shop) -> None:
    seen = shop.page("--window", "1m")
    assert "Nothing was asked in this window" in seen.text
    assert "the last answer was given at" in seen.text
    assert "not enough rows yet" in seen.text


def test_with_json_a_page_is_written_only_where_one_is_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shop.document()
    assert not list(tmp_path.iterdir())
    assert siklus("report", "-C", shop.folder).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_length_that_is_none_is_refused(shop: Shop) -> None:
    done = siklus("report", "-C", shop.folder, "--window", "yesterday")
    assert done.code == 2
    assert "--window" in done.err


@pytest.mark.skipif(find_spec("evidently") is not None, reason="Evidently is installed here")
def test_without_evidently_its_report_names_the_line_that_installs_it(shop: Shop, tmp_path: Path) -> None:
    done = siklus("report", "-C", shop.folder, "--evidently", "--out", tmp_path / "page.html")
    assert done.code == 2
    assert "XT001" in done.err
    assert "pip install 'siklus[evidently]'" in done.err
    assert not list(tmp_path.iterdir())


def test_beside_a_watched_server_failures_and_alerts_are_told(tmp_path: Path) -> None:
    project = project_in(tmp_path / "flights", more=ALERT)
    now = datetime.now(UTC)
    with watching(project) as watch, serving_state(project.paths.state) as server:
        server.wait_until_ready()
        server.series()  # now it counts
        watch.look(now=now - timedelta(hours=1))
        server.batch(ROWS)
        assert server.client.post("/predict", json={"features": {"distance": "far"}}).status_code == 422
        server.series()  # asking for the page brings all counts into the ledgers
        watch.look(now=now)
    out = tmp_path / "page.html"
    found = answered("report", "-C", tmp_path / "flights", "--window", "30m", "--out", out)
    assert found["requests"]["source"] == "counters"
    whole = found["requests"]["whole"]
    assert (whole["answered"], whole["refused"], whole["failed"]) == (600, 1, 0)
    assert [firing["rule"] for firing in found["firing"]] == ["busy", "far", "far", "far"]
    seen = check_page(out.read_text())
    assert "busy fires" in seen.text
    assert re.search("far of [^.]*distance[^.]* fires", seen.text), "the columns of a rule together"
    assert "Look at <b>it</b>." in seen.text
    assert "As the servers counted" in seen.text
