"""`siklus profile`: one file that says what is in the data, whatever the data is."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from siklus.monitor.pages.profile_page import About, profile_page
from siklus.monitor.portrait.data import Asked, portray
from siklus.table import Table, objects
from tests.cli.projects import Answer, mixed_rows, new_project, siklus, straight_rows, write_csv
from tests.figures import Figure
from tests.monitor.pages import HOSTILE, check_page

ABOUT = About(name="shop", source="rows.csv", made=datetime(2026, 1, 31, tzinfo=UTC), version="1.2.3")
WORDS = [
    "<b>bold</b>",
    "$x_1$",
    "_hidden",
    "a\u202egnp.exe",
    "nul\x00",
    "日本",
    '"',
    "'",
    "{{ 7 * 7 }}",
    "&amp;",
]


def hostile(rows: int = 200) -> Table:
    rng = np.random.default_rng(0)
    return Table(
        {
            HOSTILE: rng.normal(size=rows),
            "{{ 7 * 7 }}": objects(rng.choice(WORDS, rows).tolist()),
            '" onmouseover="alert(1)': rng.integers(0, 3, rows),
            "\x00\n": rng.random(rows) < 0.5,
            "</svg></style>": objects(rng.choice(WORDS[:3], rows).tolist()),
        }
    )


def written(folder: Path, *words: str | Path) -> str:
    out = folder / "page.html"
    done = siklus("profile", *words, "--out", out)
    assert done.code == 0, done.err
    return out.read_text()


# As a number, beside which the others stand, in a browser, too; as words, and as yes and no here.
@pytest.mark.parametrize("target", ["{{ 7 * 7 }}", "\x00\n"])
def test_hostile_names_and_words_are_only_text(target: str) -> None:
    seen = check_page(profile_page(portray(hostile(), Asked(target=target)), ABOUT))
    assert HOSTILE in seen.text
    assert "{{ 7 * 7 }}" in seen.text
    assert not {"\u202e", "\x00"} & set(seen.text)


def test_a_project_of_files_gets_a_page_with_its_contract(tmp_path: Path) -> None:
    project = new_project(tmp_path / "shop", mixed_rows(300), "--key", "id")
    seen = check_page(written(tmp_path, "-C", project))
    for said in ("300", "All rows keep the contract", "Spearman", "word", "y in groups of its values"):
        assert said in seen.text
    assert seen.tags.count("svg") > 10


def test_the_numbers_are_those_of_pandas(tmp_path: Path) -> None:
    rows = mixed_rows(300)
    file = write_csv(tmp_path / "rows.csv", rows)
    found = json.loads(siklus("profile", "--data", file, "--target", "y", "--json", "-C", tmp_path).out)
    frame = pd.read_csv(file)
    told = {column["portrait"]["name"]: column["portrait"] for column in found["columns"]}
    assert list(told) == list(frame)
    assert told["b"]["missing"] == frame["b"].isna().sum()
    assert told["a"]["numbers"]["mean"] == pytest.approx(frame["a"].mean())
    assert told["word"]["frequent"][0] == {
        "value": frame["word"].mode()[0],
        "rows": frame["word"].value_counts().max(),
    }
    page = check_page(written(tmp_path, "--data", file, "--target", "y", "-C", tmp_path)).text
    assert f"mean{frame['a'].mean():.4g}" in page.replace(" ", "").replace("\n", "")


def test_with_json_a_page_is_written_only_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_csv(tmp_path / "rows.csv", straight_rows(50))
    assert siklus("profile", "--data", file, "--json").code == 0
    assert not (tmp_path / "profile.html").exists()
    done = siklus("profile", "--data", file)
    assert "profile.html" in done.out
    check_page((tmp_path / "profile.html").read_text())


def test_leaks_repeats_and_broken_contracts_are_told(tmp_path: Path) -> None:
    rows = straight_rows(200)
    project = new_project(tmp_path / "shop", rows, "--key", "id")
    later = [{**row, "echo": row["y"], "side": "left"} for row in rows]
    file = write_csv(tmp_path / "later.csv", [*later, *later[:5]])
    seen = check_page(written(tmp_path, "--data", file, "-C", project))
    for said in ("leak", "echo", "break the contract", "key-not-unique", "the contract has no column"):
        assert said in seen.text


@pytest.mark.parametrize(
    "rows",
    [
        [{"x": 1, "y": 2}],
        [{"x": "", "y": i} for i in range(30)],
        [{"x": i, "y": 1} for i in range(30)],
        [{"x": ["inf", "1e308", "-1e308"][i % 3], "y": i} for i in range(30)],
        [{"x": f"text number {i} is not like the others", "y": i % 2} for i in range(60)],
        [{"x": f"20{24 + i % 2}-01-0{1 + i % 9}T0{i % 10}:00", "y": i % 3} for i in range(60)],
    ],
    ids=["one row", "all missing", "constant target", "infinite", "texts", "moments"],
)
def test_messy_files_get_a_page_too(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    file = write_csv(tmp_path / "rows.csv", rows)
    seen = check_page(written(tmp_path, "--data", file, "--target", "y", "-C", tmp_path))
    assert f"{len(rows)}" in seen.text


def test_a_wide_file_gets_a_page_of_every_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 32)), columns=[f"column{i}" for i in range(32)])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    seen = check_page(written(tmp_path, "--data", tmp_path / "rows.csv", "-C", tmp_path))
    assert seen.tags.count("article") == 32
    assert "Left out: 2 with weaker ties" in seen.text


def test_an_empty_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n")
    refused(siklus("profile", "--data", tmp_path / "rows.csv", "-C", tmp_path), "DA009")


def test_a_target_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "rows.csv", straight_rows(5))
    refused(siklus("profile", "--data", file, "--target", "z", "-C", tmp_path), "MO040")


def test_without_a_file_there_must_be_a_project(tmp_path: Path) -> None:
    refused(siklus("profile", "-C", tmp_path), "PJ001")


def refused(done: Answer, code: str) -> None:
    assert done.code == 2
    assert code in done.err
    assert "Traceback" not in done.err


def test_a_page_is_small_and_soon_there(figure: Figure) -> None:
    rng = np.random.default_rng(0)
    rows = 26_000
    numbers = {f"n{i}": rng.normal(size=rows) for i in range(8)}
    words = {f"w{i}": objects(rng.choice(list("abcdefgh"), rows).tolist()) for i in range(3)}
    began = time.monotonic()
    page = profile_page(portray(Table({**numbers, **words}), Asked(target="n0")), ABOUT)
    took = time.monotonic() - began
    figure("siklus profile, 26,000 rows of 11 columns", f"{took:.1f} s, {len(page) / 1e6:.2f} MB")
    assert len(page) < 2_000_000
    assert took < 60  # a few seconds where nobody else works
