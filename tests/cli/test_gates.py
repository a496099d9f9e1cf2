"""Gates: a failed one registers nothing and says why; the champion is met on rows that it does not know."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from siklus.project.file import FILE_NAME
from tests.cli.projects import (
    Answer,
    answered,
    append_csv,
    mixed_rows,
    new_project,
    siklus,
    straight_rows,
    would_run,
)

NEITHER = "neither model was fitted on any of them"
PERHAPS = "the champion may have been fitted on some of them"


def gates_of(found: Answer) -> dict[str, Any]:
    return {gate["name"]: gate for gate in found.document["gates"]}


def with_gates(project: Path, text: str) -> Path:
    """The project with lines under [gates]."""
    file = project / FILE_NAME
    head, mark, tail = file.read_text().partition("[gates]")
    line, _, rest = tail.partition("\n")
    file.write_text(f"{head}{mark}{line}\n{text}\n{rest}")
    return project


@pytest.fixture
def line(tmp_path: Path, store: str) -> Path:
    """A project without gates, in a folder that is named after the test."""
    return new_project(tmp_path / f"line-{tmp_path.name}", straight_rows(240), "--key", "id", store=store)


def test_training_up_to_the_gates_registers_nothing_and_ends_by_what_they_say(line: Path) -> None:
    with_gates(line, 'mae = "<= 0.001"')
    failing = siklus("train", "-C", line, "--until", "gate")
    assert failing.code == 1
    assert failing.out.endswith("\nA gate fails.\n")
    assert "mae   <= 0.001" in failing.out
    wide = {"GATES__MAE": '"<= 10"'}
    assert siklus("train", "-C", line, "--until", "gate", **wide).out.endswith("\nEvery gate holds.\n")
    assert answered("train", "-C", line, "--until", "gate", **wide) == {"until": "gate", "passed": True}
    assert answered("models", "-C", line) == []


def contract_without(project: Path, column: str) -> None:
    file = project / "contract.json"
    contract = json.loads(file.read_text())
    contract["columns"] = [item for item in contract["columns"] if item["name"] != column]
    contract["ignored"].append(column)
    file.write_text(json.dumps(contract))


def test_a_failed_gate_registers_nothing_and_leaves_a_run_that_shows_why(line: Path, store: str) -> None:
    with_gates(line, 'mae = "<= 0.001"\nr2 = ">= 0.5"\nparity = true')
    found = siklus("train", "-C", line, "--json")
    assert found.code == 1
    release = found.document
    assert (release["passed"], release["version"], release["stage"]) == (False, None, None)
    gates = gates_of(found)
    assert {name: gate["passed"] for name, gate in gates.items()} == {
        "mae": False,
        "r2": True,
        "parity": True,
    }
    assert gates["mae"]["value"] == release["metrics"]["mae"]
    assert answered("models", "-C", line) == []

    client = MlflowClient(store)
    run = client.get_run(release["run_id"])
    assert run.data.tags["siklus.passed"] == "false"
    assert run.data.metrics["mae"] == release["metrics"]["mae"]
    shown = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"evaluation.json", "card.md", "pictures", "siklus.toml"} <= shown
    assert "bundle" not in shown


def test_the_table_says_which_gate_failed_and_a_second_look_says_it_again(line: Path) -> None:
    with_gates(line, 'mae = "<= 0.001"')
    for _ in range(2):
        found = siklus("train", "-C", line)
        assert found.code == 1
        assert "FAILS" in found.out
        assert "A gate fails: nothing is registered." in found.out
    assert "register   reused  nothing registered: mae does not hold; the run " in found.err


def test_slices_are_gated_one_by_one(tmp_path: Path, store: str) -> None:
    project = new_project(tmp_path / "slices", straight_rows(480), "--key", "id", store=store)
    with_gates(project, 'slices = { column = "side", mae = "<= 5", rmse = "<= 0.0001" }')
    found = siklus("train", "-C", project, "--json")
    gates = gates_of(found)
    assert found.code == 1
    assert (gates["mae by side"]["passed"], gates["rmse by side"]["passed"]) == (True, False)
    assert "broken in 2 of 2" in gates["rmse by side"]["why"]


def test_a_model_that_onnx_does_not_hold_is_sealed_natively_unless_a_gate_asks_for_parity(
    tmp_path: Path, store: str
) -> None:
    project = new_project(tmp_path / "native", mixed_rows(300), "--drop", "id", store=store)
    (project / "own_kernel.py").write_text(
        "from sklearn.kernel_ridge import KernelRidge\n"
        "def make(): return KernelRidge(kernel='rbf', gamma=0.1, alpha=0.1)\n"
    )
    mine = {"TRAIN__CANDIDATES": '["own_kernel:make"]'}
    refused = siklus("train", "-C", project, "--json", GATES__PARITY="true", **mine)
    assert refused.code == 1
    assert gates_of(refused)["parity"]["why"].startswith("there is no certificate")
    found = siklus("train", "-C", project, "--json", **mine)
    assert (found.code, found.document["model"], found.document["parity"]) == (0, "own_kernel:make", None)
    assert "native skops, because" in found.err
    bundle = Path(found.document["bundle"])
    assert "The native model (skops), because" in (bundle / "card.md").read_text()


@pytest.mark.parametrize(
    "line_of_gates",
    ['maee = "<= 5"', 'mae = "=< 5"', 'champion = "roc_auc"', 'slices = { column = "z", mae = "< 1" }'],
)
def test_a_gate_that_could_never_be_judged_is_refused_before_any_step(line: Path, line_of_gates: str) -> None:
    found = siklus("train", "-C", with_gates(line, line_of_gates))
    assert found.code == 2
    assert found.err.startswith("siklus: PJ01")
    assert not (line / ".siklus" / "steps").exists()


def test_the_first_version_has_no_champion_and_is_not_gated_against_itself(line: Path) -> None:
    with_gates(line, 'champion = "mae"')
    first = siklus("train", "-C", line, "--json")
    assert gates_of(first)["champion"]["why"] == "there is no champion yet"
    assert would_run(line) == []
    assert siklus("train", "-C", line, "--json").document["version"] == 1


def test_a_challenger_meets_the_champion_on_rows_that_neither_knows(line: Path) -> None:
    with_gates(line, 'champion = "mae"')
    answered("train", "-C", line)
    append_csv(line / "rows.csv", [{**row, "id": row["id"] + 240} for row in straight_rows(120, seed=1)])
    found = siklus("train", "-C", line, "--json")
    gate = gates_of(found)["champion"]
    assert (found.code, gate["passed"], found.document["stage"]) == (0, True, "staging")
    assert gate["why"].endswith(NEITHER)
    assert f"on the same {found.document['parity']['rows']} rows" in gate["why"]  # a split by key moves none
    assert would_run(line) == []
    answered("promote", "2", "-C", line)
    assert would_run(line) == []  # it is the champion now: nothing is left to gate it against


def test_a_challenger_that_is_worse_is_not_registered(line: Path) -> None:
    with_gates(line, 'champion = "mae"')
    answered("train", "-C", line)
    contract_without(line, "a")  # what hardly anything can be predicted without
    found = siklus("train", "-C", line, "--json")
    gate = gates_of(found)["champion"]
    assert (found.code, gate["passed"], found.document["version"]) == (1, False, None)
    assert gate["value"] > 1  # the loss grew by about the mean of |2a|, which is 1.6
    assert "higher than the champion's" in gate["why"]
    assert [version["number"] for version in answered("models", "-C", line)] == [1]


def test_rows_that_the_champion_was_fitted_on_do_not_judge(line: Path) -> None:
    with_gates(line, 'champion = "mae"')
    first = answered("train", "-C", line)
    # A larger test part holds all rows of the smaller one, and rows that the champion was fitted on.
    found = siklus("train", "-C", line, "--json", DATA__SPLIT__TEST="0.5")
    gate = gates_of(found)["champion"]
    assert found.document["parity"]["rows"] > first["parity"]["rows"] + 30
    assert f"on the same {first['parity']['rows']} rows" in gate["why"]
    assert gate["why"].endswith(NEITHER)


@pytest.mark.slow
def test_without_the_champions_rows_all_judge_and_that_is_said(line: Path) -> None:
    with_gates(line, 'champion = "mae"')
    answered("train", "-C", line)
    for snapshot in (line / ".siklus" / "snapshots").iterdir():
        snapshot.unlink()
    append_csv(line / "rows.csv", [{**straight_rows(1)[0], "id": 1000}])
    gate = gates_of(siklus("train", "-C", line, "--json"))["champion"]
    assert gate["why"].endswith(PERHAPS)


def test_rows_that_the_champion_cannot_answer_fail_its_gate(line: Path) -> None:
    with_gates(line, 'champion = "mae"')
    answered("train", "-C", line)
    rows = [{**row, "id": row["id"] + 240, "a": ""} for row in straight_rows(120, seed=1)]
    append_csv(line / "rows.csv", rows)
    answered("contract", "infer", "-C", line, "--write")
    found = siklus("train", "-C", line, "--json")
    gate = gates_of(found)["champion"]
    assert (found.code, gate["passed"]) == (1, False)
    assert "the champion's contract refuses these rows: RW004" in gate["why"]


def test_classes_that_the_champion_never_met_are_no_error(tmp_path: Path, store: str) -> None:
    def labelled(count: int, *, seed: int, labels: str) -> list[dict[str, object]]:
        rows = straight_rows(count, seed=seed)
        return [
            {**row, "id": f"{seed}-{row['id']}", "y": labels[int(row["a"] > 0) + int(row["b"] > 0)]}
            for row in rows
        ]

    project = new_project(
        tmp_path / "new-classes", labelled(240, seed=0, labels="bbc"), "--key", "id", store=store
    )
    with_gates(project, 'champion = "log_loss"')
    assert answered("train", "-C", project)["version"] == 1
    append_csv(project / "rows.csv", labelled(240, seed=1, labels="abc"))
    answered("contract", "infer", "-C", project, "--write")
    gate = gates_of(siklus("train", "-C", project, "--json"))["champion"]
    assert gate["passed"]
    assert gate["value"] < 0


def test_a_champion_that_answers_another_question_fails_its_gate(line: Path) -> None:
    with_gates(line, 'champion = "mae"')
    answered("train", "-C", line)
    text = (line / "rows.csv").read_text().splitlines()
    rows = [row.rpartition(",") for row in text[1:]]
    (line / "rows.csv").write_text(
        "\n".join([text[0], *(f"{head},{'up' if float(y) > 0 else 'down'}" for head, _, y in rows)]) + "\n"
    )
    settings = {"PROJECT__TASK": "classification", "GATES__CHAMPION": "accuracy"}
    answered("contract", "infer", "-C", line, "--write", **settings)
    gate = gates_of(siklus("train", "-C", line, "--json", **settings))["champion"]
    assert (gate["passed"], gate["why"]) == (False, "the champion answers a regression")
