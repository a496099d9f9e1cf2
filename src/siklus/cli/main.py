"""`siklus`: finds the command's module, runs it, and turns every outcome into an exit code.

0: done, or the answer is yes. 1: the answer is no (a gate fails, a contract breaks). 2: wrong usage, a
broken project file, or anything else that the user can mend. 130: interrupted; 143: told to end.
"""

import difflib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from types import FrameType

import typer
from typer.exceptions import TyperException

from siklus import __version__
from siklus.errors import SiklusError

USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TOLD_TO_END = 143  # 128 + SIGTERM


class Group(StrEnum):
    """The headings of the overview, in the order of a model's life."""

    START = "Start"
    TRAIN = "Train"
    SERVE = "Serve"
    WATCH = "Watch"
    LOOP = "Retrain, roll out, roll back"
    SHIP = "Ship"
    STANDING = "Know where it stands"
    MORE = "More"


@dataclass(frozen=True)
class Command:
    """``module`` is imported only when the command is asked for: MLflow alone takes seconds."""

    module: str
    about: str
    group: Group = Group.MORE


COMMANDS = {
    "demo": Command(
        "siklus.cli.demo", "a year of real flights through the whole loop, in minutes", Group.START
    ),
    "init": Command(
        "siklus.cli.init",
        "start a project: a commented siklus.toml and a contract, from your data",
        Group.START,
    ),
    "contract": Command(
        "siklus.cli.contract", "infer, check, diff or export what a row must be", Group.START
    ),
    "profile": Command(
        "siklus.cli.profile",
        "an HTML page of the data before training: what it holds, gaps, ties, leaks",
        Group.START,
    ),
    "train": Command(
        "siklus.cli.train", "check, prepare, search, evaluate, export with proof, gate, register", Group.TRAIN
    ),
    "models": Command("siklus.cli.models", "the registered versions and their stages", Group.TRAIN),
    "compare": Command(
        "siklus.cli.compare", "two versions on the same rows, and what changed between them", Group.TRAIN
    ),
    "annotate": Command("siklus.cli.annotate", "write a sentence beside a version", Group.TRAIN),
    "data": Command("siklus.cli.data", "give back the very rows that a version was trained on", Group.TRAIN),
    "package": Command("siklus.cli.package", "make a bundle of a model that you already have", Group.TRAIN),
    "export": Command(
        "siklus.cli.export", "write a version's model as onnx, joblib, pickle or torch", Group.TRAIN
    ),
    "serve": Command("siklus.cli.serve", "answer requests over HTTP with a registered version", Group.SERVE),
    "predict": Command("siklus.cli.predict", "score a file", Group.SERVE),
    "traffic": Command(
        "siklus.cli.traffic", "show or set which version answers which share of the requests", Group.SERVE
    ),
    "log": Command(
        "siklus.cli.log", "the answered predictions: the newest, or SQL over all of them", Group.SERVE
    ),
    "keys": Command("siklus.cli.keys", "who may ask the server: add, list or revoke API keys", Group.SERVE),
    "watch": Command(
        "siklus.cli.watch", "look at the traffic every minute: signals, alerts, mails", Group.WATCH
    ),
    "drift": Command(
        "siklus.cli.drift",
        "what traffic, or any rows, look like against training: which columns moved",
        Group.WATCH,
    ),
    "quality": Command(
        "siklus.cli.quality", "how good the answers were, once their outcomes are known", Group.WATCH
    ),
    "alerts": Command(
        "siklus.cli.alerts", "the alert rules and how they stand: list, test, silence, history", Group.WATCH
    ),
    "report": Command(
        "siklus.cli.report", "an HTML page of a window: requests, drift, quality, alerts", Group.WATCH
    ),
    "verify-skew": Command(
        "siklus.cli.verify_skew",
        "prove that training and serving see the same numbers, on logged requests",
        Group.WATCH,
    ),
    "up": Command("siklus.cli.up", "run the whole loop: serve, watch, retrain, roll out or back", Group.LOOP),
    "retrain": Command(
        "siklus.cli.retrain",
        "ask for a retraining, or explain whether one is due, on which rows and why",
        Group.LOOP,
    ),
    "replay": Command(
        "siklus.cli.replay",
        "logged requests through a version, before any user meets it: what would change",
        Group.LOOP,
    ),
    "rollout": Command(
        "siklus.cli.rollout",
        "a new version's way to all requests: status, start, stop; by steps, on evidence",
        Group.LOOP,
    ),
    "pause": Command("siklus.cli.pause", "leave the rollout or the experiment where it is", Group.LOOP),
    "resume": Command("siklus.cli.resume", "let it go on; or end the freeze after a rollback", Group.LOOP),
    "experiment": Command(
        "siklus.cli.experiment",
        "two versions on different requests, and which does better: start, status, stop",
        Group.LOOP,
    ),
    "promote": Command(
        "siklus.cli.promote", "give a version a stage: staging, production, archived or none", Group.LOOP
    ),
    "rollback": Command(
        "siklus.cli.rollback", "take back what is newest: a trial, or the last promotion", Group.LOOP
    ),
    "history": Command(
        "siklus.cli.history", "what was decided, by whom and why; what was live at a moment", Group.LOOP
    ),
    "deploy": Command(
        "siklus.cli.deploy.targets",
        "files for docker, compose, kubernetes, github, gitlab, mlproject, prometheus …",
        Group.SHIP,
    ),
    "ci": Command(
        "siklus.cli.ci",
        "the pipeline here, stage by stage: tests, data, training, gates, image, release",
        Group.SHIP,
    ),
    "push": Command(
        "siklus.cli.push", "bring versions to other stores: bundles, stages, traffic policy", Group.SHIP
    ),
    "smoke": Command(
        "siklus.cli.smoke", "is a service up, and does it answer the golden rows as it must", Group.SHIP
    ),
    "card": Command(
        "siklus.cli.card", "a version's model card, Markdown or a page, from evidence alone", Group.SHIP
    ),
    "sbom": Command(
        "siklus.cli.sbom", "a version's parts list: model, data, packages and licences", Group.SHIP
    ),
    "sign": Command("siklus.cli.sign", "vouch for a version with a key, or make a key to do so", Group.SHIP),
    "verify": Command(
        "siklus.cli.verify", "is a bundle what was sealed, does it answer so, who has signed it", Group.SHIP
    ),
    "assess": Command(
        "siklus.cli.assess",
        "where the project stands on Google's, Microsoft's and the ML Test Score's scales",
        Group.STANDING,
    ),
    "doctor": Command(
        "siklus.cli.doctor",
        "what is wrong with this machine or with what the project needs, and how to mend it",
        Group.STANDING,
    ),
    "drill": Command(
        "siklus.cli.drill", "faults on purpose, in a sandbox: proof that the loop works", Group.STANDING
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; its exit code comes back."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _answer(words)
        sys.stdout.flush()
    except SiklusError as exc:
        return _say(exc)
    except TyperException as exc:
        return _refuse(exc.format_message(), f"`siklus {words[0]} --help` shows what it takes")
    except KeyboardInterrupt:
        kept = "what was finished is kept, the same command goes on from there"
        print(f"\nsiklus: interrupted; {kept}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has seen enough: that is no error. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _answer(words: Sequence[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"siklus {__version__}")
        return 0
    if words[0] in COMMANDS:
        return _run(words[0], words[1:])
    near = difflib.get_close_matches(words[0], COMMANDS, n=1)
    return _refuse(f"no command {words[0]!r}" + (f"; {near[0]}?" if near else ""), _overview())


def _run(name: str, words: Sequence[str]) -> int:
    with _ended_by_sigterm():
        app: typer.Typer = import_module(COMMANDS[name].module).app
        command = typer.main.get_command(app)
        try:
            # Not by its `main`, which would turn Ctrl-C and a closed pipe into exit codes of its own.
            with command.make_context(f"siklus {name}", list(words)) as context:
                code: int | None = command.invoke(context)
        except typer.Exit as exc:  # --help has been answered
            code = exc.exit_code
    return code or 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """As on Ctrl-C, whatever runs takes its processes and drafts away."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(TOLD_TO_END)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(error: SiklusError) -> int:
    print(f"siklus: {error.code} {error.message}", file=sys.stderr)
    if error.expected:
        print(f"        expected {error.expected}", file=sys.stderr)
    print(f"        more: docs/problems.md#{error.code.lower()}", file=sys.stderr)
    return error.exit_code


def _refuse(problem: str, help_text: str) -> int:
    print(f"siklus: {problem}\n{help_text}", file=sys.stderr)
    return USAGE


def _overview() -> str:
    return "\n".join(
        [
            "Usage: siklus COMMAND [OPTIONS]",
            "",
            "The whole production life of a machine-learning model, from one project file.",
            "",
            *_by_group(),
            "`siklus COMMAND --help` tells more. Every command but serve and up takes --json.",
            "`siklus demo` is a good start.",
        ]
    )


def _by_group() -> Iterator[str]:
    width = max(map(len, COMMANDS)) + 2
    for group in Group:
        lines = [
            f"  {name:<{width}}{command.about}"
            for name, command in COMMANDS.items()
            if command.group is group
        ]
        if lines:
            yield from (f"{group.value}:", *lines, "")
