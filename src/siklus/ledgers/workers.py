"""Workers: which processes of a server live, and what each of them uses, by the rows that they count in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from siklus.ledgers.layouts import ServerLayout
from siklus.ledgers.processes import Usage, start_ticks, usage
from siklus.ledgers.totals import ServerTotals


@dataclass(frozen=True)
class Living:
    """A process that counts here. ``started``: in the kernel's ticks; with ``pid`` it names it for ever."""

    row: int
    pid: int
    started: int
    usage: Usage


def living(servers: Iterable[ServerTotals]) -> Iterator[Living]:
    """All that live now, the supervisor too; one that ended in good order has no row any more."""
    for server in servers:
        for row, counts in enumerate(server.rows.tolist()):
            found = process_of(server.layout, counts)
            if found is not None:
                pid, started, used = found
                yield Living(row, pid, started, used)


def process_of(layout: ServerLayout, counts: Sequence[int]) -> tuple[int, int, Usage] | None:
    """Number, start and usage of the process that has this row; None where nobody has, or it died."""
    pid, started = counts[layout.places["pid",]], counts[layout.places["ticks",]]
    if not pid or start_ticks(pid) != started:
        return None
    used = usage(pid)
    return None if used is None else (pid, started, used)
