"""Rehearsal: what a bundle must answer before it takes traffic: no client waits for the first time."""

import time
from dataclasses import dataclass

import numpy as np

from siklus.bundle.bound import BoundSession, can_bind
from siklus.bundle.read import Bundle
from siklus.contract.decode import decode_records
from siklus.contract.examples import example_row
from siklus.errors import BundleError, RowsRefused

RUNS = 3  # the first one allocates; the fastest of them is what a row costs


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """``row_seconds``: what one row takes from now on. ``bound``: None where the model cannot be bound."""

    row_seconds: float
    bound: BoundSession | None


def rehearse(bundle: Bundle) -> Rehearsed:
    """Have it answer the contract's example row. BundleError BN012 where it fails, BN013 for no answer."""
    session, width = bundle.session, bundle.contract.width
    bound = BoundSession(session, width=width) if can_bind(session) else None
    return Rehearsed(row_seconds=min(_row_seconds(bundle) for _ in range(RUNS)), bound=bound)


def _row_seconds(bundle: Bundle) -> float:
    began = time.perf_counter()
    try:
        rows = decode_records([example_row(bundle.contract)], bundle.contract).accepted()
    except RowsRefused as exc:
        told = f"{bundle.path}: its contract refuses its own example row: {exc}"
        raise BundleError("BN013", told, expected="a row that it accepts") from exc
    if not np.isfinite(bundle.predict(rows).raw).all():
        told = f"{bundle.path}: its model answers the contract's example row with no finite number"
        raise BundleError("BN013", told, expected="a finite number")
    return time.perf_counter() - began
