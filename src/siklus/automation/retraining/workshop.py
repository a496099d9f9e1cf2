"""The workshop: where a retraining's process is started, seen to live, and told to end.

The process outlives a loop that is killed, and the next loop finds it at work or finds what it left. That it
lives is said by a lock on an open file, which it is born with and the kernel lets go of when it dies: so
there is no moment at which it is started and not yet known to live.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from siklus.automation.retraining.command import ENVIRONMENT, command_of
from siklus.automation.retraining.retrained import RESULT_FILE, Retrained, folder_of, read_retrained
from siklus.events import tell
from siklus.files import disk_errors
from siklus.project.paths import Paths

ALIVE = "retraining.alive"  # in the run directory: locked while a process lives; its id stands in it
LOG = "retraining.log"  # in a job's folder: what its processes said, one after the other
LOOK_SECONDS = 0.05
END_SECONDS = 3.0  # for a process that is told to end; then it is killed


class Workshop:
    """This machine's retraining process, of which there is at most one at a time."""

    def __init__(self, paths: Paths, *, environment: Mapping[str, str]) -> None:
        """``environment``: the process's own, with what bounds its threads in it."""
        self._paths = paths
        self._environment = {**environment, **ENVIRONMENT}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def busy(self) -> bool:
        """Whether a process is at work, whoever has started it."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        with self._held() as handle:
            return handle is None

    def result(self, number: int) -> Retrained | None:
        """What job ``number`` came to; None while it has not ended, and for a damaged file, which is put
        aside: then the process is started again, and finds its finished steps."""
        try:
            return read_retrained(self._paths, number)
        except (ValueError, msgspec.MsgspecError) as exc:
            file = folder_of(self._paths, number) / RESULT_FILE
            tell("result_damaged", level="error", file=str(file), reason=str(exc))
            with disk_errors(file):
                file.rename(file.with_suffix(".damaged"))
            return None

    def start(self, number: int, *, trigger: str) -> bool:
        """Start a process for the job; False, and nothing, while another one is at work.

        FileError FS001 for a full disk.
        """
        with self._held() as handle:
            if handle is None:
                return False
            if self._process is not None:
                self._process.wait()  # it has let go of the lock, so it is dead by now
            command = command_of(self._paths.root.absolute(), number=number, trigger=trigger)
            os.ftruncate(handle, 0)  # no other process's id may stand there once this one lives
            with self._log(number) as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment,
                    pass_fds=[handle],
                    start_new_session=True,  # Ctrl-C is for the loop, which decides what becomes of it
                )
            os.pwrite(handle, str(self._process.pid).encode(), 0)
        return True

    def end(self) -> None:
        """Tell the process at work to end, and see that it does; its finished steps are kept."""
        pid = self._pid()
        if pid is not None and self.busy:
            for number in (signal.SIGTERM, signal.SIGKILL):
                # The whole session: a search has processes of its own.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, number)
                if self._ended(END_SECONDS):
                    break
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _ended(self, seconds: float) -> bool:
        with (self._paths.run / ALIVE).open("rb") as file:
            return _locked_within(file.fileno(), seconds)

    def _pid(self) -> int | None:
        try:
            return int((self._paths.run / ALIVE).read_text() or 0) or None
        except (FileNotFoundError, ValueError):
            return None

    @contextmanager
    def _held(self) -> Iterator[int | None]:
        """The lock, for the block; None while a process has it."""
        path = self._paths.run / ALIVE
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            yield handle if _locked_within(handle, 0.0) else None
        finally:
            os.close(handle)

    @contextmanager
    def _log(self, number: int) -> Iterator[int]:
        path = folder_of(self._paths, number) / LOG
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                yield file.fileno()


def _locked_within(handle: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK_SECONDS)
        else:
            return True
