"""Live quality is what scikit-learn makes of the same rows, whole and in parts, and says what it rests on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from msgspec.structs import replace
from sklearn.linear_model import LinearRegression, LogisticRegression

from siklus.bundle.read import Bundle, with_version
from siklus.errors import MonitorError, ProjectError
from siklus.monitor.quality.report import QualityReport
from tests.monitor.labelled import HOUR, NOON, Traffic, packaged, reported, settings_of

ROWS = 600
NEAR = pytest.approx
CHANCE = np.random.default_rng(11)


def frame_of(rows: int) -> pd.DataFrame:
    x = CHANCE.normal(size=(rows, 2))
    return pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "shop": CHANCE.integers(1, 4, rows)})


def minutes_of(frame: pd.DataFrame, *, noise: float = 1.0) -> np.ndarray:
    found: np.ndarray = 20 + 3 * frame["x"] + frame["z"] + noise * CHANCE.normal(size=len(frame))
    return np.asarray(found)


def classes_of(frame: pd.DataFrame, words: tuple[str, ...]) -> np.ndarray:
    """Words by noisy thresholds of x."""
    cuts = np.linspace(-1, 1, len(words) - 1) if len(words) > 2 else [0.0]
    return np.array(words)[np.searchsorted(cuts, frame["x"] + CHANCE.normal(size=len(frame)))]


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A regression whose mean absolute error is about 0.8."""
    frame = frame_of(2000)
    outcomes = pd.Series(minutes_of(frame), name="minutes")
    model = LinearRegression().fit(frame, outcomes)
    return packaged(tmp_path_factory.mktemp("minutes") / "bundle", model, frame, outcomes)


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Two classes."""
    frame = frame_of(2000)
    outcomes = pd.Series(classes_of(frame, ("no", "yes")), name="late")
    model = LogisticRegression().fit(frame, outcomes)
    return packaged(tmp_path_factory.mktemp("late") / "bundle", model, frame, outcomes)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Three classes."""
    frame = frame_of(2000)
    outcomes = pd.Series(classes_of(frame, ("large", "medium", "small")), name="size")
    model = LogisticRegression().fit(frame, outcomes)
    return packaged(tmp_path_factory.mktemp("sizes") / "bundle", model, frame, outcomes)


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path / "records")


def values(report: QualityReport) -> dict[str, float | None]:
    return {name: found.value for name, found in report.whole.metrics.items()}


def test_a_regression_is_measured_as_scikit_learn_does(minutes: Bundle, traffic: Traffic) -> None:
    frame = frame_of(ROWS)
    truth = minutes_of(frame)
    batch = traffic.answer(minutes, frame)
    traffic.tell(batch.ids[:400], truth[:400])
    found = reported(traffic, minutes)
    y, said = truth[:400], batch.raw[:400]
    assert values(found) == {
        "mae": NEAR(sk.mean_absolute_error(y, said)),
        "rmse": NEAR(sk.root_mean_squared_error(y, said)),
        "r2": NEAR(sk.r2_score(y, said)),
        "mape": NEAR(sk.mean_absolute_percentage_error(y, said)),
        "median_absolute_error": NEAR(sk.median_absolute_error(y, said)),
        "p90_absolute_error": NEAR(np.quantile(np.abs(y - said), 0.9)),
    }
    mae = found.whole.metrics["mae"]
    assert mae.low is not None
    assert mae.high is not None
    assert mae.low < sk.mean_absolute_error(y, said) < mae.high
    labels = found.whole.labels
    assert (labels.predictions, labels.labelled, labels.coverage) == (ROWS, 400, NEAR(400 / ROWS))
    assert (labels.delay_median, labels.delay_p90) == (3600.0, 3600.0)
    assert found.expected is None


def test_two_classes_are_measured_from_the_logged_probability(late: Bundle, traffic: Traffic) -> None:
    frame = frame_of(ROWS)
    truth = classes_of(frame, ("no", "yes"))
    batch = traffic.answer(late, frame)
    traffic.tell(batch.ids, truth)
    found = values(reported(traffic, late))
    y, said, chance = truth == "yes", np.array(batch.predictions) == "yes", batch.raw[:, 1]
    assert found == {
        "log_loss": NEAR(sk.log_loss(y, chance), rel=1e-6),
        "accuracy": NEAR(sk.accuracy_score(y, said)),
        "balanced_accuracy": NEAR(sk.balanced_accuracy_score(y, said)),
        "f1": NEAR(sk.f1_score(y, said)),
        "f1_macro": NEAR(sk.f1_score(y, said, average="macro")),
        "precision": NEAR(sk.precision_score(y, said)),
        "recall": NEAR(sk.recall_score(y, said)),
        "roc_auc": NEAR(sk.roc_auc_score(y, chance)),
        "pr_auc": NEAR(sk.average_precision_score(y, chance)),
        "brier": NEAR(sk.brier_score_loss(y, chance), rel=1e-6),
        "calibration_error": found["calibration_error"],
    }


def test_more_classes_are_asked_again_only_where_a_metric_needs_it(sizes: Bundle, traffic: Traffic) -> None:
    frame = frame_of(ROWS)
    truth = classes_of(frame, ("large", "medium", "small"))
    batch = traffic.answer(sizes, frame)
    traffic.tell(batch.ids[:500], truth[:500])
    plain = reported(traffic, sizes, metric="accuracy")
    assert values(plain)["accuracy"] == NEAR(sk.accuracy_score(truth[:500], batch.predictions[:500]))
    assert "log_loss" not in values(plain)
    assert any("`--metric roc_auc` asks the model again" in remark for remark in plain.remarks)
    again = values(reported(traffic, sizes))  # the task's own metric is the log loss
    assert again["log_loss"] == NEAR(sk.log_loss(truth[:500], batch.raw[:500]), rel=1e-6)
    auc = sk.roc_auc_score(truth[:500], batch.raw[:500], multi_class="ovr")
    assert again["roc_auc"] == NEAR(auc)


def test_a_version_that_is_lost_is_said(sizes: Bundle, traffic: Traffic) -> None:
    frame = frame_of(300)
    truth = classes_of(frame, ("large", "medium", "small"))
    first = traffic.answer(sizes, frame)
    for batch in (first, traffic.answer(with_version(sizes, "9"), frame)):
        traffic.tell(batch.ids, truth)
    found = reported(traffic, sizes)
    assert any("Version 9 is not to be had" in remark for remark in found.remarks)
    assert found.whole.metrics["log_loss"].value == NEAR(sk.log_loss(truth, first.raw), rel=1e-6)


def test_a_model_of_sensitive_columns_is_not_asked_again(sizes: Bundle, traffic: Traffic) -> None:
    columns = tuple(replace(each, sensitive=each.name == "x") for each in sizes.contract.columns)
    hidden = replace(sizes.contract, columns=columns)
    frame = frame_of(300)
    batch = traffic.answer(sizes, frame, contract=hidden)
    traffic.tell(batch.ids, classes_of(frame, ("large", "medium", "small")))
    blind = Bundle(**{**vars(sizes), "contract": hidden})
    instead = reported(traffic, blind)
    assert instead.metric == "accuracy"
    assert instead.whole.metrics["accuracy"].value is not None
    assert any("accuracy is watched instead" in remark for remark in instead.remarks)
    found = reported(traffic, blind, metric="log_loss")
    assert any("sensitive columns, which the log does not keep" in remark for remark in found.remarks)
    assert found.whole.metrics["log_loss"].value is None
    unaware = reported(traffic, sizes)
    assert any("300 rows, for which the model says something else" in each for each in unaware.remarks)


def test_parts_are_told_apart_with_their_own_coverage_and_delay(minutes: Bundle, traffic: Traffic) -> None:
    """Two versions in two arms, of which the second answers later and worse."""
    first, second = frame_of(ROWS), frame_of(300)
    truth = minutes_of(second, noise=5.0)
    one = traffic.answer(minutes, first)
    two = traffic.answer(with_version(minutes, "2"), second, at=NOON + 3 * HOUR, arm="challenger")
    traffic.answer(with_version(minutes, "3"), second, shadow=True)
    traffic.tell(one.ids[:300], minutes_of(first)[:300])
    traffic.tell(two.ids, truth, at=NOON + 5 * HOUR)
    found = reported(
        traffic, minutes, since=NOON, until=NOON + 4 * HOUR, by=("shop",), every=HOUR, metric="mae"
    )
    version = {part.name: part for part in found.groups["version"]}
    assert list(version) == ["1", "2"]
    assert version["2"].metrics["mae"].value == NEAR(sk.mean_absolute_error(truth, two.raw))
    assert (version["1"].labels.coverage, version["2"].labels.coverage) == (0.5, 1.0)
    assert (version["1"].labels.delay_median, version["2"].labels.delay_median) == (3600.0, 7200.0)
    assert [part.name for part in found.groups["arm"]] == ["champion", "challenger"]
    shop = {part.name: part for part in found.groups["shop"]}
    assert set(shop) == {"1", "2", "3"}
    assert sum(part.labels.labelled for part in shop.values()) == 600
    of_two = (second["shop"] == 2).to_numpy()
    only = reported(traffic, minutes, since=NOON + 2 * HOUR, by=("shop",))
    [part] = [part for part in only.groups["shop"] if part.name == "2"]
    assert part.metrics["mae"].value == NEAR(sk.mean_absolute_error(truth[of_two], two.raw[of_two]))
    assert [part.labels.predictions for part in found.windows] == [ROWS, 0, 0, 300]
    assert [part.verdict for part in found.windows] == ["keeps", "no labels yet", "no labels yet", "beyond"]


def test_numbers_are_told_in_ranges_of_the_reference(minutes: Bundle, traffic: Traffic) -> None:
    frame = frame_of(ROWS)
    batch, truth = traffic.answer(minutes, frame), minutes_of(frame)
    traffic.tell(batch.ids, truth)
    parts = reported(traffic, minutes, by=("x",), metric="mae").groups["x"]
    assert [part.name.split()[0] for part in parts] == ["up", "above", "above", "above"]
    assert sum(part.labels.labelled for part in parts) == ROWS
    assert all(100 < part.labels.labelled < 200 for part in parts)
    low = (frame["x"] <= float(parts[0].name.removeprefix("up to "))).to_numpy()
    assert parts[0].metrics["mae"].value == NEAR(sk.mean_absolute_error(truth[low], batch.raw[low]), rel=1e-3)


def test_the_floor_says_where_it_is_from(minutes: Bundle, late: Bundle, traffic: Traffic) -> None:
    measured = minutes.document("evaluation.json")["evaluation"]["metrics"]["mae"]["value"]
    floors = {
        "[monitor] floor": settings_of(minutes, floor="<= 7", gates={"mae": "<= 12"}),
        "[gates]": settings_of(minutes, gates={"mae": "<= 12"}),
        "evaluation": settings_of(minutes),
    }
    found = {source: reported(traffic, minutes, settings=asked).floor for source, asked in floors.items()}
    assert {source: floor and floor.source for source, floor in found.items()} == {
        name: name for name in floors
    }
    limits = [floor.limit for floor in found.values() if floor is not None]
    assert limits == [7.0, 12.0, NEAR(1.25 * measured)]
    accuracy = late.document("evaluation.json")["evaluation"]["metrics"]["accuracy"]["value"]
    of_classes = reported(traffic, late, metric="accuracy").floor
    assert of_classes is not None
    assert of_classes.limit == NEAR(1 - 1.25 * (1 - accuracy))
    for wrong in (settings_of(minutes, floor=">= 7"), settings_of(late, metric="accuracy", floor="<= 0.9")):
        with pytest.raises(MonitorError) as refused:
            reported(traffic, late if wrong.monitor.metric else minutes, settings=wrong)
        assert refused.value.code == "MO020"


def test_too_few_labels_are_not_judged(minutes: Bundle, traffic: Traffic) -> None:
    frame = frame_of(ROWS)
    empty = reported(traffic, minutes)
    assert (empty.whole.labels.predictions, empty.whole.verdict) == (0, "no labels yet")
    assert "No prediction was recorded" in empty.remarks[0]
    batch = traffic.answer(minutes, frame)
    unlabelled = reported(traffic, minutes)
    assert unlabelled.whole.verdict == "no labels yet"
    assert unlabelled.alarm is None
    assert "No labels yet: of 600 predictions none" in unlabelled.remarks[0]
    traffic.tell(batch.ids[:199], minutes_of(frame)[:199] + 50)
    few = reported(traffic, minutes)
    assert few.whole.verdict == "too few labels"
    assert "Too few labels: the outcome of 199 of 600 predictions" in few.remarks[0]
    assert reported(traffic, minutes, settings=settings_of(minutes, min_rows=100)).whole.verdict == "beyond"


def test_the_alarm_rises_when_quality_falls_and_not_before(minutes: Bundle, traffic: Traffic) -> None:
    settings = settings_of(minutes, floor="<= 1.2", step="10m")
    for i in range(24):
        frame = frame_of(200)
        batch = traffic.answer(minutes, frame, at=NOON + i * HOUR / 6)
        fallen = 3.0 if i >= 16 else 1.0
        traffic.tell(batch.ids, minutes_of(frame, noise=fallen), at=NOON + (i + 1) * HOUR / 6)
        if i == 15:
            before = reported(traffic, minutes, settings=settings)
    after = reported(traffic, minutes, settings=settings)
    assert before.alarm is not None
    assert after.alarm is not None
    assert not before.alarm.alarm
    assert before.alarm.estimate.high is not None
    assert before.alarm.estimate.high < 1.2
    assert after.alarm.alarm
    assert after.beyond
    assert after.alarm.since == NOON + 17 * HOUR / 6
    assert "5 % at most" in after.alarm.said


def test_labels_of_other_rows_than_the_rest_are_a_warning(late: Bundle, traffic: Traffic) -> None:
    frame = frame_of(2000)
    batch = traffic.answer(late, frame)
    truth = classes_of(frame, ("no", "yes"))
    traffic.tell(batch.ids[::4], truth[::4])
    fair = reported(traffic, late).bias
    assert fair is not None
    assert not fair.differs
    yes = [i for i, word in enumerate(batch.predictions) if word == "yes" and i % 4]
    traffic.tell([batch.ids[i] for i in yes], truth[yes])
    found = reported(traffic, late)
    assert found.bias is not None
    assert found.bias.differs
    assert found.bias.names == ("no", "yes")
    assert found.bias.unlabelled[1] == 0
    assert found.bias.said in found.remarks


def test_a_flood_from_one_client_is_said_with_quality_without_it(minutes: Bundle, traffic: Traffic) -> None:
    frame = frame_of(1000)
    batch, truth = traffic.answer(minutes, frame), minutes_of(frame)
    traffic.tell(batch.ids[:300], truth[:300], client="shop")
    alone = reported(traffic, minutes)
    assert not any("sender" in remark for remark in alone.remarks)
    traffic.tell(batch.ids[300:], truth[300:] + 40, client="flood")
    found = reported(traffic, minutes)
    assert [(share.client, share.labelled, share.share) for share in found.clients] == [
        ("flood", 700, 0.7),
        ("shop", 300, 0.3),
    ]
    honest = sk.mean_absolute_error(truth[:300], batch.raw[:300])
    assert found.clients[0].without.value == NEAR(honest)
    [remark] = [remark for remark in found.remarks if "sender" in remark]
    assert "client 'flood', supplied 70 %" in remark
    assert f"{honest:.4g} without" in remark


def test_a_flood_of_one_window_is_said_too(minutes: Bundle, traffic: Traffic) -> None:
    for i, client in enumerate(("shop", "shop", "flood", "shop")):
        frame = frame_of(300)
        batch = traffic.answer(minutes, frame, at=NOON + i * HOUR)
        truth = minutes_of(frame)
        traffic.tell(batch.ids[:40], truth[:40], at=NOON + 5 * HOUR, client="shop")
        traffic.tell(batch.ids[40:], truth[40:], at=NOON + 5 * HOUR, client=client)
    found = reported(traffic, minutes, every=HOUR)
    assert found.clients[0].client == "shop"
    [remark] = [remark for remark in found.remarks if "'flood'" in remark]
    assert remark.startswith("From 2026-01-31 14:00 on")
    assert "260 of 300" in remark


def test_odd_outcomes_are_counted_and_said(minutes: Bundle, traffic: Traffic) -> None:
    frame = frame_of(ROWS)
    batch, truth = traffic.answer(minutes, frame), minutes_of(frame)
    traffic.tell(batch.ids[:250], truth[:250])
    traffic.tell(batch.ids[250:260], truth[250:260], observed=NOON - HOUR)
    traffic.tell(batch.ids[260:280], truth[260:280], at=NOON - HOUR)
    traffic.tell(batch.ids[280:283], ["late"] * 3)
    traffic.tell(traffic.issuer.issue(50, now_ms=1), truth[:50])  # of predictions that the log has lost
    found = reported(traffic, minutes)
    assert found.whole.labels.labelled == 280
    assert found.whole.labels.delay_median == 3600.0
    told = " ".join(found.remarks)
    assert "before the prediction was made, and counted: 10 outcomes." in told
    assert "counted without a delay: 20 outcomes." in told
    assert "Left out: 3 outcomes, where" in told


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"by": ("shopp",)}, "MO021"),
        ({"since": NOON - 1000 * HOUR, "every": HOUR / 60}, "MO022"),
        ({"since": NOON + 25 * HOUR}, "MO023"),
        ({"metric": "mea"}, "PJ010"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    asked: dict[str, object], code: str, minutes: Bundle, traffic: Traffic
) -> None:
    with pytest.raises((MonitorError, ProjectError)) as refused:
        reported(traffic, minutes, **asked)
    assert refused.value.code == code
