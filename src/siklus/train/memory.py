"""What a search has fitted already: kept until it is through, so that an interrupted one goes on."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from siklus.files import write_atomic
from siklus.train.own import own_source
from siklus.train.trials import Job, Outcome


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Outcomes below ``folder``, which stands for the rows, by the digest of their jobs.

    ``root``: where the user's own candidates lie, whose source is a part of the digest.
    """

    folder: Path
    root: Path

    def recall(self, job: Job) -> Outcome | None:
        try:
            with np.load(self._file(job)) as kept:
                return Outcome(seconds=float(kept["seconds"]), predictions=kept["predictions"])
        except FileNotFoundError:
            return None

    def remember(self, job: Job, outcome: Outcome) -> None:
        """FileError FS001 when the disk is full."""
        if outcome.predictions is None:
            return  # a failure may have been the machine's: it is tried again
        buffer = io.BytesIO()
        np.savez(buffer, seconds=outcome.seconds, predictions=outcome.predictions)
        write_atomic(self._file(job), buffer.getvalue())

    def _file(self, job: Job) -> Path:
        question = job.question
        settings = msgspec.json.encode(
            [job.candidate, job.parameters, question.metric, question.seed], order="sorted"
        )
        digest = hashlib.sha256(settings)
        own = own_source(job.candidate, root=self.root)
        for part in (own, job.fold.fitted.tobytes(), job.fold.held.tobytes()):
            digest.update(hashlib.sha256(part).digest())
        return self.folder / f"{digest.hexdigest()}.npz"
