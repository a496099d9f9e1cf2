"""Projects whose files are deployed: nothing in them but what the files are made of."""

from pathlib import Path

from siklus.cli.main import main

HEAD = """\
[project]
name = "flights"
task = "classification"

[data]
path = "flights.csv"
target = "late"

[monitor]
window = "1m"
look = "1s"
evaluator = "prometheus"
"""


def project(folder: Path, more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "siklus.toml").write_text(HEAD + more)
    return folder


def deployed(folder: Path, target: str, *options: str) -> Path:
    """Where the command line has put a target's files."""
    assert main(["deploy", target, "--project", str(folder), *options]) == 0
    return folder / "deploy" / target


def hurried(files: Path) -> Path:
    """The same files, in which what takes a second takes a fifth of it: no key of siklus.toml is so short."""
    for file in files.rglob("*.yml"):
        file.write_text(file.read_text().replace(": 1s\n", ": 200ms\n"))
    return files
