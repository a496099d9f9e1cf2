"""Where a drill's rows come from: the champion's training, or else the prediction log."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from siklus.bundle.read import Bundle
from siklus.contract.columns import Contract
from siklus.contract.decode import decode_records, decode_table, decode_target
from siklus.data.snapshot import open_snapshot
from siklus.data.split import split
from siklus.drill.world import Instance, World, with_middles
from siklus.errors import DataError, DrillError, RowsRefused
from siklus.project.file import OpenProject
from siklus.project.paths import Paths
from siklus.project.sections import Data
from siklus.records.layout import Layout
from siklus.records.query import query
from siklus.table import Table, is_missing
from siklus.train.champion import SplitNote, known_to
from siklus.train.sealing import instances_of

MOST = 50_000  # rows: of fewer, what is sent would differ from training by the choice of them
FEWEST = 50


def gathered(champion: Bundle, project: OpenProject, *, seed: int = 0) -> tuple[World, str]:
    """Rows to send, and where they are from, in words; DrillError DR002 where there are none."""
    found = _trained_on(champion, project, seed=seed)
    if found is not None:
        return found, "rows of the champion's training, with their outcomes"
    recorded = _recorded(champion, project.paths)
    if recorded is not None:
        return recorded, "recorded requests, with the champion's answers as their outcomes"
    raise DrillError(
        "DR002",
        f"version {champion.version}: neither its training rows nor {FEWEST} recorded requests are here",
        expected="a version that `siklus train` made here, or one that has been asked",
    )


def _trained_on(champion: Bundle, project: OpenProject, *, seed: int) -> World | None:
    """The rows that its reference profile is of, so that nothing drifts before the fault."""
    digest = champion.provenance().data_digest
    if digest is None:
        return None
    try:
        table = open_snapshot(digest, project.paths.snapshots)
    except DataError:
        return None
    table = _fitted(table, champion, project.settings.data)
    table = table.take(~is_missing(table[champion.contract.target.name]))
    order = np.random.default_rng(seed).permutation(len(table))[:MOST]
    return _world(table.take(order), champion.contract) if len(order) >= FEWEST else None


def _fitted(table: Table, champion: Bundle, data: Data) -> Table:
    """The part that the model was fitted on; older bundles do not say which, but [data] most likely does."""
    noted, contract = champion.document("evaluation.json").get("split"), champion.contract
    note = SplitNote.of(data) if noted is None else msgspec.convert(noted, type=SplitNote)
    classes = None if contract.target.classes is None else decode_target(table, contract)
    parts = split(table, settings=note.settings, time=note.time, key=note.key, classes=classes)
    return table.take(np.sort(np.concatenate([parts.train, parts.valid])))


def _world(table: Table, contract: Contract) -> World | None:
    try:
        decode_table(known_to(contract, table), contract).accepted()
    except RowsRefused:
        return None
    target = decode_target(table, contract)
    classes = contract.target.classes
    outcomes: Sequence[Any] = target.tolist() if classes is None else [classes[i] for i in target.tolist()]
    return with_middles(World(instances=instances_of(table, contract), outcomes=outcomes), contract)


def _recorded(champion: Bundle, paths: Paths) -> World | None:
    if not paths.records.is_dir():
        return None
    newest = "SELECT features FROM predictions ORDER BY time DESC LIMIT 50000"
    texts = [str(row[0]) for row in query(Layout(paths.records), newest).rows[:MOST]]
    instances: list[Instance] = [row for text in texts if isinstance(row := msgspec.json.decode(text), dict)]
    decoded = decode_records(instances, champion.contract)
    if decoded.problems or len(instances) < FEWEST:
        return None
    outcomes = champion.labels(champion.predict(decoded.rows))
    return World(instances=instances, outcomes=outcomes)
