"""A graph that is broken on purpose fails or is slow where it should, and is right otherwise."""

from pathlib import Path

import numpy as np
import pytest

from siklus.bundle.golden import loaded_session
from siklus.bundle.manifest import ONNX_FILE
from siklus.bundle.read import Bundle, open_bundle
from siklus.bundle.session import ROWS_INPUT, OnnxSession
from siklus.drill.broken_graphs import NoSurgery, direction, failing_graph, rounds_for, slow_graph
from siklus.errors import BundleError
from siklus.table import FloatRows
from tests.serve.bundles import classifier, regressor

CHANCE = np.random.default_rng(3)


@pytest.fixture(params=[regressor, classifier])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    return open_bundle(request.param(tmp_path / "bundle"))


def rows_for(bundle: Bundle, count: int = 2_000) -> FloatRows:
    rows = CHANCE.normal(size=(count, bundle.contract.width)).astype(np.float32)
    rows[::50, 0] = np.nan
    return rows


def session_of(bundle: Bundle, model: bytes) -> OnnxSession:
    session = loaded_session(model, manifest=bundle.manifest, contract=bundle.contract)
    assert isinstance(session, OnnxSession)
    return session


def model_of(bundle: Bundle) -> bytes:
    return (bundle.path / ONNX_FILE).read_bytes()


def same(one: FloatRows, other: FloatRows) -> bool:
    return np.array_equal(one, other, equal_nan=True)


def test_a_failing_graph_fails_on_its_share_of_the_rows_and_answers_all_others_alike(bundle: Bundle) -> None:
    rows, never = rows_for(bundle), rows_for(bundle, 16)
    hit = direction(rows, share=0.05, never=never)
    broken = session_of(bundle, failing_graph(model_of(bundle), task=bundle.contract.task, hit=hit))
    whole = session_of(bundle, model_of(bundle))
    share = hit.hits(rows).mean()
    assert 0.04 <= share <= 0.06
    for row, hits in zip(rows[:300, None], hit.hits(rows[:300]), strict=True):
        if hits:
            with pytest.raises(BundleError, match="BN012"):
                broken.raw({ROWS_INPUT: row})
        else:
            assert same(broken.raw({ROWS_INPUT: row}), whole.raw({ROWS_INPUT: row}))
    zeros = np.zeros((64, rows.shape[1]), dtype=np.float32)
    for fine in (never, zeros):
        assert same(broken.raw({ROWS_INPUT: fine}), whole.raw({ROWS_INPUT: fine}))


def test_a_slow_graph_takes_longer_the_more_rounds_and_answers_alike(bundle: Bundle) -> None:
    rows = rows_for(bundle, 8)
    slow = session_of(bundle, slow_graph(model_of(bundle), task=bundle.contract.task, rounds=500))
    assert same(slow.raw({ROWS_INPUT: rows}), session_of(bundle, model_of(bundle)).raw({ROWS_INPUT: rows}))


def test_rows_that_are_all_alike_cannot_be_told_apart() -> None:
    with pytest.raises(NoSurgery, match="told from the others"):
        direction(np.ones((100, 3), dtype=np.float32), share=0.05, never=np.ones((1, 3), dtype=np.float32))


def test_the_rounds_follow_from_what_each_of_them_takes() -> None:
    assert rounds_for(lambda rounds: 0.001 + rounds * 2e-6, seconds=0.5) == pytest.approx(250_000, rel=1e-3)
