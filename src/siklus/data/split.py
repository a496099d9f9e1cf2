"""Which rows train, which choose (valid) and which judge (test): decided by the rows, not by chance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siklus.data.cells import moments
from siklus.data.digest import Hashes, cell_hashes, row_hashes
from siklus.errors import DataError
from siklus.project.sections import Split
from siklus.table import Cells, Table, is_missing

Rows: TypeAlias = NDArray[np.int64]
By: TypeAlias = Literal["random", "stratified", "time", "group"]

TEST, VALID, TRAIN = 0, 1, 2  # in the order in which hashes fill them
LEAST_OF_A_CLASS = 3  # rows, when stratified: one for each part


@dataclass(frozen=True)
class Parts:
    """Row positions, ascending int64, each row in exactly one part; ``by`` says how it was decided."""

    by: By
    train: Rows
    valid: Rows
    test: Rows


@dataclass(frozen=True)
class _Asked:
    """What a way to split may look at: the rows' hashes, their times or groups (``order``), class indices."""

    settings: Split
    hashes: Hashes
    order: Cells
    codes: Rows


def split(
    table: Table,
    *,
    settings: Split,
    time: str | None = None,
    key: str | None = None,
    classes: Cells | None = None,
) -> Parts:
    """Share the rows out. ``classes``: each row's class, shape (rows,); None for a regression.

    *random*: by the hash of the row key; a row never moves when others come, go or change places.
    *stratified*: the same within each class, with the exact shares; new rows may move the few at the cut.
    *group*: by the hash of the group, so that a group is never torn apart.
    *time*: the latest rows judge, those before them choose; rows of one moment stay together.

    Without a key the row's whole content is hashed, so equal rows always share a part: a duplicate
    cannot leak from training into the test. DA018 for a class too rare, DA019 for an empty part,
    DA020 for a column that the way of splitting needs and [data] does not name, DA021 for a missing
    cell in it, DA024 for a class that no training row has.
    """
    by = way(settings, time=time, classes=classes)
    order_by = _needed(by, settings=settings, time=time, classes=classes)
    labels, codes = _coded(classes)
    _refuse_rare(labels, codes, least=LEAST_OF_A_CLASS if by == "stratified" else 2)
    order = _present(table, order_by) if order_by else np.empty(0)
    hashes = cell_hashes(_present(table, key)) if key else row_hashes(table)
    part = _WAYS[by](_Asked(settings, hashes, order, codes))
    parts = Parts(by, *(np.flatnonzero(part == which) for which in (TRAIN, VALID, TEST)))
    _refuse_empty(parts, settings)
    unlearnt = np.setdiff1d(codes, codes[parts.train]) if labels else codes
    if len(unlearnt):
        told = f"split by {by}: no training row is of class {labels[unlearnt[0]]!r}"
        raise DataError("DA024", told, expected="each class among the training rows")
    return parts


def way(settings: Split, *, time: str | None, classes: Cells | None) -> By:
    """How [data] wants it: as told, else by the group it names, by the time it names, else by the target."""
    if settings.by is not None:
        return settings.by
    if settings.group is not None:
        return "group"
    if time is not None:
        return "time"
    return "random" if classes is None else "stratified"


def _random(asked: _Asked) -> NDArray[np.int8]:
    return _by_hash(asked.hashes, asked.settings)


def _group(asked: _Asked) -> NDArray[np.int8]:
    return _by_hash(cell_hashes(asked.order), asked.settings)


def _stratified(asked: _Asked) -> NDArray[np.int8]:
    part = np.full(len(asked.hashes), TRAIN, dtype=np.int8)
    for label in np.unique(asked.codes):
        rows = np.flatnonzero(asked.codes == label)
        part[rows] = _by_rank(asked.hashes[rows], asked.settings)
    return part


def _time(asked: _Asked) -> NDArray[np.int8]:
    found = moments(asked.order, where="the time column")
    ticks = found.astype(np.float64) if found.dtype.kind == "f" else found.astype(np.int64)
    # Newest first: the test is filled before valid, and training gets the rest.
    return _by_rank(-ticks, asked.settings)


_WAYS: Mapping[By, Callable[[_Asked], NDArray[np.int8]]] = {
    "random": _random,
    "stratified": _stratified,
    "group": _group,
    "time": _time,
}


def _by_hash(hashes: Hashes, settings: Split) -> NDArray[np.int8]:
    """Parts by the hash alone. Shares are then as even as chance is; few hashes may leave a part empty.

    In that case ranks decide, which need three distinct hashes only.
    """
    place = hashes / 2.0**64
    part = np.where(
        place < settings.test, TEST, np.where(place < settings.test + settings.valid, VALID, TRAIN)
    )
    return _by_rank(hashes, settings) if len(np.unique(part)) < 3 else part.astype(np.int8)


def _by_rank(values: NDArray[Any], settings: Split) -> NDArray[np.int8]:
    """The smallest values test, the next are valid. Equal values stay together, at the nearest cut."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    distinct = len(ends)
    if distinct < 3:
        return np.full(len(values), TRAIN, dtype=np.int8)
    total = float(ends[-1])
    # A cut is a number of distinct values; one at least is kept for each part.
    first = int(np.clip(_nearest(ends, settings.test * total), 1, distinct - 2))
    second = int(np.clip(_nearest(ends, (settings.test + settings.valid) * total), first + 1, distinct - 1))
    part: NDArray[np.int8] = np.where(inverse < first, TEST, np.where(inverse < second, VALID, TRAIN)).astype(
        np.int8
    )
    return part


def _nearest(ends: NDArray[np.int64], wanted: float) -> int:
    """How many of the distinct values give a sum nearest to ``wanted``."""
    at = int(np.searchsorted(ends, wanted))
    if at == len(ends):
        return at
    below = float(ends[at - 1]) if at else 0.0
    return at + 1 if ends[at] - wanted <= wanted - below else at


def _present(table: Table, name: str) -> Cells:
    cells = table[name]
    missing = np.flatnonzero(is_missing(cells))
    if len(missing):
        raise DataError(
            "DA021",
            f"column {name!r}, row {missing[0]} (counted from 0): missing, and {len(missing) - 1} more",
            expected="a value in each row of a column that decides on the split",
        )
    return cells


def _needed(by: By, *, settings: Split, time: str | None, classes: Cells | None) -> str | None:
    """The column that decides, if one does; DA020 when what this way needs is not there."""
    needs: dict[By, tuple[object, str]] = {
        "time": (time, "[data] time = …"),
        "group": (settings.group, "[data.split] group = …"),
        "stratified": (classes, "a target of classes, or by = 'random'"),
    }
    found, wanted = needs.get(by, (True, ""))
    if found is None:
        raise DataError("DA020", f"[data.split] by = {by!r}: nothing says by what", expected=wanted)
    return {"time": time, "group": settings.group}.get(by)


def _coded(classes: Cells | None) -> tuple[list[object], Rows]:
    """The distinct classes in order of appearance, and each row's place among them."""
    if classes is None:
        return [], np.empty(0, dtype=np.int64)
    cells = classes.tolist()
    places = {label: i for i, label in enumerate(dict.fromkeys(cells))}
    return list(places), np.fromiter((places[cell] for cell in cells), dtype=np.int64, count=len(cells))


def _refuse_rare(labels: list[object], codes: Rows, *, least: int) -> None:
    counts = np.bincount(codes, minlength=len(labels))
    for label, count in zip(labels, counts, strict=True):
        if count < least:
            raise DataError(
                "DA018",
                f"class {label!r} has only {count} row{'s' if count > 1 else ''}",
                expected=f"at least {least} of each class: merge it with another, or leave its rows out",
            )


def _refuse_empty(parts: Parts, settings: Split) -> None:
    sizes = {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)}
    if not all(sizes.values()) or settings.test + settings.valid >= 1:
        told = ", ".join(f"{size} {name}" for name, size in sizes.items())
        raise DataError(
            "DA019",
            f"split by {parts.by}: {told} rows",
            expected="three distinct rows, groups or moments at least, and valid + test below 1",
        )
