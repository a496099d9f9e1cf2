"""`siklus`: finds the command's module, runs it, and turns every outcome into an exit code.

0: done, or the answer is yes. 1: the answer is no (a gate fails, a contract breaks). 2: wrong usage, a
broken project file, or anything else that the user can mend. 130: interrupted.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import typer
from typer.exceptions import TyperException

from siklus import __version__
from siklus.errors import SiklusError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@dataclass(frozen=True)
class Command:
    """``module`` is imported only when the command is asked for: MLflow alone takes seconds."""

    module: str
    about: str


COMMANDS = {
    "init": Command(
        "siklus.cli.init", "start a project: a commented siklus.toml and a contract, from your data"
    ),
    "contract": Command("siklus.cli.contract", "infer, check, diff or export what a row must be"),
    "train": Command(
        "siklus.cli.train", "check, prepare, search, evaluate, export with proof, gate, register"
    ),
    "serve": Command("siklus.cli.serve", "answer requests over HTTP with a registered version"),
    "predict": Command("siklus.cli.predict", "score a file"),
    "models": Command("siklus.cli.models", "the registered versions and their stages"),
    "promote": Command("siklus.cli.promote", "give a version a stage: staging, production, archived or none"),
    "annotate": Command("siklus.cli.annotate", "write a sentence beside a version"),
    "compare": Command("siklus.cli.compare", "two versions on the same rows, and what changed between them"),
    "data": Command("siklus.cli.data", "give back the very rows that a version was trained on"),
    "package": Command("siklus.cli.package", "make a bundle of a model that you already have"),
    "export": Command("siklus.cli.export", "write a version's model as onnx, joblib, pickle or torch"),
    "demo": Command("siklus.cli.demo", "the whole story on real flights, in a minute or two"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; its exit code comes back."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("--help", "-h", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"siklus {__version__}")
        return 0
    if words[0] not in COMMANDS:
        return _refuse(f"no command {words[0]!r}", _overview())
    return _run(words[0], words[1:])


def _run(name: str, words: Sequence[str]) -> int:
    app: typer.Typer = import_module(COMMANDS[name].module).app
    try:
        code = typer.main.get_command(app).main(words, prog_name=f"siklus {name}", standalone_mode=False)
    except SiklusError as exc:
        return _say(exc)
    except TyperException as exc:
        return _refuse(str(exc) or f"siklus {name}: wrong usage", f"`siklus {name} --help` shows the options")
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has seen enough: that is no error. Python would complain again at exit.
        sys.stderr.close()
        return 0
    if code == INTERRUPTED:
        print(
            "\nsiklus: interrupted; what was finished is kept, the same command goes on from there",
            file=sys.stderr,
        )
    return code or 0


def _say(error: SiklusError) -> int:
    print(f"siklus: {error.code} {error.message}", file=sys.stderr)
    if error.expected:
        print(f"        expected {error.expected}", file=sys.stderr)
    print(f"        more: docs/problems.md#{error.code.lower()}", file=sys.stderr)
    return error.exit_code


def _refuse(problem: str, help_text: str) -> int:
    print(f"siklus: {problem}\n{help_text}", file=sys.stderr)
    return 2


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{command.about}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: siklus COMMAND [OPTIONS]",
            "",
            "The whole production life of a machine-learning model, from one project file.",
            "",
            *lines,
            "",
            "`siklus COMMAND --help` tells more. Every command takes --json. `siklus demo` is a good start.",
        ]
    )
