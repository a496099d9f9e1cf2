"""What a shadow makes of a large batch, and of rows that its own contract refuses."""

from pathlib import Path

import numpy as np

from siklus.contract.columns import Contract, Number, Target
from siklus.records.layout import Layout
from siklus.records.read import newest
from siklus.registry.policy import PolicyArm
from tests.serve.bundles import classifier
from tests.serve.published import eventually, placed, publish, serving_state

PIECE = 16  # rows that are scored together
WEIGHTS = np.array([[1, 0], [0, 1]], dtype=np.float32)


def contract(*, nullable: bool) -> Contract:
    return Contract(
        columns=(Number(name="a", nullable=nullable), Number(name="b")),
        target=Target(name="late", classes=(False, True)),
        ignored=("note",),
    )


def test_of_a_large_batch_all_is_recorded_but_the_piece_with_a_refused_row(tmp_path: Path) -> None:
    """Its pieces together would be many times what may wait for the log, if each counted as the whole."""
    state = tmp_path / "state"
    answering, watching = (
        placed(
            state,
            number,
            classifier(
                tmp_path / str(number), contract=contract(nullable=number == 1), weights=WEIGHTS, name="late"
            ),
        )
        for number in (1, 3)
    )
    watcher = PolicyArm(name="shadow-3", version=3, share=0.0, digest=watching.digest)
    publish(state, 1, answering, shadows=(watcher,))
    rows = [{"a": float(i), "b": 1.0, "note": "n" * 8000} for i in range(32 * PIECE)]
    rows[20] |= {"a": None}
    with serving_state(state) as server:
        ids = server.batch(rows)["prediction_ids"]
        counted = 'ml_predictions_total{endpoint="shadow",status="%s",version="3"}'
        eventually(lambda: server.series()[counted % "success"] == 31 * PIECE, what="not all was scored")
        assert server.series()[counted % "error"] == 1
    watched = [record for record in newest(Layout(state / "records"), 10_000) if record.shadow]
    assert sorted(record.prediction_id for record in watched) == sorted(ids[:PIECE] + ids[2 * PIECE :])
