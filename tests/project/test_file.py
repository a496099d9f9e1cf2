"""The project file: what is wrong in it is named with its line, its key and what would be right."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from siklus.errors import ProjectError
from siklus.project.file import FILE_NAME, find_project, open_project, read_project
from siklus.project.sections import Project, SliceGate, Split, Train

HEAD = """\
[project]
name = "flights"
task = "regression"

[data]
path = "flights.csv"
target = "air_time"
"""


def project_file(folder: Path, text: str) -> Path:
    path = folder / FILE_NAME
    path.write_text(text)
    return path


def read(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> Project:
    return read_project(project_file(folder, text), environment=environment or {})


def refusal(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        read(folder, text, environment)
    return caught.value


def test_two_sections_are_enough(tmp_path: Path) -> None:
    project = read(tmp_path, HEAD)
    assert (project.project.name, project.data.target) == ("flights", "air_time")
    assert (project.train, project.data.split) == (Train(), Split())


def test_a_mark_at_the_start_of_the_file_is_no_matter(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeff" + HEAD).project.name == "flights"


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "expected"),
    [
        # unknown sections and keys, with the nearest right one
        (HEAD + "\n[trian]\ntrials = 5\n", "PJ003", 9, "unknown section [trian]", "'train'?"),
        (HEAD + "\n[train]\n\ntrails = 5\n", "PJ003", 11, "[train] unknown key 'trails'", "'trials'?"),
        (HEAD + "[data.split]\nvalidd = 0.1\n", "PJ003", 9, "[data.split] unknown key 'validd'", "'valid'?"),
        (HEAD + 'split.bye = "time"\n', "PJ003", 8, "[data.split] unknown key 'bye'", "'by'?"),
        (HEAD + 'split = { grup = "x" }\n', "PJ003", 8, "[data.split] unknown key 'grup'", "'group'?"),
        # wrong types and values, with what a person may write instead
        (
            HEAD + '[train]\ntrials = "many"\n',
            "PJ004",
            9,
            '[train] trials = "many"',
            "a whole number above 0",
        ),
        (HEAD + "[train]\ntrials = 0\n", "PJ004", 9, "[train] trials = 0", "a whole number above 0"),
        (HEAD + "[train]\ntrials = true\n", "PJ004", 9, "[train] trials = true", "a whole number above 0"),
        (HEAD + "[train]\nseconds = nan\n", "PJ004", 9, "[train] seconds = NaN", "a number above 0"),
        (HEAD + "[train]\nmetric = 5\n", "PJ004", 9, "[train] metric = 5", "text in quotes"),
        (
            HEAD + "[serve]\nport = 70000\n",
            "PJ004",
            9,
            "= 70000",
            "a whole number at least 0 and at most 65535",
        ),
        (
            HEAD + '[train]\ncandidates = [\n  "linear",\n  5,\n]\n',
            "PJ004",
            9,
            '[train] candidates = ["linear", 5]',
            "a list, each item text in quotes",
        ),
        (HEAD + "[data.split]\ntest = 1.5\n", "PJ004", 9, "[data.split] test = 1.5", "above 0 and below 1"),
        (HEAD + "[data.split]\nby = 'day'\n", "PJ004", 9, '[data.split] by = "day"', "'group', 'random'"),
        (
            HEAD.replace("regression", "regresion"),
            "PJ004",
            3,
            '[project] task = "regresion"',
            "one of 'classification', 'regression'",
        ),
        (
            HEAD.replace("flights", "My Flights"),
            "PJ004",
            2,
            '= "My Flights"',
            "at most 63 lower-case letters",
        ),
        (HEAD + "[data.split]\nby = 'time'\n[train]\njobs = -1", "PJ004", 11, "jobs = -1", "above 0"),
        ("train = 5\n" + HEAD, "PJ004", 1, "train = 5", "a section"),
        ("gates = 5\n" + HEAD, "PJ004", 1, "gates = 5", "a section"),
        (HEAD + "split = 5\n", "PJ004", 8, "data.split = 5", "a section"),
        # what has to be there
        (HEAD.replace('target = "air_time"\n', ""), "PJ005", 5, "[data] has no target", "target = …"),
        (HEAD.partition("[data]")[0], "PJ005", None, "no section [data]", "a section [data]"),
        ("", "PJ005", None, "no section [project]", "a section [project]"),
        # one source
        (HEAD.replace("path =", "url ="), "PJ006", 5, "[data] names no single source", "`path`, or `query`"),
        (HEAD + 'query = "SELECT 1"\n', "PJ006", 5, "[data] names no single source", "`path`, or `query`"),
        # no TOML, no text
        (HEAD + "[train]\ntrials = many\n", "PJ002", 9, "Invalid value", "TOML"),
        (HEAD + "[train]\ntrials = 5\ntrials = 6\n", "PJ002", 10, "Cannot overwrite a value", "TOML"),
        (HEAD + "[train\n", "PJ002", 8, "Expected ']'", "TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, text: str, code: str, place: int | None, message: str, expected: str
) -> None:
    error = refusal(tmp_path, text)
    at = f"{tmp_path / FILE_NAME}:{place}: " if place else f"{tmp_path / FILE_NAME}: "
    assert error.code == code
    assert error.message.startswith(at)
    assert message in error.message
    assert expected in (error.expected or "")


def test_a_query_that_looks_like_a_project_file_moves_no_line(tmp_path: Path) -> None:
    query = "query = '''\n[train]\ntrials = 1 -- \"\"\"\n[data]\ntarget = 2\n'''\n"
    text = HEAD.replace('path = "flights.csv"\n', query) + '# it\'s a """ comment\n[train]\ntrials = 0\n'
    error = refusal(tmp_path, text)
    assert error.message == f"{tmp_path / FILE_NAME}:15: [train] trials = 0"


def test_text_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(HEAD.encode() + "[train]\nmetric = 'é'\n".encode("latin1"))
    with pytest.raises(ProjectError) as caught:
        read_project(path, environment={})
    assert (caught.value.code, caught.value.expected) == ("PJ002", "UTF-8 text")
    assert caught.value.message.startswith(f"{path}:9: ")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).symlink_to("/proc/self/mem")  # nothing is mapped where it begins
    with pytest.raises(ProjectError) as caught:
        open_project(tmp_path, environment={})
    assert caught.value.code == "PJ002"
    assert "cannot be read" in caught.value.message


def test_gates_hold_bounds_settings_and_slices(tmp_path: Path) -> None:
    gates = read(
        tmp_path,
        HEAD
        + """[gates]
mae = "<= 12"
parity = true
champion = "mae"
slices = [{ column = "origin", mae = "<= 15", rmse = "< 20" }, { column = "carrier", mae = "<= 20" }]
""",
    ).gates
    assert gates.bounds == {"mae": "<= 12"}
    assert (gates.parity, gates.champion) == (True, "mae")
    assert gates.slices == (
        SliceGate(column="origin", bounds={"mae": "<= 15", "rmse": "< 20"}),
        SliceGate(column="carrier", bounds={"mae": "<= 20"}),
    )


def test_one_slice_gate_needs_no_list(tmp_path: Path) -> None:
    [gate] = read(tmp_path, HEAD + '[gates]\nslices = { column = "origin", mae = "<= 15" }\n').gates.slices
    assert gate == SliceGate(column="origin", bounds={"mae": "<= 15"})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mae = 12", 'a bound such as "<= 12"'),
        ("paritty = true", "'parity'?"),
        ('parity = "yes"', "true or false"),
        ("champion = true", "a metric's name"),
        ('slices = "origin"', "a column and bounds"),
        ('slices = { mae = "<= 15" }', "a column and bounds"),
        ('slices = { column = "origin" }', "a column and bounds"),
        ('slices = { column = "origin", mae = 15 }', "a column and bounds"),
        ('slices = [{ column = 5, mae = "<= 15" }]', "a column and bounds"),
    ],
)
def test_a_gate_that_says_nothing_is_named_with_its_line(tmp_path: Path, line: str, expected: str) -> None:
    error = refusal(tmp_path, HEAD + "[gates]\n" + line + "\n")
    assert error.code == "PJ007"
    assert error.message.startswith(f"{tmp_path / FILE_NAME}:9: [gates] {line.partition(' ')[0]}")
    assert expected in (error.expected or "")


def test_a_project_is_found_from_below(tmp_path: Path) -> None:
    path = project_file(tmp_path, HEAD)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    opened = open_project(below, environment={})
    assert find_project(below) == path
    assert (opened.paths.root, opened.paths.contract) == (tmp_path, tmp_path / "contract.json")
    assert opened.paths.bundles == tmp_path / ".siklus" / "bundles"


@pytest.mark.parametrize(
    ("start", "message"), [("", "no siklus.toml here or above"), ("typo", "no such folder")]
)
def test_no_project_is_told_from_no_folder(tmp_path: Path, start: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message) as caught:
        find_project(tmp_path / start)
    assert caught.value.code == "PJ001"


def test_a_misspelt_folder_does_not_lead_to_the_project_above_it(tmp_path: Path) -> None:
    project_file(tmp_path, HEAD)
    with pytest.raises(ProjectError, match="no such folder"):
        open_project(tmp_path / "typo", environment={})
