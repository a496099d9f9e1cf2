"""What can be wrong with labels: rows that got none are others, or one client sends most of them."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from siklus.contract.columns import label_text
from siklus.monitor.microseconds import us_of
from siklus.monitor.quality.judging import Judged, estimated
from siklus.monitor.quality.report import ClientShare, LabelBias, QualityPart, QualityReport
from siklus.records.joined import JoinedRows
from siklus.stats.losses import Floats
from siklus.stats.profile import Counts, count_category, count_numeric, numeric_cuts
from siklus.stats.shift import TOLERANCE, column_shift

BINS = 10
BIAS_LEVEL = 0.01  # of the chance that a distance within the tolerance looks like this
MOSTLY = 0.5  # of a stretch's outcomes: such a client decides what is said of quality
CLIENTS_TOLD = 5
WINDOWS_TOLD = 3
WITHOUT_KEY = "(without a key)"


def label_bias(rows: JoinedRows, *, fewest: int) -> LabelBias | None:
    """Were labelled rows answered otherwise than those without? None for too few of either.

    The test is drift's, with its tolerance (`siklus.stats.shift`); the rows without are its reference.
    """
    known = rows.labelled
    if not known.any():
        return None
    # Later ones are without an outcome because it is too soon, which says nothing of who gets one.
    there = ~np.isnan(rows.predicted) & (rows.made <= rows.made[known].max())
    without, having = rows.predicted[there & ~known], rows.predicted[known]
    if min(len(without), len(having)) < fewest:
        return None
    names, reference, window = _counted(rows, without, having)
    shift = column_shift(reference, window, tolerance=TOLERANCE, min_rows=fewest)
    if shift is None:
        return None
    shares = np.array([window.bins, reference.bins]) / np.array([[len(having)], [len(without)]])
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    differs = shift.p_beyond < BIAS_LEVEL
    return LabelBias(
        names=names,
        labelled=window.bins,
        unlabelled=reference.bins,
        p=shift.p,
        distance=distance,
        differs=differs,
        said=_said_of_bias(names, shares, differs=differs),
    )


def clients_of(judged: Judged, metric: str) -> tuple[ClientShare, ...]:
    """The largest senders of outcomes first; none where no outcome came with a key."""
    rows = judged.rows
    labelled, words = rows.labelled, rows.client
    counts = np.bincount(words.codes[labelled], minlength=len(words.names))
    if counts[:-1].sum() == 0:
        return ()
    return tuple(
        ClientShare(
            client=None if code == len(words.names) - 1 else words.names[code],
            labelled=int(counts[code]),
            share=float(counts[code] / counts.sum()),
            without=estimated(judged.take(np.flatnonzero(labelled & (words.codes != code))), metric),
        )
        for code in np.argsort(-counts, kind="stable")[:CLIENTS_TOLD].tolist()
        if counts[code]
    )


def floods_in(judged: Judged, report: QualityReport, *, fewest: int) -> Iterator[str]:
    """Says it of the whole stretch, or of the first windows of it, where one of several clients sent most."""
    yield from flood_of(report.clients, report.whole, report.metric)
    everywhere = {each.client for each in report.clients if each.share > MOSTLY}
    told = 0
    for part in report.windows if len(report.clients) > 1 else ():
        if part.labels.labelled < fewest or told == WINDOWS_TOLD:
            continue
        made = judged.rows.made
        within = judged.take(np.flatnonzero((made >= us_of(part.since)) & (made < us_of(part.until))))
        clients = clients_of(within, report.metric)
        if clients and clients[0].client not in everywhere:
            for said in flood_of(clients, part, report.metric):
                told += 1
                yield f"From {part.name} on: {said}"


def flood_of(clients: tuple[ClientShare, ...], part: QualityPart, metric: str) -> Iterator[str]:
    """Says it where one of several clients sent most outcomes of ``part``."""
    if len(clients) < 2 or clients[0].share <= MOSTLY:
        return
    most = clients[0]
    name = WITHOUT_KEY if most.client is None else f"client {most.client!r}"
    whole, without = part.metrics.get(metric), most.without
    values = ""
    if whole is not None and whole.value is not None and without.value is not None:
        values = f"; {metric} is {whole.value:.4g} with them and {without.value:.4g} without"
    yield (
        f"One sender, {name}, supplied {100 * most.share:.0f} % of the outcomes "
        f"({most.labelled:,} of {part.labels.labelled:,}){values}."
    )


def _counted(rows: JoinedRows, without: Floats, having: Floats) -> tuple[tuple[str, ...], Counts, Counts]:
    """Each bin's name, and the rows of both in the same bins."""
    if rows.classes is not None:
        size = len(rows.classes)
        names = tuple(label_text(label) for label in rows.classes)
        return names, count_category(without, size), count_category(having, size)
    cuts = numeric_cuts(np.concatenate([without, having]), bins=BINS)
    edges = ["", *(f"{cut:.4g}" for cut in cuts), ""]
    pairs = pairwise(edges)
    names = tuple(_interval(low, high) for low, high in pairs)
    return names, count_numeric(without, cuts), count_numeric(having, cuts)


def _interval(low: str, high: str) -> str:
    if not low and not high:
        return "all"
    return f"≤ {high}" if not low else f"> {low}" if not high else f"{low} to {high}"


def _said_of_bias(names: tuple[str, ...], shares: Floats, *, differs: bool) -> str:
    if not differs:
        return "Rows with and without an outcome were answered alike."
    most = int(np.argmax(np.abs(shares[0] - shares[1])))
    return (
        "Rows with an outcome look different from those without, so the measured quality may not be that of "
        f"all answers: {names[most]} was predicted for {100 * shares[0][most]:.3g} % of the labelled rows "
        f"and {100 * shares[1][most]:.3g} % of the others."
    )
