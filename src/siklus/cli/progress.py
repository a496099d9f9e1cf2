"""What a person sees while a training runs: a bar on a terminal, plain lines elsewhere."""

import sys
from types import TracebackType

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from siklus.cli.output import remarks
from siklus.train.search import Trial
from siklus.train.steps import Note, Planned


class TrainingProgress:
    """Told of steps and trials; writes to stderr only. A context manager: the bar is always taken down."""

    def __init__(self) -> None:
        self._console = remarks()
        self._live = sys.stderr.isatty()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "TrainingProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, planned: Planned, note: Note | None) -> None:
        self._show(None if note else planned.step.name)
        if note is None:
            return
        took = "reused" if planned.verdict == "reuse" else f"{note.seconds:.1f} s"
        self._console.print(f"{planned.step.name:<9} {took:>7}  {note.summary}", markup=False)

    def trial(self, trial: Trial, total: int) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=trial.number + 1, total=total)
        score = f"{trial.score:.5g}" if trial.score is not None else trial.why
        line = (
            f"  trial {trial.number + 1:>3}/{total}  {trial.candidate:<24} {score}  ({trial.seconds:.1f} s)"
        )
        self._console.print(line, markup=False)

    def _show(self, name: str | None) -> None:
        """A bar of its own for each step, since one that had an end could not lose it again."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = None if name is None else self._bar.add_task(name, total=None)
