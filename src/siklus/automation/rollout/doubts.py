"""Doubts: labels of a client that depart from those of the others do not judge a rollout. Pure.

The test is that of a training (`siklus.automation.retraining.guards`): whoever could turn the labels of a
rollout round could bring a worse model to everybody.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siklus.automation.retraining.guards import Labels, quarantine, strata_of

Mask = NDArray[np.bool_]


class Told(NamedTuple):
    """One labelled row: whose label it is (None: nobody is known), what was answered (a class as text, or a
    number) and with which probability, and what came true."""

    client: str | None = None
    answer: str | float | None = None
    probability: float | None = None
    outcome: str | float | None = None


NOBODY = Told()  # of a label that no known client has sent, which nothing needs to be known of


def believed(told: Sequence[Told], *, classify: bool) -> Mask:
    """Which rows count, shape (rows,). Where two clients disagree nobody can tell who is right."""
    known = [place for place, each in enumerate(told) if each.client is not None]
    kept = np.ones(len(told), dtype=bool)
    clients = sorted({told[place].client or "" for place in known})
    if len(clients) < 2:
        return kept
    labels = _labels([told[place] for place in known], clients, classify=classify)
    found = quarantine(labels)
    out = [clients.index(finding.client) for finding in found if finding.client is not None]
    blocked = any(finding.blocks for finding in found)
    kept[known] = False if blocked else ~np.isin(labels.client, out)
    return kept


def _labels(told: Sequence[Told], clients: Sequence[str], *, classify: bool) -> Labels:
    places = {name: place for place, name in enumerate(clients)}
    probability = np.array([np.nan if each.probability is None else each.probability for each in told])
    if classify:
        _, codes = np.unique([str(each.answer) for each in told], return_inverse=True)
        predicted = codes.astype(np.float64)
        loss = np.array([each.answer != each.outcome for each in told], dtype=np.float64)
    else:
        answers, outcomes = np.array([(each.answer, each.outcome) for each in told], dtype=np.float64).T
        loss = np.abs(answers - outcomes)
        loss, predicted = np.where(np.isnan(loss), np.inf, loss), np.nan_to_num(answers)
    return Labels(
        clients=clients,
        client=np.array([places[each.client or ""] for each in told], dtype=np.int64),
        loss=loss,
        stratum=strata_of(predicted, probability, classify=classify),
        classify=classify,
    )
