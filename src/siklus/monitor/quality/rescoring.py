"""Rescoring: of many classes the log keeps one probability, so a model is asked for the others again."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from siklus.bundle.read import Bundle
from siklus.contract.decode import decode_records
from siklus.monitor.amounts import counted
from siklus.records.joined import JoinedRows, Rows
from siklus.stats.losses import Floats, predicted_classes

MOST_ROWS = 20_000  # the newest labelled rows: a second or two, and more would hardly narrow an interval


@dataclass(frozen=True)
class Rescored:
    """``probabilities``: shape (rows, classes), NaN where not known. ``remarks``: what stands in the way."""

    probabilities: Floats | None
    remarks: tuple[str, ...] = ()


def rescore(rows: JoinedRows, bundle_of: Callable[[str], Bundle | None]) -> Rescored:
    """Ask each version again for the rows whose features were read; ``bundle_of`` is None for a lost one."""
    if rows.classes is None or not len(rows.featured.places):
        return Rescored(None)
    found = np.full((len(rows), len(rows.classes)), np.nan)
    codes = rows.version.codes[rows.featured.places]
    remarks, other = [], 0
    for code in np.unique(codes).tolist():
        version = rows.version.names[code]
        bundle = bundle_of(version)
        if bundle is None:
            remarks.append(f"Version {version} is not to be had, so its probabilities are not known.")
            continue
        if any(column.sensitive for column in bundle.contract.columns):
            remarks.append(
                f"Version {version} reads sensitive columns, which the log does not keep, so it cannot be "
                "asked again for its probabilities."
            )
            continue
        chosen = np.flatnonzero(codes == code)
        places, probabilities = rows.featured.places[chosen], _probabilities(bundle, rows, chosen)
        same = predicted_classes(probabilities) == rows.predicted[places]
        same &= np.isfinite(probabilities).all(axis=1)
        found[places[same]] = probabilities[same]
        other += int((~same).sum())
    if other:
        remarks.append(
            f"Left out where the probability of every class is needed: {counted(other, 'row')}, "
            "for which the model says something else now than was answered."
        )
    if len(rows.featured.places) < rows.labelled.sum():
        remarks.append(
            "Metrics that need the probability of every class are of the newest "
            f"{counted(len(rows.featured.places), 'labelled row')}, for which the models were asked again."
        )
    return Rescored(found, tuple(remarks))


def _probabilities(bundle: Bundle, rows: JoinedRows, chosen: Rows) -> Floats:
    """What the version says of these featured rows, by the classes of ``rows``."""
    features = [msgspec.json.decode(text) for text in rows.featured.texts[chosen]]
    decoded = decode_records(features, bundle.contract)
    raw = np.asarray(bundle.predict(decoded.rows).raw, dtype=np.float64)
    own, wanted = bundle.contract.target.classes or (), rows.classes or ()
    found = np.zeros((len(raw), len(wanted)))
    for i, label in enumerate(own):
        if label in wanted:
            found[:, wanted.index(label)] = raw[:, i]
    return found
