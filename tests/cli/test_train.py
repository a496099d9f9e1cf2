"""`siklus train`: what runs and why, what it prints, and what it leaves behind."""

import json
import os
import pty
import sys
import threading
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from siklus.cli.main import main
from siklus.project.file import FILE_NAME
from tests.cli.projects import (
    QUICK,
    STEPS,
    answered,
    append_csv,
    files_below,
    mixed_rows,
    new_project,
    siklus,
    straight_rows,
    variables,
    would_run,
)

SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, store: str) -> Path:
    """A trained project that plans are made for; nothing in it is changed for longer than a test."""
    folder = new_project(tmp_path_factory.mktemp("plans") / "plans", straight_rows(120), store=store)
    answered("train", "-C", folder)
    return folder


def test_a_new_project_would_run_everything_and_planning_writes_nothing(tmp_path: Path) -> None:
    project = new_project(tmp_path / "new", straight_rows(60))
    before = files_below(project)
    found = siklus("train", "-C", project, "--plan")
    assert found.code == 0
    assert [line.split()[:2] for line in found.out.splitlines()[1:]] == [[step, "run"] for step in STEPS]
    assert "it has not run yet" in found.out
    assert files_below(project) == before


def test_planning_a_champion_gate_makes_no_database(tmp_path: Path) -> None:
    project = new_project(tmp_path / "new", straight_rows(60))
    before = files_below(project)
    assert would_run(project, GATES__CHAMPION="mae") == STEPS
    assert files_below(project) == before


def test_nothing_changed_reuses_everything(trained: Path) -> None:
    assert would_run(trained) == []
    first, again = (answered("train", "-C", trained) for _ in range(2))
    assert first == again
    found = siklus("train", "-C", trained)
    assert [line.split()[:2] for line in found.err.splitlines()] == [[step, "reused"] for step in STEPS]


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"GATES__MAE": "<= 5"}, "gate"),
        ({"GATES__SLICES": '{ column = "side", mae = "<= 5" }'}, "evaluate"),
        ({"TRAIN__TRIALS": "4"}, "search"),
        ({"TRAIN__METRIC": "rmse"}, "search"),
        ({"TRAIN__SEED": "1"}, "search"),
        ({"DATA__SPLIT__TEST": "0.3"}, "split"),
        ({"DATA__KEY": "id"}, "ingest"),
        ({"DATA__MAX_ROWS": "50"}, "ingest"),
        ({"DATA__QUERY": "\"SELECT * FROM 'rows.csv' WHERE a < 1\""}, "ingest"),
        ({"TRAIN__JOBS": "2"}, None),
        ({"SERVE__PORT": "9000"}, None),
    ],
)
def test_a_change_runs_what_depends_on_it(trained: Path, settings: dict[str, str], first: str | None) -> None:
    text = (trained / FILE_NAME).read_text()
    if "DATA__QUERY" in settings:
        (trained / FILE_NAME).write_text(text.replace('path = "rows.csv"\n', ""))
    try:
        assert would_run(trained, **settings) == (STEPS[STEPS.index(first) :] if first else [])
    finally:
        (trained / FILE_NAME).write_text(text)


def test_a_change_of_the_contract_runs_from_the_check_and_one_of_the_data_everything(trained: Path) -> None:
    contract, data = trained / "contract.json", trained / "rows.csv"
    before = contract.read_text(), data.read_text()
    try:
        contract.write_text(before[0].replace('"name": "a",', '"name": "a", "description": "the first",'))
        assert would_run(trained) == STEPS[1:]
        contract.write_text(before[0])
        append_csv(data, straight_rows(1))
        assert would_run(trained) == STEPS
    finally:
        contract.write_text(before[0])
        data.write_text(before[1])
    assert would_run(trained) == []


def test_a_span_is_run_anew_on_request(trained: Path) -> None:
    assert would_run(trained, "--from", "gate") == ["gate", "register"]
    assert would_run(trained, "--from", "search", "--until", "export") == ["search", "evaluate", "export"]
    assert would_run(trained, "--force", "--until", "check") == ["ingest", "check"]


@pytest.mark.parametrize(
    ("words", "code"), [(["--from", "serch"], "TN010"), (["--from", "gate", "--until", "check"], "TN011")]
)
def test_a_span_that_means_nothing_is_refused(trained: Path, words: list[str], code: str) -> None:
    found = siklus("train", "-C", trained, *words)
    assert found.code == 2
    assert found.err.startswith(f"siklus: {code} ")


def test_until_stops_there_and_the_rest_follows(tmp_path: Path) -> None:
    project = new_project(tmp_path / "until", straight_rows(60))
    found = siklus("train", "-C", project, "--until", "evaluate")
    assert (found.code, found.out) == (0, "")
    assert would_run(project) == ["export", "gate", "register"]
    assert answered("train", "-C", project, "--until", "evaluate") == {"until": "evaluate", "passed": None}
    assert not (project / ".siklus" / "mlflow.db").exists()


def test_a_cleared_registry_is_filled_again(tmp_path: Path) -> None:
    """The one training here with a database of its own, as without any setting."""
    project = new_project(tmp_path / "cleared", straight_rows(60))
    assert answered("train", "-C", project)["version"] == 1
    assert would_run(project) == []
    (project / ".siklus" / "mlflow.db").unlink()
    assert would_run(project) == ["register"]


@pytest.mark.parametrize(
    "candidate",
    [
        "lightgbm",
        "mlp",
        pytest.param("hist-gradient-boosting", marks=SLOW),
        pytest.param("xgboost", marks=SLOW),
        pytest.param("random-forest", marks=SLOW),
        pytest.param("extra-trees", marks=SLOW),
        pytest.param("torch-mlp", marks=[SLOW, pytest.mark.torch]),
    ],
)
def test_every_candidate_reaches_onnx_with_proof(tmp_path: Path, store: str, candidate: str) -> None:
    project = new_project(tmp_path / candidate, mixed_rows(450), "--drop", "id", store=store)
    contract = json.loads((project / "contract.json").read_text())
    [word] = [column for column in contract["columns"] if column["name"] == "word"]
    word["vocabulary"].remove("w")  # so that some rows hold a word that the model never met
    (project / "contract.json").write_text(json.dumps(contract))
    found = answered("train", "-C", project, TRAIN__CANDIDATES=f'["{candidate}"]', GATES__PARITY="true")
    assert (found["model"], found["passed"], found["version"]) == (candidate, True, 1)
    assert found["parity"]["holds"]
    assert found["parity"]["rows"] > 60
    assert found["gates"][0]["name"] == "parity"


@pytest.mark.parametrize(
    "candidate",
    [
        "xgboost",
        "extra-trees",
        pytest.param("lightgbm", marks=SLOW),
        pytest.param("hist-gradient-boosting", marks=SLOW),
        pytest.param("random-forest", marks=SLOW),
    ],
)
def test_classes_reach_onnx_as_well(tmp_path: Path, store: str, candidate: str) -> None:
    rows = [
        {**row, "y": "low" if row["y"] < 2 else "mid" if row["y"] < 4 else "high"} for row in mixed_rows(450)
    ]
    project = new_project(tmp_path / candidate, rows, "--drop", "id", store=store)
    found = answered("train", "-C", project, TRAIN__CANDIDATES=f'["{candidate}"]', TRAIN__SIMPLICITY="0.999")
    assert found["model"] == candidate
    assert (found["parity"]["holds"], found["parity"]["differing_classes"]) == (True, 0)


def test_an_estimator_of_ones_own_goes_all_the_way_and_is_read_again(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "own", mixed_rows(300), "--drop", "id", store=store)
    (project / "own_all_the_way.py").write_text(
        "from sklearn.ensemble import GradientBoostingRegressor\n"
        "def make(): return GradientBoostingRegressor(random_state=0)\n"
    )
    mine = '["own_all_the_way:make"]'
    found = answered("train", "-C", project, TRAIN__CANDIDATES=mine)
    assert (found["model"], found["version"]) == ("own_all_the_way:make", 1)
    assert would_run(project, TRAIN__CANDIDATES=mine) == []
    with (project / "own_all_the_way.py").open("a") as file:
        file.write("# changed\n")
    assert would_run(project, TRAIN__CANDIDATES=mine) == STEPS[STEPS.index("search") :]


@pytest.mark.parametrize(
    ("candidates", "code"), [('["forest"]', "TN001"), ('["nowhere_to_be_found:make"]', "TN002")]
)
def test_a_candidate_that_cannot_be_made_is_refused_before_any_step(
    tmp_path: Path, candidates: str, code: str
) -> None:
    project = new_project(tmp_path / "unmade", straight_rows(60))
    found = siklus("train", "-C", project, TRAIN__CANDIDATES=candidates)
    assert found.code == 2
    assert found.err.startswith(f"siklus: {code} ")
    assert not (project / ".siklus" / "steps").exists()


def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new_project(tmp_path / "missing", straight_rows(60))
    monkeypatch.setitem(sys.modules, "xgboost", None)
    found = siklus("train", "-C", project, TRAIN__CANDIDATES='["xgboost"]')
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("siklus: XT001 xgboost is needed here\n")
    assert "pip install 'siklus[xgboost]'" in found.err
    assert not (project / ".siklus" / "steps").exists()


def test_a_metric_that_the_test_rows_do_not_define_is_said(tmp_path: Path) -> None:
    # Split by time, the latest rows judge, and all of those are of one class.
    rows = [{"t": i, "a": i % 7, "y": "ab"[i % 2] if i < 80 else "a"} for i in range(100)]
    project = new_project(tmp_path / "undefined", rows, "--time", "t")
    found = siklus("train", "-C", project, "--until", "evaluate", TRAIN__METRIC="roc_auc")
    assert found.code == 0
    assert "roc_auc is undefined on 20 rows" in found.err


def test_progress_goes_to_stderr_and_the_result_to_stdout(trained: Path) -> None:
    found = siklus("train", "-C", trained, "--from", "search", "--until", "search")
    assert found.out == ""
    assert "trial   1/3  dummy" in found.err
    table = siklus("train", "-C", trained).out
    assert "linear on the test rows" in table
    assert "Version 1 is registered, in production." in table


def test_a_terminal_shows_a_bar_that_goes_away_again(tmp_path: Path) -> None:
    project = new_project(tmp_path / "terminal", straight_rows(60))
    master, slave = pty.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(master, shown))
    reader.start()
    with os.fdopen(slave, "w") as terminal, redirect_stderr(terminal), variables({**QUICK, "TERM": "xterm"}):
        assert main(["train", "-C", str(project), "--until", "evaluate"]) == 0
    reader.join()
    os.close(master)
    text = b"".join(shown).decode()
    assert "3/3" in text  # the search's trials
    assert "search " in text
    assert text.rstrip().endswith("\x1b[?25h")  # the cursor is back
    assert "\x1b[2Kevaluate " in text  # the finished step's line stands where the bar was


def _read_all(terminal: int, shown: list[bytes]) -> None:
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            return
        shown.append(part)
