"""`python -m siklus.drill.leash PARENT COMMAND …`: the command, which the kernel ends when PARENT is gone.

A drill that is killed leaves no server behind. It is a program of its own, because between a fork and what
follows nothing else may run where the drill has threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # of prctl(2); it outlives exec


def main(words: list[str]) -> None:
    parent, *command = words
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit(1)  # it was gone before
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
