"""The year of flights: drift sees the weather, labels alone the model, and random rows are left in peace."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from benchmarks.months.champion import Champion, fitted
from benchmarks.months.looks import Look
from benchmarks.months.page import CONTROL_HEADINGS, HEADINGS, Study
from benchmarks.months.rivals import judged_by_others
from benchmarks.months.year import NAMES, Shuffle, control, month, months
from scipy.stats import norm

from siklus.contract.columns import Category, Contract, Number, Target, read_contract
from siklus.demo.flights import JOINED, make_project
from siklus.project.file import OpenProject
from siklus.project.sections import Gates
from siklus.table import Table, concatenate
from tests.figures import Figure

ROWS = 4_000  # of a month
CUSTOMARY = 0.25  # the PSI that is called a shift where nobody asks about chance
LARGEST_PSI = 0.17  # of the numbers that are no weather, as was measured before any of this was written
PAGE = Path(__file__).parents[2] / "docs" / "flights.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> OpenProject:
    return make_project(tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def tables(project: OpenProject) -> dict[int, Table]:
    return {number: month(project.paths.root, number, rows=ROWS) for number in (1, 2, 7)}


@pytest.fixture(scope="module")
def looks(project: OpenProject, tables: dict[int, Table]) -> dict[str, Look]:
    january, rest = tables[1], [(NAMES[number - 1], tables[number]) for number in (2, 7)]
    cut = ROWS - ROWS // 5
    contract = read_contract(project.paths.contract)
    first, last = january.take(np.arange(cut)), january.take(np.arange(cut, ROWS))
    champion: Champion = fitted(first, last, contract, project.settings)
    return {look.name: look for look in months(champion, rest)}


def weather(look: Look) -> set[str]:
    return {column.name for column in look.alarming} & set(JOINED)


def test_drift_sees_the_season_in_the_weather_on_the_first_day(
    looks: dict[str, Look], figure: Figure
) -> None:
    july = looks["July"]
    assert july.drift
    assert july.drift_day == 1
    assert {"temp", "dewp"} <= weather(july)
    for look in looks.values():
        assert (look.farthest_number.psi or 0) < CUSTOMARY  # no other number has gone so far
    figure("weather columns that left January in July", f"{len(weather(july))} of {len(JOINED)}")


def test_labels_alone_see_what_the_model_is_worth(looks: dict[str, Look], figure: Figure) -> None:
    february, july = looks["February"], looks["July"]
    # The weather has drifted in both.
    assert weather(february)
    assert february.verdict == "keeps"
    assert july.verdict == "beyond"
    assert july.quality_day is not None
    assert july.quality_day <= 7
    for look in looks.values():
        assert look.always.low is not None
        assert look.mae.low is not None
        assert look.always.low < look.mae.low  # what holds on all days is wider
    figure("January's model in July", f"MAE {july.mae.value:.1f} minutes, alarm on day {july.quality_day}")


def test_random_rows_raise_no_alarm(project: OpenProject, tables: dict[int, Table], figure: Figure) -> None:
    year = concatenate(list(tables.values()))
    settings = msgspec.structs.replace(project.settings, gates=Gates())
    contract = read_contract(project.paths.contract)
    shuffle = Shuffle(seed=0, fit_rows=5_000, window_rows=1_000, windows=4)
    found = list(control(year, contract, settings, shuffle))
    assert len(found) == 4
    assert silent(found)
    flagged = sum(look.others.ks > 0 for look in found)
    assert flagged > 0
    figure("random windows with an alarm", f"0 of 4; by KS at 5 % a column {flagged} of 4")


def silent(looks: Sequence[Look]) -> bool:
    """Neither a single look nor a day's."""
    return not any(
        look.drift or look.drift_day or look.quality_day or look.verdict == "beyond" for look in looks
    )


def test_others_judge_as_they_say() -> None:
    rng = np.random.default_rng(0)
    contract = Contract(
        columns=(Number(name="a"), Number(name="b"), Category(name="c", vocabulary=("x", "y"))),
        target=Target(name="t"),
    )

    def rows(count: int, shift: float, share: float) -> np.ndarray:
        quantiles = norm.ppf((np.arange(count) + 0.5) / count)
        words = (np.arange(count) < share * count).astype(np.float64)
        return np.stack([quantiles + shift, rng.permutation(quantiles), words], axis=1).astype(np.float32)

    same = judged_by_others(contract, rows(2000, 0, 0.5), rows(2000, 0, 0.5))
    assert (same.columns, same.ks, same.evidently, same.evidently_alarm) == (3, 0, 0, False)
    # A mean that moves by 0.08 σ has a Wasserstein distance of 0.08, which Evidently lets pass, and KS not:
    # its D is 2 Φ(0.04) − 1 = 0.032, at 10,000 rows beyond 1.36 √(2 / 10,000) = 0.019.
    moved = judged_by_others(contract, rows(10_000, 0.08, 0.5), rows(10_000, 0, 0.5))
    assert (moved.ks, moved.evidently) == (1, 0)
    far = judged_by_others(contract, rows(10_000, 0.12, 0.5), rows(10_000, 0, 0.9))
    assert (far.ks, far.evidently, far.evidently_alarm) == (2, 2, True)
    few = judged_by_others(contract, rows(1_000, 0.3, 0.5), rows(1_000, 0, 0.5))
    assert few.evidently == 1


def test_the_page_has_the_tables_that_the_study_prints() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for headings in (HEADINGS, CONTROL_HEADINGS):
        assert f"| {' | '.join(headings)} |" in page
    assert all(f"| {name} |" in page for name in NAMES[1:])


@pytest.mark.slow
def test_the_whole_year_is_as_the_page_tells_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.months", "--cache", str(tmp_path), "--shuffles", "2", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=PAGE.parents[1])
    found = msgspec.json.decode(done.stdout, type=Study)
    assert json.loads(done.stdout)["months"][1]["name"] == "February"
    assert [look.name for look in found.months[1:]] == list(NAMES[1:])
    assert all(look.drift and len(weather(look)) >= 7 for look in found.months)
    assert all((look.farthest_number.psi or 0) <= LARGEST_PSI for look in found.months)
    verdicts = {look.name: look.verdict for look in found.months}
    assert {name for name, verdict in verdicts.items() if verdict == "beyond"} == set(NAMES[4:9])
    assert silent(found.control)
    assert sum(look.others.ks > 0 for look in found.control) > 0
