"""Processes that fit in parallel, and end with the one that started them, however that ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from types import TracebackType

from threadpoolctl import threadpool_limits

from siklus.errors import TrainError
from siklus.train.memory import Memory
from siklus.train.trials import Bench, Job, Outcome, fit_job

PATIENCE_SECONDS = 5.0  # for a worker to end before it is killed


class Workers:
    """``jobs`` processes; a single one is this process itself, where there is nothing to gain.

    A context manager: leaving it (also by Ctrl-C) ends the processes. Each outcome is remembered as soon
    as it is there, so that an interrupted search goes on where it was.
    """

    def __init__(self, bench: Bench, *, jobs: int, memory: Memory) -> None:
        self._bench = bench
        self._memory = memory
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            threads = max(1, (os.cpu_count() or 1) // jobs)
            # Spawned, because a forked child inherits the locks of numpy's and scikit-learn's thread pools.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(threads,))

    def fit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Outcomes in the order of the jobs. TrainError TN005 when a process dies."""
        kept = [self._memory.recall(job) for job in jobs]
        fresh = iter(self._run([job for job, outcome in zip(jobs, kept, strict=True) if outcome is None]))
        return [outcome or next(fresh) for outcome in kept]

    def _run(self, jobs: Sequence[Job]) -> list[Outcome]:
        if self._pool is None:
            return [_fit_and_remember(self._bench, self._memory, job) for job in jobs]
        benches, memories = [self._bench] * len(jobs), [self._memory] * len(jobs)
        with _children_deaf_to_ctrl_c():
            outcomes = self._pool.map(_fit_and_remember, benches, memories, jobs)
        try:
            return list(outcomes)
        except BrokenProcessPool as exc:
            raise TrainError(
                "TN005", "a training process died, most likely for its memory", expected="fewer `jobs`"
            ) from exc

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is None:
            return
        running = multiprocessing.active_children()
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is None:
            return
        for child in running:
            child.terminate()
        for child in running:
            child.join(PATIENCE_SECONDS)
            child.kill()


def _fit_and_remember(bench: Bench, memory: Memory, job: Job) -> Outcome:
    outcome = fit_job(bench, job)
    memory.remember(job, outcome)
    return outcome


@contextmanager
def _children_deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that start in this block ignore Ctrl-C from their first moment.

    A terminal sends it to all of them, but it is the parent's to handle: it ends the workers itself,
    without a traceback from each.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets the main thread alone say what a signal does
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start_worker(threads: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(threads)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
