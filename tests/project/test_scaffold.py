"""The file that `siklus init` writes reads back to what was asked for, and so does what it leaves open."""

import re
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siklus.project.file import read_project
from siklus.project.loop import Retrain, RolloutPlan
from siklus.project.notify import Mail
from siklus.project.scaffold import Scaffold, project_name, project_text
from siklus.project.sections import Data, Gates, Project, Serve, SliceGate, Split, State, Train
from tests.project.test_file import project_file

# Whatever a CSV header or a shell can hold; the surrogates are no text.
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def read_back(folder: Path, text: str) -> Project:
    return read_project(project_file(folder, text), environment={})


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_only_what_was_asked_for_differs_from_the_defaults(
    tmp_path: Path, task: Literal["classification", "regression"]
) -> None:
    text = project_text(Scaffold(name="a", task=task, source={"path": "../rows.csv"}, target="y"))
    project = read_back(tmp_path, text)
    assert (project.project.name, project.project.task) == ("a", task)
    assert project.data == Data(path="../rows.csv", target="y")
    assert (project.train, project.gates) == (Train(), Gates())
    assert (project.serve, project.state) == (Serve(), State())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("names")


@given(target=WORDS, time=WORDS, key=WORDS, path=WORDS)
def test_any_name_survives(folder: Path, target: str, time: str, key: str, path: str) -> None:
    scaffold = Scaffold(name="a", task="regression", source={"path": path}, target=target, time=time, key=key)
    data = read_back(folder, project_text(scaffold)).data
    assert (data.path, data.target, data.time, data.key) == (path, target, time, key)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM 'rows.csv'",
        "SELECT *\nFROM 'rows.csv'\nWHERE a = 'it''s' -- \"quoted\"",
        "SELECT '''\n''' AS x\nFROM 'rows.csv'",
        'SELECT """"\n, "a\\nb"\nFROM t',
        "SELECT *\r\nFROM 'rows.csv'",
        "\nSELECT\t1\n",
    ],
)
def test_a_query_keeps_its_words_and_lines(tmp_path: Path, query: str) -> None:
    text = project_text(Scaffold(name="a", task="regression", source={"query": query}, target="y"))
    found = read_back(tmp_path, text).data.query or ""
    assert found.strip() == query.strip()


def test_what_is_left_open_is_right_when_it_is_uncommented(tmp_path: Path) -> None:
    text = project_text(Scaffold(name="a", task="regression", source={"path": "rows.csv"}, target="y"))
    project = read_back(tmp_path, re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE))
    assert (project.data.time, project.data.key) == ("COLUMN", "COLUMN")
    assert project.data.split == Split()
    assert project.gates == Gates(bounds={"mae": "<= 10"}, parity=True, champion="mae")
    assert (project.retrain, project.rollout) == (Retrain(), RolloutPlan())
    assert project.notify == {"ops-mail": Mail(to=("ops@example.com",))}
    assert [(alert.title, alert.threshold) for alert in project.alerts] == [
        ("predictions_since_training", 4000.0)
    ]


def test_gates_that_were_asked_for_stand_in_the_file(tmp_path: Path) -> None:
    gates = {"mae": '"<= 12"', "parity": "true", "slices": '{ column = "origin", mae = "<= 15" }'}
    text = project_text(
        Scaffold(name="a", task="regression", source={"path": "rows.csv"}, target="y", gates=gates)
    )
    assert read_back(tmp_path, text).gates == Gates(
        bounds={"mae": "<= 12"}, parity=True, slices=(SliceGate(column="origin", bounds={"mae": "<= 15"}),)
    )


@given(st.text())
def test_any_text_gives_a_name_that_a_project_may_have(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", project_name(text))
