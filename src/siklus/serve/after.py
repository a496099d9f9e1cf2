"""After the answer: what was answered is counted."""

from collections.abc import Sequence

from siklus.serve.desk import Desk
from siklus.serve.scoring import Scored


def after(desk: Desk, scored: Scored, *, endpoint: str, seconds: Sequence[float]) -> None:
    """``seconds``: what each request took; a tick answers several with a row each, a batch one with many."""
    desk.metrics.answered(endpoint, scored, seconds=seconds)
