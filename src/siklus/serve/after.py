"""After the answer: what was answered is counted, recorded, and offered to the shadows."""

from collections.abc import Sequence

from siklus.serve.desk import Desk
from siklus.serve.recording import Received, record
from siklus.serve.scoring import Scored


def after(desk: Desk, scored: Scored, received: Received, *, endpoint: str, seconds: Sequence[float]) -> None:
    """``seconds``: what each request took; a tick answers several with a row each, a batch one with many."""
    desk.metrics.answered(endpoint, scored, seconds=seconds)
    if desk.records.log is not None:
        record(desk.records.log, scored, received, seconds=seconds)
    lineup = desk.models.lineup
    if lineup is not None and lineup.shadows:
        desk.shadows.offer(lineup.shadows, scored, received)
