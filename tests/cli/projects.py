"""Small projects, and `siklus` on them: in this process, or in one of its own where that matters."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siklus.cli.main import main
from siklus.project.file import FILE_NAME

# Enough to go through every step.
QUICK = {
    "SIKLUS_TRAIN__CANDIDATES": '["linear"]',
    "SIKLUS_TRAIN__TRIALS": "3",
    "SIKLUS_TRAIN__JOBS": "1",
}
SIKLUS = [sys.executable, "-c", "import sys; from siklus.cli.main import main; sys.exit(main())"]
STEPS = ["ingest", "check", "split", "prepare", "search", "evaluate", "export", "gate", "register"]


@dataclass(frozen=True)
class Answer:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def siklus(*words: str | Path, **settings: str) -> Answer:
    """`siklus WORDS` in this process; ``settings`` are variables of its environment, without SIKLUS_."""
    out, err = io.StringIO(), io.StringIO()
    given = {f"SIKLUS_{name}": value for name, value in settings.items()}
    with variables({**QUICK, **given}), redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Answer(code, out.getvalue(), err.getvalue())


def answered(*words: str | Path, **settings: str) -> Any:
    """The document of a `--json` command that must succeed."""
    found = siklus(*words, "--json", **settings)
    assert found.code == 0, found.err
    return found.document


def spawned(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
    """`siklus WORDS` in a process of its own."""
    environment = {**os.environ, **QUICK, **options.pop("env", {})}
    return subprocess.Popen(
        [*SIKLUS, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


@contextmanager
def variables(settings: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def mixed_rows(count: int, *, seed: int = 0) -> list[dict[str, object]]:
    """Numbers with gaps, words, booleans and days; `y` hangs on all of them, and not in straight lines."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        a, b, word, flag = rng.normal(), rng.normal(), "xyzw"[rng.integers(4)], bool(rng.integers(2))
        month = int(rng.integers(1, 13))
        y = 3 * abs(a) - (b if flag else -b) + {"x": 0, "y": 2, "z": -1, "w": 1}[word] + month / 6
        rows.append(
            {
                "id": f"r{i}",
                "a": round(a, 4),
                "b": "" if rng.random() < 0.1 else round(b, 4),
                "word": word,
                "flag": str(flag).lower(),
                "day": f"2024-{month:02d}-{rng.integers(1, 28):02d}",
                "y": round(y + 0.1 * rng.normal(), 4),
            }
        )
    return rows


def straight_rows(count: int, *, seed: int = 0) -> list[dict[str, object]]:
    """`y` is a straight line of `a` and `b` with a little noise; `side` has nothing to do with it."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        a, b = rng.normal(size=2)
        y = round(2 * a - b + 0.1 * rng.normal(), 4)
        rows.append({"id": i, "a": round(a, 4), "b": round(b, 4), "side": "lr"[i % 2], "y": y})
    return rows


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def append_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("a") as file:
        csv.DictWriter(file, list(rows[0]), lineterminator="\n").writerows(rows)


def new_project(
    folder: Path, rows: Sequence[Mapping[str, object]], *words: str, store: str | None = None, more: str = ""
) -> Path:
    """`siklus init` on rows.csv in the folder, to predict `y`; ``more`` is put behind what it wrote.

    ``store``: MLflow's, which several projects share under the names of their folders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = write_csv(folder / "rows.csv", rows)
    answered("init", folder, "--data", data, "--target", "y", *words)
    project = folder / FILE_NAME
    state = "" if store is None else f'\n[state]\ntracking_uri = "{store}"\n'
    project.write_text(project.read_text().replace(f'"{data}"', '"rows.csv"') + state + more)
    return folder


def verdicts(project: Path, *words: str, **settings: str) -> dict[str, str]:
    """`siklus train --plan`: what each step would do."""
    planned = answered("train", "-C", project, "--plan", *words, **settings)
    return {item["step"]: item["verdict"] for item in planned}


def would_run(project: Path, *words: str, **settings: str) -> list[str]:
    return [step for step, verdict in verdicts(project, *words, **settings).items() if verdict == "run"]


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
