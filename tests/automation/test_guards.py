"""Guards: whoever sends labels that are not like the others' has no say; whoever is merely different has."""

import numpy as np
import pytest

from siklus.automation.retraining.guards import FEWEST_LABELS, Labels, guard, strata_of
from siklus.automation.retraining.retrained import Finding

ROWS = 2_000


def answers(rng: np.random.Generator, count: int, *, flipped: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the answered class, right as often as they say, and whether the label contradicts."""
    probability = 0.5 + 0.5 * rng.beta(5, 2, size=count)
    wrong = (rng.random(count) > probability) ^ (rng.random(count) < flipped)
    return probability, wrong.astype(np.float64)


def labels_of(counts: dict[str, int], *, seed: int, flipped: dict[str, float]) -> Labels:
    """Of two classes, the rows of all clients mixed."""
    rng = np.random.default_rng(seed)
    parts = [answers(rng, count, flipped=flipped.get(name, 0.0)) for name, count in counts.items()]
    probability, loss = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    client = np.repeat(np.arange(len(counts)), list(counts.values()))
    order = rng.permutation(len(client))
    stratum = strata_of(np.zeros(len(client)), probability[order], classify=True)
    return Labels(
        clients=list(counts), client=client[order], loss=loss[order], stratum=stratum, classify=True
    )


def guarded(
    counts: dict[str, int], *, seed: int = 0, **flipped: float
) -> tuple[dict[str, int], tuple[Finding, ...]]:
    """How many labels of each client are kept, and the findings."""
    labels = labels_of(counts, seed=seed, flipped=flipped)
    kept, findings = guard(labels, client_share=0.5)
    left = np.bincount(labels.client[kept], minlength=len(counts)).tolist()
    return dict(zip(counts, left, strict=True)), findings


def test_clients_who_agree_keep_all_of_their_labels() -> None:
    found = [guarded(dict.fromkeys("abcde", 400), seed=seed) for seed in range(60)]
    assert all(findings == () and set(left.values()) == {400} for left, findings in found)


def test_of_a_client_who_flips_a_fifth_of_its_labels_nothing_is_kept() -> None:
    runs = 40
    found = [guarded(dict.fromkeys("abc", 2 * ROWS), seed=seed, b=0.2) for seed in range(runs)]
    caught = sum(left == {"a": 2 * ROWS, "b": 0, "c": 2 * ROWS} for left, _ in found)
    assert caught >= 0.95 * runs
    _, (finding,) = found[0]
    assert (finding.guard, finding.client, finding.left_out) == ("client-errors", "b", 2 * ROWS)
    # The error of calibrated answers is 1 less their mean probability, 1/7; a flip turns 5/7 of them over.
    assert finding.value == pytest.approx(0.5 + 0.2 * (5 / 7) / 2, abs=0.02)


def test_a_flood_of_false_labels_does_not_outvote_those_who_send_few() -> None:
    left, findings = guarded({"few": 300, "some": 500, "flood": 20_000}, flood=1.0)
    assert left == {"few": 300, "some": 500, "flood": 0}
    assert [finding.client for finding in findings] == ["flood"]


def test_a_flood_of_true_labels_is_cut_to_its_share_over_all_times() -> None:
    counts = {"few": 300, "some": 500, "flood": 20_000}
    left, (finding,) = guarded(counts)
    assert left == {"few": 300, "some": 500, "flood": 800}
    assert (finding.guard, finding.client, finding.left_out) == ("client-share", "flood", 19_200)
    kept, _ = guard(labels_of(counts, seed=0, flipped={}), client_share=0.5)
    assert abs(np.flatnonzero(kept).mean() / len(kept) - 0.5) < 0.05


def test_two_false_clients_of_five_are_both_found() -> None:
    left, _ = guarded(dict.fromkeys("abcde", 1_000), b=1.0, d=1.0)
    assert left == {"a": 1_000, "b": 0, "c": 1_000, "d": 0, "e": 1_000}


def test_labels_that_merely_repeat_the_answers_depart_too() -> None:
    labels = labels_of(dict.fromkeys("abc", ROWS), seed=1, flipped={})
    loss = np.where(labels.client == 1, 0.0, labels.loss)
    _, (finding,) = guard(
        Labels(clients="abc", client=labels.client, loss=loss, stratum=labels.stratum, classify=True),
        client_share=1.0,
    )
    assert finding.client == "b"
    assert finding.value < finding.bound < 0.5


def test_a_client_with_harder_rows_is_no_suspect() -> None:
    """Its answers are wrong three times as often, which their probabilities said beforehand."""
    rng = np.random.default_rng(2)
    client = np.repeat([0, 1, 2], ROWS)
    probability = np.where(client == 2, rng.uniform(0.5, 0.8, 3 * ROWS), rng.uniform(0.75, 1.0, 3 * ROWS))
    loss = (rng.random(3 * ROWS) > probability).astype(np.float64)
    stratum = strata_of(np.zeros(3 * ROWS), probability, classify=True)
    labels = Labels(clients="abc", client=client, loss=loss, stratum=stratum, classify=True)
    assert loss[client == 2].mean() > 2.5 * loss[client != 2].mean()
    assert guard(labels, client_share=1.0)[1] == ()


def test_numbers_are_compared_by_rank_whatever_their_tails() -> None:
    rng = np.random.default_rng(3)
    client = np.repeat([0, 1, 2, 3], ROWS)
    loss = np.abs(rng.standard_t(2, size=4 * ROWS)) * np.where(client == 3, 8.0, 1.0)
    predicted = rng.normal(size=4 * ROWS)
    stratum = strata_of(predicted, np.full(4 * ROWS, np.nan), classify=False)
    labels = Labels(clients="abcd", client=client, loss=loss, stratum=stratum, classify=False)
    kept, (finding,) = guard(labels, client_share=1.0)
    assert finding.client == "d"
    assert kept.tolist() == (client != 3).tolist()


def test_of_two_who_disagree_nobody_is_taken_for_the_liar() -> None:
    left, (finding,) = guarded({"a": ROWS, "b": ROWS}, b=1.0)
    assert left == {"a": ROWS, "b": ROWS}
    assert finding.blocks
    assert guarded({"a": ROWS, "b": ROWS})[1] == ()


def test_clients_with_few_labels_and_unknown_ones_are_not_judged() -> None:
    left, findings = guarded({"a": ROWS, "b": ROWS, "c": FEWEST_LABELS - 1}, c=1.0)
    assert findings == ()
    assert left["c"] == FEWEST_LABELS - 1
    labels = labels_of({"a": ROWS}, seed=0, flipped={})
    nobody = Labels(
        clients=(), client=labels.client - 1, loss=labels.loss, stratum=labels.stratum, classify=True
    )
    assert guard(nobody, client_share=0.1)[1] == ()


def test_nothing_at_all_is_guarded_too() -> None:
    empty = np.empty(0)
    stratum = strata_of(empty, empty, classify=False)
    labels = Labels(clients=(), client=stratum, loss=empty, stratum=stratum, classify=False)
    kept, findings = guard(labels, client_share=0.5)
    assert (len(kept), findings) == (0, ())
