"""Decoded rows on the disk, as a search finds them, and users' own modules beside them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siklus.contract.columns import Contract, Number, Target, Task
from siklus.project.sections import Train
from siklus.train.candidates import Question
from siklus.train.folds import held_out
from siklus.train.memory import Memory
from siklus.train.own import find_candidate
from siklus.train.search import BASELINES, Held, Trial, search
from siklus.train.trials import Bench
from siklus.train.workers import Workers

WIDTH = 3


@dataclass
class Searched:
    """A small search: what it is made of, and `run`, which carries it out."""

    folder: Path
    rows: int = 300
    task: Task = "regression"
    metric: str = "mae"
    judged_target: Any = None  # in place of the judging rows' own
    heard: list[tuple[int, str, int]] = field(default_factory=list)

    @property
    def question(self) -> Question:
        columns = tuple(Number(name=f"c{i}") for i in range(WIDTH))
        classes = ("no", "yes") if self.task == "classification" else None
        contract = Contract(columns=columns, target=Target(name="y", classes=classes))
        return Question(contract=contract, metric=self.metric, seed=0)

    @property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        rng = np.random.default_rng(0)
        matrix = rng.normal(size=(self.rows, WIDTH)).astype(np.float32)
        y = 2 * matrix[:, 0] - matrix[:, 1] + np.abs(matrix[:, 2]) + 0.1 * rng.normal(size=self.rows)
        return matrix, y if self.task == "regression" else (y > 0).astype(np.int64)

    @property
    def held(self) -> Held:
        """The last fifth judges, as in a split by time."""
        places, cut = np.arange(self.rows), int(0.8 * self.rows)
        target = self.arrays[1]
        return held_out(
            places[:cut],
            places[cut:],
            target,
            exchangeable=False,
            classify=self.task == "classification",
        )

    def bench(self) -> Bench:
        matrix, target = self.arrays
        if self.judged_target is not None:
            target[int(0.8 * self.rows) :] = self.judged_target
        np.save(self.folder / "matrix.npy", matrix)
        np.save(self.folder / "target.npy", target)
        return Bench(matrix=self.folder / "matrix.npy", target=self.folder / "target.npy", root=self.folder)

    def run(self, *names: str, jobs: int = 1, **settings: Any) -> list[Trial]:
        memory = Memory(folder=self.folder / "memory", root=self.folder)
        bench = self.bench()
        held = self.held
        if self.judged_target is not None:
            held = Held(screen=held.screen, folds=held.folds, target=np.load(bench.target))
        candidates = [find_candidate(name, root=self.folder) for name in dict.fromkeys((*BASELINES, *names))]
        with Workers(bench, jobs=jobs, memory=memory) as workers:
            return search(
                self.question,
                held,
                candidates,
                settings=Train(**{"trials": 3, **settings}),
                workers=workers,
                listen=lambda trial, total: self.heard.append((trial.number, trial.candidate, total)),
            )

    def own(self, name: str, text: str) -> str:
        """A user's module; the name of its candidate comes back. A process imports a name once."""
        (self.folder / f"{name}.py").write_text(text)
        return f"{name}:make"


def told(trials: list[Trial]) -> list[tuple[object, ...]]:
    """All that a trial says but the time that it took."""
    return [
        (
            t.number,
            t.candidate,
            dict(t.parameters),
            t.score,
            t.why,
            None if t.predictions is None else t.predictions.tobytes(),
        )
        for t in trials
    ]
