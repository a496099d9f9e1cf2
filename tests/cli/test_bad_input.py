"""Bad input: a line of what, where and what would be right, with a code; nothing written; no traceback."""

import json
from pathlib import Path

import pytest

from tests.cli.projects import Answer, answered, append_csv, files_below, new_project, siklus, straight_rows

HEADER = "a,b,y\n"
LINES = "".join(f"{i},{i % 7},{3 * i % 11}\n" for i in range(30))


def refused(found: Answer, code: str, *words: str, exit_code: int = 2) -> None:
    """One error: its line, what was expected, and where to read more."""
    assert (found.code, found.out) == (exit_code, "")
    said = found.err.splitlines()[-3:]
    assert said[0].startswith(f"siklus: {code} "), found.err
    assert said[1].startswith("        expected ")
    assert said[2] == f"        more: docs/problems.md#{code.lower()}"
    for word in words:
        assert word in " ".join(said), found.err


def init(folder: Path, content: bytes | str | None, *words: str, name: str = "rows.csv") -> Answer:
    """`siklus init` of a new folder on a file of that content."""
    if content is not None:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    target = [] if "--target" in words else ["--target", "y"]
    return siklus("init", folder / "project", "--data", folder / name, *target, *words)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, "DA004", ["rows.csv: no such file"]),
        ("", "DA009", ["the file is empty"]),
        (HEADER, "DA009", ["no rows"]),
        (HEADER + LINES + "1,2\n", "DA008", ["rows.csv", "line 32"]),
        (HEADER + LINES + "1,2,3,4\n", "DA008", ["line 32"]),
        ("a,b,y\n1,é,3\n".encode("latin1"), "DA007", ["line 2", "UTF-8"]),
        ("a,a,y\n1,2,3\n", "DA003", ["'a'"]),
        ("a,b,yy\n1,2,3\n4,5,6\n", "DA002", ["no column 'y'", "'yy'?"]),
        (HEADER + "1,2,5\n3,4,5\n", "DA033", ["'y'"]),
        (HEADER + "1,2,\n3,4,\n", "DA033", ["'y'"]),
        (HEADER + "1,2,p\n3,4,p\n5,6,q\n", "DA034", ["'q'"]),
        (HEADER + LINES + "inf,2,3\n", "DA037", ["column 'a'", "row 30"]),
        (HEADER + LINES + "1e39,2,3\n", "DA037", ["column 'a'"]),
        ("a,b,y\n" + "1,2,3\n1,2,4\n" * 9, "DA039", ["'y'"]),
    ],
)
def test_a_file_that_is_no_table_makes_no_project(
    tmp_path: Path, content: bytes | str | None, code: str, words: list[str]
) -> None:
    found = init(tmp_path, content)
    refused(found, code, *words)
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--time", "b"], "DA015", "'word 0' is no moment"),
        (["--time", "day"], "DA002", "no column 'day'"),
        (["--key", "idd"], "DA002", "no column 'idd'"),
        (["--drop", "c,d"], "DA002", "no column 'd'"),
        (["--drop", "y"], "DA031", "'y'"),
        (["--target", "c", "--task", "regression"], "DA036", "'c'"),
    ],
)
def test_a_column_that_cannot_be_what_it_is_named_for_is_told(
    tmp_path: Path, words: list[str], code: str, told: str
) -> None:
    content = "a,b,c,y\n" + "".join(f"{i},word {i},{'pq'[i % 2]},{i % 5}\n" for i in range(30))
    refused(init(tmp_path, content, *words), code, told)
    assert not (tmp_path / "project").exists()


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").mkdir()
    refused(init(tmp_path, None), "DA005", "rows.csv: a directory", "*.csv")


def test_two_sources_or_none_are_no_source(tmp_path: Path) -> None:
    refused(siklus("init", tmp_path / "p", "--target", "y"), "PJ009")
    refused(
        siklus("init", tmp_path / "p", "--target", "y", "--data", "a.csv", "--query", "SELECT 1"), "PJ009"
    )


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    project = new_project(tmp_path / "line", straight_rows(30))
    before = (project / "siklus.toml").read_text()
    words = ["init", project, "--data", project / "rows.csv", "--target", "y", "--name", "other"]
    refused(siklus(*words), "PJ011", "siklus.toml is there already", "--force")
    assert (project / "siklus.toml").read_text() == before
    assert siklus(*words, "--force").code == 0
    assert 'name = "other"' in (project / "siklus.toml").read_text()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(HEADER + LINES)
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        refused(siklus("init", folder, "--data", tmp_path / "rows.csv", "--target", "y"), "FS001")


def test_a_state_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    project = new_project(tmp_path / "line", straight_rows(60))
    (project / "file").touch()
    refused(siklus("train", "-C", project, STATE__DIRECTORY="file"), "FS001", "file")


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"TRAIN__TRAILS": "5"}, "PJ003", ["SIKLUS_TRAIN__TRAILS", "'trials'?"]),
        ({"DATA__TARGET": "b"}, "PJ008", ["[data] target = 'b'", "'y'"]),
        ({"PROJECT__TASK": "classification"}, "PJ008", ["[project] task = 'classification'", "'regression'"]),
        ({"DATA__PATH": "row.csv"}, "DA004", ["row.csv: no such file"]),
        ({"DATA__CONTRACT": "contact.json"}, "CT001", ["contact.json: no contract here"]),
        ({"DATA__TIME": "side"}, "DA015", ["side"]),
        ({"DATA__SPLIT__BY": "group"}, "DA020", ["group"]),
        ({"DATA__SPLIT__TEST": "0.9"}, "DA019", []),
        ({"TRAIN__METRIC": "roc_auc"}, "PJ010", ["roc_auc"]),
        ({"STATE__TRACKING_URI": "sqlite:///rows.csv/mlflow.db", "GATES__CHAMPION": "mae"}, "FS001", []),
    ],
)
def test_a_project_that_contradicts_itself_is_told(
    tmp_path: Path, settings: dict[str, str], code: str, words: list[str]
) -> None:
    project = new_project(tmp_path / "line", straight_rows(60))
    refused(siklus("train", "-C", project, **settings), code, *words)
    steps = files_below(project / ".siklus" / "steps")
    assert {step.partition("-")[0] for step in steps} <= {"ingest", "check"}


def test_no_project_is_told(tmp_path: Path) -> None:
    for words in (["train"], ["models"], ["serve"], ["contract", "check"], ["predict", "rows.csv"]):
        refused(siklus(*words, "-C", tmp_path), "PJ001", "no siklus.toml here or above")
        refused(siklus(*words, "-C", tmp_path / "typo"), "PJ001", "no such folder")


def test_rows_that_break_the_contract_stop_a_training_with_1(tmp_path: Path) -> None:
    project = new_project(tmp_path / "line", straight_rows(60))
    append_csv(project / "rows.csv", [{"id": 60, "a": "", "b": 1, "side": "l", "y": 2}])
    found = siklus("train", "-C", project)
    refused(found, "RW004", "row 60, column 'a'", exit_code=1)
    assert {step.partition("-")[0] for step in files_below(project / ".siklus" / "steps")} == {"ingest"}


def test_rows_without_any_target_are_told(tmp_path: Path) -> None:
    project = new_project(tmp_path / "line", straight_rows(60))
    (project / "rows.csv").write_text("id,a,b,side,y\n1,1,1,l,\n2,2,2,r,\n")
    refused(siklus("train", "-C", project), "TN006", "'y'")


def test_a_target_that_went_missing_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    project = new_project(tmp_path / "line", straight_rows(60))
    (project / "rows.csv").write_text("id,a,b,side,yy\n1,1,1,l,1\n2,2,2,r,2\n")
    refused(siklus("train", "-C", project), "DA002", "no column 'y'", "yy")


@pytest.mark.parametrize(
    "column", [{"kind": "text", "name": "side"}, {"kind": "tensor", "name": "t", "shape": [2]}]
)
def test_columns_that_no_candidate_can_use_are_told(tmp_path: Path, column: dict[str, object]) -> None:
    project = new_project(tmp_path / "line", straight_rows(60))
    contract = json.loads((project / "contract.json").read_text())
    contract["columns"] = [column, contract["columns"][0]]
    (project / "contract.json").write_text(json.dumps(contract))
    refused(siklus("train", "-C", project), "TN003", f"column '{column['name']}'")


def test_a_contract_from_the_future_is_told(tmp_path: Path) -> None:
    project = new_project(tmp_path / "line", straight_rows(60))
    contract = json.loads((project / "contract.json").read_text())
    (project / "contract.json").write_text(json.dumps({**contract, "format": 99}))
    refused(siklus("train", "-C", project), "CT003", "99")


def test_git_need_not_be_there(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = new_project(tmp_path / "without-git", straight_rows(60), store=store)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert answered("train", "-C", project)["version"] == 1


def test_what_is_odd_but_usable_is_used_with_a_finding(tmp_path: Path, store: str) -> None:
    """A column all missing, ten thousand words, infinities in a column that is left out, and odd names."""
    header = 'empty,"many, ""words""",beyond,größe [cm],a\\b,target\'s\n'
    lines = [
        f",w{i:05d},{'inf' if i % 2 else i},{i % 13},{i % 5},{(i % 13) * 2 + i % 5}\n" for i in range(10_000)
    ]
    data = tmp_path / "rows.csv"
    data.write_text(header + "".join(lines) + "".join(lines[:300]))
    words = ["--data", data, "--target", "target's", "--task", "regression", "--drop", "beyond"]
    found = answered("init", tmp_path / "odd", *words)
    kinds = {(finding["column"], finding["code"]) for finding in found["findings"]}
    assert ("empty", "all-missing") in kinds
    assert any(column == 'many, "words"' for column, _ in kinds)
    assert {"empty", "beyond"} <= set(found["ignored"])
    assert {"größe [cm]", "a\\b"} <= set(found["columns"])
    text = (tmp_path / "odd" / "siklus.toml").read_text()
    (tmp_path / "odd" / "siklus.toml").write_text(text + f'\n[state]\ntracking_uri = "{store}"\n')
    trained = answered("train", "-C", tmp_path / "odd")
    assert trained["metrics"]["mae"] < 0.01
    scored = siklus("predict", data, "-C", tmp_path / "odd", "-o", tmp_path / "scored.parquet")
    assert scored.code == 0, scored.err


def test_ten_thousand_words_of_a_category_are_cut_with_a_finding(tmp_path: Path) -> None:
    lines = [f"w{i % 9000:05d},{i % 13},{i % 13}\n" for i in range(20_000)]
    found = init(tmp_path, "word,a,y\n" + "".join(lines), "--task", "regression", "--json").document
    assert ("word", "many-categories") in {(item["column"], item["code"]) for item in found["findings"]}


def test_a_query_over_files_keeps_its_odd_words(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(HEADER + LINES)
    query = "SELECT a, b AS \"b's \"\"own\"\"\",\n  y -- [train] '''\nFROM 'rows.csv'\nWHERE a <> 3"
    found = answered("init", tmp_path, "--query", query, "--target", "y", "--task", "regression")
    assert set(found["columns"]) == {"a", 'b\'s "own"'}
    assert found["rows"] == 29
    assert siklus("contract", "check", "-C", tmp_path).code == 0
