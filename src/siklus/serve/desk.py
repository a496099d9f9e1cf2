"""The desk: what one worker answers with. Opened once in each process, closed when it ends."""

from dataclasses import dataclass

from siklus.project.sections import Serve
from siklus.serve.metrics import Metrics
from siklus.serve.models import Models


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The parts that the calls of one worker share."""

    settings: Serve
    models: Models
    metrics: Metrics
