"""Fitting in parallel processes: one job is one candidate on one fold, answered by its held-out predictions."""

import hashlib
import io
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from siklus.errors import SiklusError, TrainError
from siklus.files import write_atomic
from siklus.train.candidates import Parameters, Question
from siklus.train.own import find_candidate

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Positions of the rows that are fitted on, and of those that judge."""

    fitted: Places
    held: Places


@dataclass(frozen=True, kw_only=True)
class Job:
    question: Question
    candidate: str
    parameters: Parameters
    fold: Fold


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Predictions of the fold's held-out rows, or why there are none."""

    seconds: float
    predictions: Floats | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where the decoded rows and targets lie (.npy files, mapped, not copied), and the user's own code."""

    matrix: Path
    target: Path
    root: Path


class Workers:
    """``jobs`` processes; a single one is this process itself, where there is nothing to gain.

    A context manager: leaving it (also by Ctrl-C) ends the processes. Every outcome is kept in
    ``memory`` under the digest of its job, so that an interrupted search goes on where it was.
    """

    def __init__(self, bench: Bench, *, jobs: int, memory: Path) -> None:
        self._bench = bench
        self._memory = memory
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            threads = max(1, (os.cpu_count() or 1) // jobs)
            # Spawned, because a forked child inherits the locks of numpy's and scikit-learn's thread pools.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(threads,))

    def fit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Outcomes in the order of the jobs. A candidate that raises is an outcome, not an error."""
        kept = [_recall(self._memory, job) for job in jobs]
        missing = [job for job, outcome in zip(jobs, kept, strict=True) if outcome is None]
        fresh = iter(self._run(missing))
        outcomes = [outcome or next(fresh) for outcome in kept]
        for job, outcome, old in zip(jobs, outcomes, kept, strict=True):
            if old is None:
                _remember(self._memory, job, outcome)
        return outcomes

    def _run(self, jobs: Sequence[Job]) -> list[Outcome]:
        if self._pool is None:
            return [fit_job(self._bench, job) for job in jobs]
        try:
            return list(self._pool.map(fit_job, [self._bench] * len(jobs), jobs))
        except RuntimeError as exc:  # BrokenProcessPool: a worker was killed, most likely for its memory
            raise TrainError(
                "TN005", f"a training process died: {exc}", expected="more memory, or fewer `jobs`"
            ) from exc

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            running = list(multiprocessing.active_children())
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
            for child in running if kind is not None else ():
                child.terminate()


def fit_job(bench: Bench, job: Job) -> Outcome:
    """Fit on the fold and predict what it holds out."""
    started = time.perf_counter()
    matrix = np.load(bench.matrix, mmap_mode="r")
    target = np.load(bench.target, mmap_mode="r")
    try:
        model = fit(
            job.question,
            job.candidate,
            job.parameters,
            matrix[job.fold.fitted],
            target[job.fold.fitted],
            bench.root,
        )
        predictions = predict(model, matrix[job.fold.held], classify=job.question.classify)
    except SiklusError:
        raise
    except Exception as exc:  # noqa: BLE001 - any candidate may raise anything; the leaderboard says what
        return Outcome(seconds=time.perf_counter() - started, failure=f"{type(exc).__name__}: {exc}")
    if not np.isfinite(predictions).all():
        return Outcome(seconds=time.perf_counter() - started, failure="predictions are not finite")
    return Outcome(seconds=time.perf_counter() - started, predictions=predictions)


def fit(
    question: Question, candidate: str, parameters: Parameters, rows: Matrix, target: Any, root: Path
) -> Any:
    """A fitted model of the candidate. ``rows``: float32 (n, width); ``target``: class indices or numbers, (n,)."""
    model = find_candidate(candidate, root=root).build(question, parameters)
    with warnings.catch_warnings():
        # Libraries warn of what the leaderboard shows better: no convergence is a worse score.
        warnings.simplefilter("ignore")
        return model.fit(rows, target)


def predict(model: Any, rows: Matrix, *, classify: bool) -> Floats:
    """Probabilities (n, classes) or numbers (n,), in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = model.predict_proba(rows) if classify else model.predict(rows)
    return np.asarray(raw, dtype=np.float64)


def _file_of(memory: Path, job: Job) -> Path:
    settings = msgspec.json.encode(
        [job.candidate, job.parameters, job.question.metric, job.question.seed], order="sorted"
    )
    digest = hashlib.sha256(settings + job.fold.fitted.tobytes() + job.fold.held.tobytes())
    return memory / f"{digest.hexdigest()}.npz"


def _recall(memory: Path, job: Job) -> Outcome | None:
    file = _file_of(memory, job)
    if not file.is_file():
        return None
    with np.load(file) as kept:
        return Outcome(seconds=float(kept["seconds"]), predictions=kept["predictions"])


def _remember(memory: Path, job: Job, outcome: Outcome) -> None:
    if outcome.predictions is None:
        return  # a failure may have been the machine's: it is tried again
    buffer = io.BytesIO()
    np.savez(buffer, seconds=outcome.seconds, predictions=outcome.predictions)
    write_atomic(_file_of(memory, job), buffer.getvalue())


def _start_worker(threads: int) -> None:
    # Ctrl-C is the parent's to handle: it ends the workers itself, without a traceback from each of them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stderr.flush()
    threadpool_limits(threads)
