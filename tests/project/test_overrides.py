"""The environment overrides the project file, and is named where it is wrong."""

from pathlib import Path

import pytest

from siklus.errors import ProjectError
from siklus.project.file import read_project
from siklus.project.sections import Project, SliceGate
from tests.project.test_file import HEAD, project_file


def read(folder: Path, **environment: str) -> Project:
    return read_project(
        project_file(folder, HEAD + "[train]\ntrials = 20\n"),
        environment={f"SIKLUS_{name}": value for name, value in environment.items()},
    )


def test_a_value_is_read_as_toml_or_else_as_text(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        TRAIN__TRIALS="5",
        TRAIN__CANDIDATES='["linear", "mlp"]',
        TRAIN__METRIC="rmse",
        TRAIN__SECONDS="1.5",
        DATA__SPLIT__BY="group",
        DATA__SPLIT__GROUP="tail number",
        STATE__TRACKING_URI="postgresql://db/mlflow",
        GATES__MAE="<= 12",
        GATES__PARITY="true",
        GATES__SLICES='{ column = "origin", mae = "<= 15" }',
    )
    assert project.train.trials == 5
    assert project.train.candidates == ("linear", "mlp")
    assert (project.train.metric, project.train.seconds) == ("rmse", 1.5)
    assert (project.data.split.by, project.data.split.group) == ("group", "tail number")
    assert project.state.tracking_uri == "postgresql://db/mlflow"
    assert (project.gates.bounds, project.gates.parity) == ({"mae": "<= 12"}, True)
    assert project.gates.slices == (SliceGate(column="origin", bounds={"mae": "<= 15"}),)


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    project = read(tmp_path, STATE__TRACKING_URI="", TRAIN__TRIALS="")
    assert (project.state.tracking_uri, project.train.trials) == (None, 20)


def test_a_value_that_ends_as_a_line_of_a_file_does_is_the_line(tmp_path: Path) -> None:
    """As it comes from a Secret that was made of a file (`kubectl create secret --from-file`)."""
    project = read(tmp_path, STATE__CONTROL="postgresql://db/siklus\n", TRAIN__METRIC="rmse\n")
    assert (project.state.control, project.train.metric) == ("postgresql://db/siklus", "rmse")


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    project = read_project(
        project_file(tmp_path, HEAD),
        environment={"SIKLUS_HOME": "/x", "TRAIN__TRIALS": "5", "MLFLOW_TRACKING_URI": "y", "SIKLUS_": ""},
    )
    assert project.train.trials == 20


@pytest.mark.parametrize(
    ("variable", "value", "code", "message", "expected"),
    [
        ("SIKLUS_TRAIN__TRIALS", "many", "PJ004", '[train] trials = "many"', "a whole number above 0"),
        ("SIKLUS_TRAIN__TRIALS", "5\nseed = 6", "PJ004", "[train] trials", "a whole number above 0"),
        ("SIKLUS_TRAIN__TRAILS", "5", "PJ003", "[train] unknown key 'trails'", "'trials'?"),
        ("SIKLUS_TRIAN__TRIALS", "5", "PJ003", "unknown section [trian]", "'train'?"),
        ("SIKLUS_DATA__SPLIT__BYE", "time", "PJ003", "[data.split] unknown key 'bye'", "'by'?"),
        ("SIKLUS_TRAIN__TRIALS__X", "5", "PJ003", "trials is no section", "SIKLUS_SECTION__KEY"),
        ("SIKLUS_TRAIN_TRIALS", "5", "PJ003", "names no key", "SIKLUS_TRAIN__TRIALS?"),
        ("SIKLUS_GATES__MAE", "12", "PJ007", "[gates] mae = 12", 'a bound such as "<= 12"'),
        ("SIKLUS_TRAIN", "5", "PJ003", "names no key", "SIKLUS_TRAIN__"),
    ],
)
def test_a_wrong_variable_is_named(
    tmp_path: Path, variable: str, value: str, code: str, message: str, expected: str
) -> None:
    path = project_file(tmp_path, HEAD + "[train]\ntrials = 20\n")
    with pytest.raises(ProjectError) as caught:
        read_project(path, environment={variable: value})
    assert caught.value.code == code
    assert caught.value.message.startswith(f"{variable}: ")
    assert message in caught.value.message
    assert expected in (caught.value.expected or "")
