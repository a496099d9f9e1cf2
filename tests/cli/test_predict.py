"""`siklus predict`: every row comes back, with the answer beside it and nothing written over."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.projects import Answer, answered, new_project, siklus, straight_rows, write_csv


@pytest.fixture(scope="module")
def sided(tmp_path_factory: pytest.TempPathFactory, store: str) -> Path:
    """A classification, whose target is called as the answer is."""
    rows = [
        {"a": row["a"], "b": row["b"], "y": "up" if row["y"] > 0 else "down"} for row in straight_rows(120)
    ]
    folder = new_project(tmp_path_factory.mktemp("sided") / "sided", rows, store=store)
    for name in ("rows.csv", "contract.json", "siklus.toml"):
        text = (folder / name).read_text()
        for old, new in (("a,b,y\n", "a,b,prediction\n"), ('"y"', '"prediction"')):
            text = text.replace(old, new)
        (folder / name).write_text(text)
    answered("train", "-C", folder)
    return folder


def table(found: Answer) -> list[dict[str, str]]:
    assert found.code == 0, found.err
    return list(csv.DictReader(io.StringIO(found.out)))


def test_a_column_of_the_answers_name_is_kept(sided: Path) -> None:
    given = list(csv.DictReader(io.StringIO((sided / "rows.csv").read_text())))
    rows = table(siklus("predict", sided / "rows.csv", "-C", sided))
    assert list(rows[0]) == ["a", "b", "prediction", "prediction_", "probability"]
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in given]
    right = np.mean([row["prediction"] == row["prediction_"] for row in rows])
    assert right > 0.9
    assert all(0.5 <= float(row["probability"]) <= 1 for row in rows)
    document = answered("predict", sided / "rows.csv", "-C", sided)
    assert document["rows"] == 120
    assert document["prediction_"] == [row["prediction_"] for row in rows]
    assert "prediction" not in document


def test_rows_need_no_target_and_come_in_any_format(sided: Path, tmp_path: Path) -> None:
    rows = [{"a": 1.0, "b": 0.5}, {"a": -1.0, "b": 0.25}]
    write_csv(tmp_path / "new.csv", rows)
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with gzip.open(tmp_path / "new.csv.gz", "wt") as file:
        file.write((tmp_path / "new.csv").read_text())
    for name in ("new.csv", "new.jsonl", "new.csv.gz"):
        assert [row["prediction"] for row in table(siklus("predict", tmp_path / name, "-C", sided))] == [
            "up",
            "down",
        ]


def test_a_bundle_needs_no_project(sided: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [version] = answered("models", "-C", sided)
    bundle = sided / ".siklus" / "bundles" / version["digest"]
    document = answered("predict", sided / "rows.csv", "--bundle", bundle)
    assert document["version"] == version["digest"][:12]
    assert document["prediction_"] == answered("predict", sided / "rows.csv", "-C", sided)["prediction_"]


def test_a_file_beyond_a_trainings_sample_is_scored_whole(sided: Path) -> None:
    assert answered("predict", sided / "rows.csv", "-C", sided, DATA__MAX_ROWS="10")["rows"] == 120


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ([{"a": 1.0, "b": 0.5, "c": 0.5}], "RW001", "'c'"),
        ([{"a": 1.0}], "RW002", "column 'b'"),
        ([{"a": 1.0, "b": 0.5}, {"a": "x", "b": 0.5}], "RW003", "row 0, column 'a'"),
        ([{"a": 1.0, "b": 0.5}, {"a": 2.0, "b": ""}], "RW004", "row 1, column 'b'"),
        ([{"a": 1.0, "b": 0.5}, {"a": "inf", "b": 0.5}], "RW005", "row 1, column 'a'"),
    ],
)
def test_rows_that_break_the_contract_stop_it(
    sided: Path, tmp_path: Path, rows: list[dict[str, object]], code: str, words: str
) -> None:
    to = tmp_path / "scored.csv"
    found = siklus("predict", write_csv(tmp_path / "new.csv", rows), "-C", sided, "-o", to)
    assert (found.code, found.out) == (1, "")
    assert found.err.startswith(f"siklus: {code} ")
    assert words in found.err
    assert not to.exists()


def test_an_output_that_cannot_be_written_is_told(sided: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for to, code in ((tmp_path / "file" / "scored.csv", "FS001"), (tmp_path / "scored.xlsx", "DA006")):
        found = siklus("predict", sided / "rows.csv", "-C", sided, "-o", to)
        assert (found.code, found.err[:14]) == (2, f"siklus: {code} ")
