"""The supervisor: a process that answers nothing itself, and sees to it that its workers do.

It makes the sockets and keeps them, so that a worker's death closes none: who waits there is answered by the
next one. It never scores, logs in anywhere or opens a model, so that nothing of that kind can end it.
"""

import logging
import os
import signal
import ssl
import time
from collections.abc import Sequence

from siklus.errors import ServeError
from siklus.serve.lifecycle import DRAIN
from siklus.serve.plan import Plan
from siklus.serve.supervision.board import Board
from siklus.serve.supervision.companions import Companion, Errand, end
from siklus.serve.supervision.forking import HAND_OVER, UNABLE, Birth, fork_worker, prepare_to_fork
from siklus.serve.supervision.notices import Notices
from siklus.serve.supervision.team import Place, Worker, cover
from siklus.serve.wire.listening import Listener
from siklus.serve.wire.tls import tls_of

LOOK_SECONDS = 0.1  # between two looks at the workers; a death is noticed at once
LONGEST_LOOK_SECONDS = 3 * LOOK_SECONDS  # counted, if more passed: then this process was held up, not they
HOPELESS_DEATHS = 5  # of a worker, one after the other, before any has ever answered
MERCY_SECONDS = 2.0  # beyond a worker's own grace

_LOG = logging.getLogger("siklus.serve")


class Supervisor:
    """The workers of one server, from the first fork to the last end."""

    def __init__(
        self,
        plan: Plan,
        listeners: Sequence[Listener],
        *,
        tls: ssl.SSLContext | None,
        companions: Sequence[Companion | Errand] = (),
    ) -> None:
        self._plan = plan
        self._tls = tls
        self._companions = companions
        self._places = [Place(number=i, listener=each) for i, each in enumerate(listeners)]
        self._board = Board(2 * len(listeners))  # each place has two while one hands over to the next
        self._rolling: list[Place] = []
        self._has_served = False
        self._drained_at: float | None = None
        self._is_hurried = False  # told to stop twice

    def run(self, notices: Notices) -> int:
        """Until told to stop and drained: 0, or 1 where something was cut off.

        ServeError SV009 when no worker can ever answer.
        """
        prepare_to_fork()
        last = time.monotonic()
        try:
            while self._drained_at is None or self._workers():
                now = time.monotonic()
                self._look(now, seconds=min(now - last, LONGEST_LOOK_SECONDS))
                last = now
                for number in notices.wait(seconds=LOOK_SECONDS):
                    self._take(number)
                if self._is_over():
                    return 1
            return 0
        finally:
            self._end_everything()

    def _workers(self) -> list[tuple[Place, Worker]]:
        """Every living worker, with its place; two where one hands over."""
        both = [(place, worker) for place in self._places for worker in (place.worker, place.leaving)]
        return [(place, worker) for place, worker in both if worker is not None]

    def _take(self, number: int) -> None:
        if number == signal.SIGHUP and self._drained_at is None:
            self._read_tls_anew()
            self._rolling = list(self._places)
        elif number in (signal.SIGTERM, signal.SIGINT) or (number == DRAIN and self._drained_at is None):
            self._drain()

    def _read_tls_anew(self) -> None:
        try:
            self._tls = tls_of(self._plan.serve)
        except ServeError as error:  # a renewal that went wrong must not take the server with it
            _LOG.error("tls_kept", extra={"reason": str(error)})

    def _look(self, now: float, *, seconds: float) -> None:
        for place, worker in self._workers():
            if (code := _ended(worker)) is not None:
                self._bury(place, worker, code, now=now)
            elif worker.is_stuck(seconds=seconds, max_body_bytes=self._plan.serve.max_body_bytes):
                _LOG.error("worker_stuck", extra={"worker": place.number, "worker_pid": worker.pid})
                os.kill(worker.pid, signal.SIGKILL)  # buried at the next look
            elif worker.begins_to_serve():
                self._welcome(place, worker, now=now)
        if self._drained_at is not None:
            self._let_go()
            return
        self._roll(now)
        for place in self._places:
            place.let_leave()
            if place.may_be_filled(now=now):
                self._fill(place, now=now)
        cover(self._places)
        for companion in self._companions:
            companion.look(now=now)

    def _fill(self, place: Place, *, now: float) -> None:
        listeners = {each.number: each.listener for each in self._places}
        birth = Birth(
            plan=self._plan,
            number=place.number,
            listener=place.listener,
            others={i: each for i, each in listeners.items() if each is not place.listener},
            row=self._board.take(),
            tls=self._tls,
            patient=self._has_served,
        )
        pid = fork_worker(birth)
        place.worker = Worker(pid=pid, row=birth.row, born=now, fault_at=place.fault_at)
        place.fault_at = None
        _LOG.info("worker_started", extra={"worker": place.number, "worker_pid": pid})

    def _welcome(self, place: Place, worker: Worker, *, now: float) -> None:
        self._has_served = True
        fields = {"worker": place.number, "worker_pid": worker.pid}
        if worker.fault_at is not None:
            _LOG.info("worker_replaced", extra={**fields, "seconds": round(now - worker.fault_at, 3)})
        if place.leaving is not None:
            os.kill(place.leaving.pid, HAND_OVER)

    def _bury(self, place: Place, worker: Worker, code: int, *, now: float) -> None:
        words = worker.row.last_words
        self._board.give_back(worker.row)
        fields = {"worker": place.number, "worker_pid": worker.pid, "code": code}
        if worker is place.leaving:
            place.leaving = None
            _LOG.info("worker_left", extra=fields)
            return
        if self._drained_at is not None:
            place.worker = None
            _LOG.log(logging.ERROR if code else logging.INFO, "worker_stopped", extra=fields)
            return
        _LOG.error("worker_dead", extra={**fields, **({"reason": words} if words else {})})
        place.lost(now=now)
        if place.leaving is not None:  # the new one cannot answer, so the old one stays
            place.worker, place.leaving, self._rolling = place.leaving, None, []
        self._refuse_hopeless(place, code, words)

    def _refuse_hopeless(self, place: Place, code: int, words: str) -> None:
        if self._has_served:
            return
        if code == UNABLE:
            raise ServeError("SV009", f"nothing can be answered: {words}", expected="a sound bundle")
        if place.quick_deaths >= HOPELESS_DEATHS:
            raise ServeError(
                "SV009",
                f"{place.quick_deaths} workers ended before one could answer, the last with code {code}",
                expected="a bundle that this machine can open; the log says more",
            )

    def _roll(self, now: float) -> None:
        """Replace the workers one by one, each only when the one before has gone and its own is in place."""
        if not self._rolling or any(place.leaving is not None for place in self._places):
            return
        place = self._rolling.pop(0)
        if place.worker is not None:
            place.leaving, place.worker = place.worker, None
            self._fill(place, now=now)

    def _drain(self) -> None:
        if self._drained_at is not None:
            self._is_hurried = True
            return
        self._drained_at = time.monotonic()
        _LOG.info("draining", extra={"grace_seconds": self._plan.serve.grace_seconds})
        for _, worker in self._workers():
            worker.row.end_server()
            os.kill(worker.pid, signal.SIGTERM)

    def _let_go(self) -> None:
        """Leave each socket to its worker alone: then it closes when that one closes it."""
        for place in self._places:
            if place.worker is None or place.worker.has_served:
                place.listener.close()

    def _is_over(self) -> bool:
        """Whether who still drains has had long enough."""
        if self._drained_at is None:
            return False
        longest = self._plan.serve.grace_seconds + MERCY_SECONDS
        return self._is_hurried or time.monotonic() - self._drained_at > longest

    def _end_everything(self) -> None:
        for _, worker in self._workers():
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
        end(self._companions)


def _ended(worker: Worker) -> int | None:
    """The exit code, or the number of the signal below 0; None while it lives."""
    pid, status = os.waitpid(worker.pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None
