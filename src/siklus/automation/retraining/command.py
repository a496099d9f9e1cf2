"""The command of a retraining's process; apart from it, so that a loop need not load what only it needs."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# One thread for whatever computes: servers must keep their processors.
ENVIRONMENT: Mapping[str, str] = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def command_of(project: Path, *, number: int, trigger: str) -> Sequence[str]:
    """What starts the process, with `ENVIRONMENT` over the loop's own.

    It ends with 0 once the result is there, and with 2 where another one holds the lock.
    """
    module = "siklus.automation.retraining.process"
    job = ["--project", str(project), "--job", str(number), "--trigger", trigger]
    return [sys.executable, "-m", module, *job]
