"""`siklus` itself: light until a command is named, and every outcome has its exit code."""

import json
import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from siklus import __version__
from siklus.cli.main import COMMANDS, Group
from tests.cli.projects import SIKLUS, new_project, siklus, straight_rows

WITHOUT_JSON = {"serve", "up"}  # they answer over HTTP, and nothing on stdout
HEAVY = ("numpy", "mlflow", "rich", "duckdb", "sklearn", "optuna", "pandas")

SHOW_LOADED = """
import json, sys
from siklus.cli.main import main
main(sys.argv[1:])
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


def commands(name: str) -> dict[str, typer.core.TyperCommand]:
    """The command's own, or those below it."""
    found = typer.main.get_command(import_module(COMMANDS[name].module).app)
    return getattr(found, "commands", {name: found})


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command(words: list[str]) -> None:
    found = siklus(*words)
    assert (found.code, found.err) == (0, "")
    for name, command in COMMANDS.items():
        assert f"  {name} " in found.out
        assert command.about in found.out


def test_the_version_is_told() -> None:
    assert siklus("--version").out == f"siklus {__version__}\n"


def test_the_overview_follows_a_models_life() -> None:
    """Each command stands under one heading, headings in their order, and none is left over."""
    lines = siklus("--help").out.splitlines()
    headings = [group.value for group in Group if group is not Group.MORE]
    assert [line[:-1] for line in lines if line.endswith(":") and line[0] != " "] == headings
    for name, command in COMMANDS.items():
        at = next(place for place, line in enumerate(lines) if line.startswith(f"  {name} "))
        above = [line[:-1] for line in lines[:at] if line[:-1] in headings]
        assert above[-1] == command.group.value, f"{name} needs its group"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nonsense"]])
def test_nothing_heavy_is_imported_before_a_command_is_named(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW_LOADED, *words], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_explains_itself(name: str) -> None:
    found = siklus(name, "--help")
    assert (found.code, found.err) == (0, "")
    assert found.out.lstrip().startswith(f"Usage: siklus {name}")
    for word, command in commands(name).items():
        assert command.help, f"siklus {name}: {word} has no docstring"
        for option in command.params:
            assert getattr(option, "help", None) or option.name in ("help",), f"{name} {word}: {option.name}"


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_JSON))
def test_every_command_but_serve_takes_json(name: str) -> None:
    for word, command in commands(name).items():
        assert "--json" in {flag for option in command.params for flag in option.opts}, word


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "siklus: no command 'trian'; train?\nUsage: siklus COMMAND"),
        (["train", "--untill", "gate"], "siklus: No such option: --untill"),
        (["train", "extra"], "unexpected extra argument"),
        (["init", "--data", "rows.csv"], "siklus: Missing option '--target'"),
        (["init", "--target", "y", "--task", "cluster"], "is not one of 'classification', 'regression'"),
        (["promote"], "siklus: Missing argument 'VERSION'"),
        (["contract"], "siklus: Missing command"),
        (["contract", "chek"], "siklus: No such command 'chek'"),
        (["init", "--target", "y"], "siklus: PJ009 siklus init needs its rows from one place"),
    ],
)
def test_wrong_usage_is_told_in_a_line_and_ends_with_2(words: list[str], said: str) -> None:
    found = siklus(*words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert "Traceback" not in found.err


def test_a_reader_that_has_seen_enough_is_no_error(registered: Path) -> None:
    """`siklus predict rows.csv | head -1`: long enough not to fit into the pipe."""
    rows = registered / "rows.csv"
    text = rows.read_text().splitlines(keepends=True)
    for words in ([*SIKLUS, "--help"], _predict(registered, text)):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*map(str, words)], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")


def _predict(registered: Path, text: list[str]) -> list[object]:
    many = registered.parent / "many.csv"
    many.write_text("".join([text[0], *text[1:] * 20]))
    return [*SIKLUS, "predict", many, "-C", registered]


def test_the_port_that_another_has_is_told(registered: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*SIKLUS, "serve", "-C", str(registered), "--port", port],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert "SV003" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_never_registered_is_neither_served_nor_asked(tmp_path: Path) -> None:
    project = new_project(tmp_path / "unmade", straight_rows(60))
    for words in (["serve"], ["predict", project / "rows.csv"]):
        found = siklus(*words, "-C", project)
        assert found.code == 2
        assert found.err.startswith("siklus: RG001 no version of 'unmade'")
