"""The year: every flight once and in order, labels late, and the same sample wherever it is taken."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from siklus.demo.flights import TIME, make_project, month_of
from siklus.demo.pace import FAST, LABEL_DAYS, WHOLE
from siklus.demo.year import Awaited, year
from siklus.project.file import open_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("flights"), pace=FAST).paths.root


def test_a_month_passes_some_days_at_a_time_and_each_flight_once(folder: Path) -> None:
    passed = list(year(folder, pace=FAST, months=[2, 3]))
    assert sum(map(len, passed)) == sum(len(month_of(folder, month, pace=FAST)) for month in (2, 3))
    assert [days.first for days in passed][:2] == [date(2013, 2, 1), date(2013, 2, 1 + FAST.days)]
    assert (passed[-1].month, passed[-1].last) == (3, date(2013, 3, 31))
    for days in passed:
        departed = days.flights[TIME]
        assert (departed[1:] >= departed[:-1]).all()
        # In UTC the last evening of a month is already the next one's.
        assert departed.min() >= np.datetime64(days.first)
        assert departed.max() < days.until + np.timedelta64(1, "D")


def test_the_sample_is_one_in_so_many_and_always_the_same(folder: Path) -> None:
    whole, sample = month_of(folder, 2), month_of(folder, 2, pace=FAST)
    assert len(sample) == pytest.approx(len(whole) / FAST.one_in, rel=0.05)
    assert sample == month_of(folder, 2, pace=FAST)
    carriers = [np.unique(table["carrier"].astype(str), return_counts=True) for table in (whole, sample)]
    shares = [dict(zip(names, counts / counts.sum(), strict=True)) for names, counts in carriers]
    assert all(abs(share - shares[1].get(name, 0.0)) < 0.02 for name, share in shares[0].items())


def test_labels_are_told_two_days_after_the_flight_and_once() -> None:
    awaited = Awaited()
    departed = np.array(["2013-02-01T10:00", "2013-02-02T10:00"], dtype="datetime64[s]")
    awaited.add(departed, ["a", "b"], np.array([100.0, 200.0]))
    day = np.timedelta64(LABEL_DAYS, "D")
    assert awaited.known(np.datetime64("2013-02-01T10:00") + day) == []
    assert awaited.known(np.datetime64("2013-02-01T11:00") + day) == [("a", 100.0)]
    assert awaited.known(np.datetime64("2013-02-28")) == [("b", 200.0)]
    assert awaited.known(np.datetime64("2013-02-28")) == []


@pytest.mark.parametrize("pace", [FAST, WHOLE])
def test_the_project_file_says_what_the_demo_does(tmp_path: Path, pace: object) -> None:
    chosen = FAST if pace is FAST else WHOLE
    made = make_project(tmp_path, pace=chosen)
    settings = open_project(tmp_path, environment={}).settings
    assert settings == made.settings
    assert settings.retrain.on == ("quality", f"labels:{chosen.labels}")
    assert settings.rollout.steps == chosen.steps
    assert settings.retrain.per_day == 12
