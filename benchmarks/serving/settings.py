"""Settings: the ways in which the same servers are asked, each ready to be called again and again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import msgspec

from benchmarks.serving.batches import ROWS, Batch, ask_in_batches, refusal
from benchmarks.serving.case import Case
from benchmarks.serving.contenders import SIKLUS
from benchmarks.serving.dialects import Dialect
from benchmarks.serving.load import Answered, Load, Wave
from benchmarks.serving.running import Running

Ask: TypeAlias = Callable[[], Answered]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """``asks``: by contender's name. ``units``: rows that one of its requests holds."""

    name: str
    asks: Mapping[str, Ask]
    units: int = 1


@dataclass(frozen=True, kw_only=True)
class Street:
    """Servers that stand side by side. ``scratch``: where the bodies go that they are sent."""

    servers: Sequence[Running]
    case: Case
    scratch: Path
    seconds: float

    def waves(self, name: str, load: Load, *, connections: int, named: bool = False) -> Setting:
        """Every server under this load; ``named``: features by name, where a server takes them."""
        asks = {}
        for server in self.servers:
            contender = server.contender
            dialect = contender.named if named and contender.named else contender.dialect
            wave = Wave(
                url=server.url(dialect.path),
                bodies=self._bodies(dialect, f"{contender.name}-{name}"),
                connections=connections,
                seconds=self.seconds,
            )
            asks[contender.name] = partial(load, wave)
        return Setting(name=name, asks=asks)

    def batches(self, given: Sequence[Batch]) -> tuple[list[Setting], list[str]]:
        """A setting for each batch that ours answers, and why it does not answer the others.

        Another server that does not take the format is sent the first batch, JSON, in its place.
        """
        settings, refusals = [], []
        takers = [server for server in self.servers if server.contender.batches]
        for batch in given:
            refused = {server.contender.name: refusal(server, batch) for server in takers}
            if refused[SIKLUS] is not None:
                refusals.append(f"batch_{batch.form}: {refused[SIKLUS]}")
                continue
            asks = {
                server.contender.name: partial(
                    ask_in_batches,
                    server,
                    batch if refused[server.contender.name] is None else given[0],
                    seconds=self.seconds,
                )
                for server in takers
            }
            settings.append(Setting(name=f"batch_{batch.form}", asks=asks, units=ROWS))
        return settings, refusals

    def _bodies(self, dialect: Dialect, name: str) -> Path:
        path = self.scratch / f"{name}.jsonl"
        lines = (msgspec.json.encode(dialect.write(row, self.case.columns)) for row in self.case.rows)
        path.write_bytes(b"\n".join(lines))
        return path
