"""The portrait of a table says the numbers that pandas, scipy and scikit-learn say of the same rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, spearmanr, t
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score

from siklus.contract.columns import Category, Contract, Number, Target
from siklus.contract.survey import survey
from siklus.monitor.pages.profile_charts import distribution
from siklus.monitor.portrait.column import portray_column
from siklus.monitor.portrait.data import Asked, DataColumn, Portrait, portray
from siklus.monitor.portrait.grouping import groups_of
from siklus.monitor.portrait.histogram import histogram
from siklus.monitor.portrait.together import Pair
from siklus.table import Cells, Table, objects

ROWS = 600


def bookings(rows: int = ROWS, *, seed: int = 0) -> pd.DataFrame:
    """Numbers with gaps, words that hang together, moments, and two targets."""
    rng = np.random.default_rng(seed)
    lead = rng.exponential(80, rows).round()
    price = rng.gamma(2.0, 50.0, rows)
    price[rng.random(rows) < 0.1] = np.nan
    country = rng.choice(["PRT", "GBR", "FRA"], rows, p=[0.6, 0.3, 0.1])
    tongue = np.where(rng.random(rows) < 0.8, country, "other")
    nights = 2 + lead / 40 + rng.normal(size=rows)
    return pd.DataFrame(
        {
            "lead": lead,
            "price": price,
            "country": country,
            "tongue": tongue,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
            "nights": nights,
            "cancelled": rng.random(rows) < np.where(country == "PRT", 0.5, 0.2),
        }
    )


def table_of(frame: pd.DataFrame) -> Table:
    return Table({name: _cells(frame[name]) for name in frame})


def _cells(series: "pd.Series[Any]") -> Cells:
    if series.dtype.kind == "M":
        return series.to_numpy().astype("datetime64[us]")
    return series.to_numpy() if series.dtype.kind in "biuf" else objects(series.tolist())


def column_of(found: Portrait, name: str) -> DataColumn:
    return next(column for column in found.columns if column.portrait.name == name)


def pair_of(found: Portrait, *names: str) -> Pair:
    return next(pair for pair in found.together.pairs if {pair.one, pair.other} == set(names))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return bookings()


@pytest.fixture(scope="module")
def by_nights(frame: pd.DataFrame) -> Portrait:
    return portray(table_of(frame), Asked(target="nights", time="day"))


def test_numbers_of_a_column_are_those_of_pandas(frame: pd.DataFrame, by_nights: Portrait) -> None:
    found = column_of(by_nights, "price").portrait
    series = frame["price"]
    assert found.missing == series.isna().sum()
    assert found.distinct == series.nunique()
    assert found.numbers is not None
    told = (found.numbers.mean, found.numbers.deviation, found.numbers.minimum, found.numbers.maximum)
    assert told == pytest.approx((series.mean(), series.std(), series.min(), series.max()))
    for share, value in found.numbers.quantiles.items():
        assert value == pytest.approx(series.quantile(float(share)))
    low, high = series.quantile(0.25), series.quantile(0.75)
    far = (series < low - 3 * (high - low)) | (series > high + 3 * (high - low))
    assert found.numbers.far_out == far.sum()


def test_words_are_counted_as_pandas_counts_them(frame: pd.DataFrame, by_nights: Portrait) -> None:
    found = column_of(by_nights, "country").portrait
    assert {it.value: it.rows for it in found.frequent} == frame["country"].value_counts().to_dict()


@pytest.mark.parametrize("whole", [True, False])
def test_each_row_of_a_histogram_is_in_a_bar_or_beyond(whole: bool) -> None:
    rng = np.random.default_rng(1)
    for values in (
        rng.normal(size=500),
        np.append(rng.normal(size=2000), 1e12),
        np.full(7, 1e15),
        np.zeros(1),
    ):
        given = np.round(values) if whole else values
        bars = histogram(given, whole=whole)
        assert bars is not None
        assert sum(bars.counts) + bars.below + bars.above == len(given)
        assert np.all(np.diff(bars.edges) > 0)
        assert len(bars.counts) <= 42


def test_pearson_is_that_of_pandas_over_the_rows_that_both_have(
    frame: pd.DataFrame, by_nights: Portrait
) -> None:
    expected = frame[["lead", "price", "nights"]].corr()
    for one, other in (("lead", "nights"), ("lead", "price"), ("price", "nights")):
        assert pair_of(by_nights, one, other).pearson == pytest.approx(expected.loc[one, other])


def test_spearman_is_that_of_scipy(frame: pd.DataFrame, by_nights: Portrait) -> None:
    found = pair_of(by_nights, "lead", "nights")
    assert found.measure == "spearman"
    assert found.value == pytest.approx(spearmanr(frame["lead"], frame["nights"]).statistic)


def test_cramers_v_is_bergsmas_of_scipys_chi_square(frame: pd.DataFrame, by_nights: Portrait) -> None:
    table = pd.crosstab(frame["country"], frame["tongue"]).to_numpy()
    n, (r, c) = table.sum(), table.shape
    phi2 = chi2_contingency(table, correction=False).statistic / n
    left = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    sides = [k - (k - 1) ** 2 / (n - 1) for k in (r, c)]
    found = pair_of(by_nights, "country", "tongue")
    assert found.measure == "cramers_v"
    assert found.value == pytest.approx(np.sqrt(left / (min(sides) - 1)))


def test_the_correlation_ratio_is_the_adjusted_r_square_of_a_regression_on_the_words(
    frame: pd.DataFrame, by_nights: Portrait
) -> None:
    dummies = pd.get_dummies(frame["tongue"], drop_first=True).to_numpy(dtype=float)
    r2 = LinearRegression().fit(dummies, frame["nights"]).score(dummies, frame["nights"])
    n, k = len(frame), dummies.shape[1]
    adjusted = 1 - (1 - r2) * (n - 1) / (n - k - 1)
    found = pair_of(by_nights, "nights", "tongue")
    assert found.measure == "correlation_ratio"
    assert found.value == pytest.approx(np.sqrt(max(adjusted, 0.0)))


def test_numbers_that_name_classes_are_words() -> None:
    rng = np.random.default_rng(4)
    wine = rng.integers(0, 3, 400)
    table = Table({"x": np.where(wine == 1, 5.0, 0.0) + rng.normal(size=400), "wine": wine})
    found = pair_of(portray(table, Asked(target="wine", task="classification")), "x", "wine")
    assert found.measure == "correlation_ratio"
    assert found.value > 0.9, "though no rank correlation would see it"


def test_unrelated_words_have_nearly_no_ties() -> None:
    rng = np.random.default_rng(3)
    cells = {name: objects(rng.choice(list("abcdefgh"), 2000).tolist()) for name in "xy"}
    found = portray(Table(cells), Asked())
    assert pair_of(found, "x", "y").value < 0.05


def test_the_mean_of_the_target_by_group_has_students_interval(
    frame: pd.DataFrame, by_nights: Portrait
) -> None:
    found = column_of(by_nights, "country").relation
    assert found is not None
    for name, rows, told in zip(found.groups, found.rows, found.told[0].in_groups, strict=True):
        cells = frame.loc[frame["country"] == name, "nights"]
        assert rows == len(cells)
        low, high = t.interval(0.95, len(cells) - 1, cells.mean(), cells.sem())
        assert (told.value, told.low, told.high) == pytest.approx((cells.mean(), low, high))


def test_the_share_of_a_class_by_group_is_that_of_pandas(frame: pd.DataFrame) -> None:
    found = portray(table_of(frame.drop(columns="nights")), Asked(target="cancelled"))
    relation = column_of(found, "country").relation
    assert found.task == "classification"
    assert relation is not None
    shares = {name: it.value for name, it in zip(relation.groups, relation.told[0].in_groups, strict=True)}
    assert shares == pytest.approx(frame.groupby("country")["cancelled"].mean().to_dict())
    assert relation.told[0].name == "true"


def test_what_a_column_tells_is_scikit_learns_mutual_information_over_the_entropy(
    frame: pd.DataFrame, by_nights: Portrait
) -> None:
    found = column_of(by_nights, "lead").relation
    groups = [groups_of(survey(name, frame[name].to_numpy())) for name in ("lead", "nights")]
    assert found is not None
    lead, nights = (group.place for group in groups if group is not None)
    mutual, whole = mutual_info_score(lead, nights), mutual_info_score(nights, nights)
    chance = (len(set(lead)) - 1) * (len(set(nights)) - 1) / (2 * len(frame))
    assert found.information == pytest.approx((mutual - chance) / whole)


def test_a_gap_is_a_group_of_its_own(by_nights: Portrait) -> None:
    found = column_of(by_nights, "price").relation
    assert found is not None
    assert found.groups[-1] == "missing"
    assert found.special == 1
    assert sum(found.rows) == ROWS


def test_over_time_the_quartiles_are_those_of_the_rows_in_each_span(
    frame: pd.DataFrame, by_nights: Portrait
) -> None:
    spans, found = by_nights.spans, column_of(by_nights, "nights").trend
    assert spans is not None
    assert found is not None
    assert sum(spans.rows) == ROWS
    ticks = frame["day"].to_numpy().astype("datetime64[us]").astype(np.int64)
    inside = frame["nights"][(ticks >= spans.edges[0]) & (ticks < spans.edges[1])]
    told = found.quartiles[0]
    assert told is not None
    assert (told.low, told.median, told.high) == pytest.approx(tuple(inside.quantile([0.25, 0.5, 0.75])))


def test_a_large_table_is_looked_at_in_a_sample_and_says_so() -> None:
    found = portray(Table({"x": np.arange(600_000.0)}), Asked())
    assert (found.rows, found.rows_in_all, found.pair_rows) == (500_000, 600_000, 20_000)


def test_rows_are_held_against_the_contract_that_is_there() -> None:
    table = Table({"x": np.array([1.0, 2.0, 30.0]), "w": objects(["a", "b", "zzz"]), "y": np.arange(3.0)})
    columns = (Number(name="x", minimum=0, maximum=9), Category(name="w", vocabulary=("a", "b"), strict=True))
    contract = Contract(columns=columns, target=Target(name="y"))
    found = portray(table, Asked(target="y"), contract=contract).contract
    assert found is not None
    assert found.problem_count == 1
    assert [problem.column for problem in found.problems] == ["w"]
    assert [warning.code for warning in found.warnings] == ["out-of-range"]
    assert found.changes


@pytest.mark.parametrize(
    "columns",
    [
        {"x": objects([None, None]), "y": np.array([1.0, 2.0])},
        {"x": np.array([1.0]), "y": np.array([1.0])},
        {"x": np.array([1.0, 2.0]), "y": np.array([1.0, 1.0])},
        {"x": np.array([np.inf, 2.0, 1e300]), "y": np.array([1.0, 2.0, 3.0])},
        {"x": objects([[1, 2], [3, 4]]), "y": np.array([1.0, 2.0])},
        {"x": objects([{"a": 1}, 3]), "y": np.array([1.0, 2.0])},
        {"y": np.array([1.0, 2.0])},
        {"x": np.array(["1970-01-01", "9999-12-31"], dtype="datetime64[us]"), "y": np.array([1.0, np.nan])},
    ],
)
def test_what_cannot_be_learned_from_is_portrayed_all_the_same(columns: dict[str, Cells]) -> None:
    found = portray(Table(columns), Asked(target="y"))
    assert [column.portrait.name for column in found.columns] == list(columns)
    assert found.refusal is not None or found.findings


def test_a_column_of_texts_shows_their_lengths() -> None:
    texts = [f"{'word ' * (i % 7)}{i}" for i in range(100)]
    found = portray_column(survey("note", objects(texts)))
    assert found.of_lengths
    assert found.histogram is not None
    assert sum(found.histogram.counts) == 100


def test_words_that_name_their_row_have_no_groups() -> None:
    """Each group would be a row, and what it tells of the target chance."""
    names = objects([f"ID{i:05}" for i in range(40)])
    found = portray(Table({"id": names, "y": np.arange(40) % 2 == 0}), Asked(target="y"))
    column = column_of(found, "id")
    assert column.relation is None
    assert distribution(column.portrait) is None, "all are equally long: there is nothing to see"
