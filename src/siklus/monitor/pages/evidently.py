"""Evidently's own report of the rows that ours is made of, for those who know that tool.

Evidently 0.7 asks for pandas below 3: its import fails beside a newer one, which is told apart from a missing
package.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from siklus.bundle.read import Bundle
from siklus.contract.columns import Boolean, Category, Contract, Datetime, Integer, Number
from siklus.data.snapshot import open_snapshot
from siklus.errors import MonitorError
from siklus.extras import need
from siklus.records.reading import PredictionRecord
from siklus.table import Table, is_missing, objects

EXTRA = "evidently"
MOST_ROWS = 50_000  # of either side: the page holds all of it


def evidently_report(bundle: Bundle, records: Sequence[PredictionRecord], *, snapshots: Path) -> str:
    """An HTML file: the version's training rows as the reference, these logged rows beside them.

    MissingExtra XT001 where Evidently is missing, MonitorError MO041 where it is there but cannot be
    imported, MO042 where one side has no row, DataError DA022 where the snapshot is gone.
    """
    evidently, presets = _imported("evidently"), _imported("evidently.presets")
    digest = bundle.provenance().data_digest
    if digest is None or not records:
        missing = "logged rows in the window" if digest else "training rows, as nobody kept them"
        raise MonitorError(
            "MO042",
            f"Evidently's report of version {bundle.version}: no {missing}",
            expected="a version of `siklus train`, and a window with answers in the log",
        )
    contract = bundle.contract
    reference = _frame(_few(open_snapshot(digest, snapshots)), contract)
    logged = [record.features for record in records]
    current = _frame(
        _few(Table({name: objects(row.get(name) for row in logged) for name in contract.names})), contract
    )
    definition = evidently.DataDefinition(**_kinds(contract))
    report = evidently.Report([presets.DataDriftPreset(), presets.DataSummaryPreset()])
    run = report.run(
        evidently.Dataset.from_pandas(current, definition),
        evidently.Dataset.from_pandas(reference, definition),
    )
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        run.save_html(str(page))
        return page.read_text("utf-8")


def _imported(module: str) -> ModuleType:
    try:
        return need(module, extra=EXTRA)
    except ImportError as exc:
        raise MonitorError(
            "MO041",
            f"{module} is installed but cannot be imported: {exc}",
            expected="an environment of its own with pandas below 3: pip install 'siklus[evidently]'",
        ) from exc


def _few(table: Table) -> Table:
    if len(table) <= MOST_ROWS:
        return table
    return table.take(np.sort(np.random.default_rng(0).choice(len(table), MOST_ROWS, replace=False)))


def _kinds(contract: Contract) -> dict[str, list[str]]:
    """The columns as Evidently sorts them; texts and tensors are left out."""
    return {
        "numerical_columns": [c.name for c in contract.columns if isinstance(c, Number | Integer)],
        "categorical_columns": [c.name for c in contract.columns if isinstance(c, Category | Boolean)],
        "datetime_columns": [c.name for c in contract.columns if isinstance(c, Datetime)],
    }


def _frame(table: Table, contract: Contract) -> Any:
    """The contract's columns as a pandas DataFrame, of the same types on both sides."""
    pandas = need("pandas", extra=EXTRA)
    found = {}
    for column in contract.columns:
        if column.name not in table:
            continue
        cells = table[column.name]
        match column:
            case Number() | Integer():
                found[column.name] = pandas.to_numeric(pandas.Series(cells), errors="coerce").astype(
                    "float64"
                )
            case Category() | Boolean():
                texts = [
                    None if gone else str(cell)
                    for cell, gone in zip(cells.tolist(), is_missing(cells), strict=True)
                ]
                found[column.name] = pandas.Series(texts, dtype="object")
            case Datetime():
                found[column.name] = pandas.to_datetime(
                    pandas.Series(cells), errors="coerce", utc=True, format="ISO8601"
                ).dt.tz_localize(None)
    return pandas.DataFrame(found)
