"""A fault of training data: a retraining learns outcomes that mean nothing, and its judge must refuse it."""

import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from siklus.data.snapshot import keep, open_snapshot
from siklus.drill.expectations import Expectation
from siklus.drill.faults import MAIL_SECONDS, Attempt, Fault, Injection, NotPossible, Scene, nothing_fails
from siklus.drill.sandbox_settings import ROWS_FILE, toml_text
from siklus.drill.traffic import Pace
from siklus.errors import DataError
from siklus.files import write_atomic
from siklus.project.file import FILE_NAME
from siklus.registry.asks import Ask, asks_folder, leave_ask
from siklus.table import Cells, Table, objects

ROWS = 12_000  # of nonsense, so that the few true ones among the logged rows teach nothing
REFUSED_SECONDS = 240.0
LABELLED = Pace(rows=3, pause=0.02)


@contextmanager
def bad_challenger(scene: Scene) -> Iterator[Injection]:
    """Its source's outcomes are dealt out at random, and somebody asks for a retraining."""
    scene.refuse_sensitive()
    project = scene.sandbox.project
    file, rows = project.paths.root / FILE_NAME, project.paths.root / ROWS_FILE
    before = file.read_text(encoding="utf-8")
    poisoned = _poisoned(scene)
    nonsense = keep(poisoned, directory=project.paths.root / "nonsense").path
    scene.traffic.ask_about(scene.calm, LABELLED)

    def strike() -> Sequence[Attempt]:
        shutil.copy2(nonsense, rows)
        raw: dict[str, Any] = tomllib.loads(before)
        raw["retrain"]["source"] = True
        write_atomic(file, toml_text(raw))
        _ask(asks_folder(project.paths))
        return ()

    def mend() -> Sequence[Attempt]:
        write_atomic(file, before)
        return ()

    yield Injection(
        told=f"a retraining on {len(poisoned):,} rows whose outcomes are dealt out at random",
        expects=(
            Expectation(
                told="its challenger is refused",
                what="retraining",
                became=("refused",),
                within=REFUSED_SECONDS,
            ),
            Expectation(
                told="journal: challenger", what="journal", about="challenger", within=REFUSED_SECONDS
            ),
            Expectation(
                told="mail about the refusal",
                what="mail",
                words=("refused",),
                within=REFUSED_SECONDS + MAIL_SECONDS,
            ),
            Expectation(told="no rollout", what="rollout", within=0, never=True),
            nothing_fails(),
        ),
        strike=strike,
        mend=mend,
    )


def _poisoned(scene: Scene) -> Table:
    digest = scene.sandbox.champion.provenance().data_digest
    if digest is None:
        raise NotPossible("the champion was packaged, and its training rows are not known")
    try:
        table = open_snapshot(digest, scene.sandbox.project.paths.snapshots)
    except DataError as exc:
        raise NotPossible("the champion's training rows are not here") from exc
    target, key = scene.sandbox.champion.contract.target.name, scene.settings.data.key
    made = table.take(np.resize(np.arange(len(table)), ROWS))
    if key is not None:
        made = made.with_column(key, _names(made[key]))
    return made.with_column(target, made[target][np.random.default_rng(0).permutation(len(made))])


def _names(keys: Cells) -> Cells:
    """As many keys of the same type, each of them once."""
    if keys.dtype.kind in "iuf":
        return np.arange(len(keys)).astype(keys.dtype)
    if keys.dtype.kind != "O":
        raise NotPossible("its row key is neither text nor a number")
    return objects(f"drill-{i}" for i in range(len(keys)))


def _ask(folder: Path) -> None:
    """As a webhook does."""
    ask = Ask(
        id=f"drill-{uuid4().hex}", time=datetime.now(UTC), by="siklus drill", via="webhook", reason="a drill"
    )
    leave_ask(folder, ask)


FAULTS = (
    Fault(
        name="bad-challenger",
        about="a retraining learns outcomes that mean nothing",
        place="rollouts",
        prepare=bad_challenger,
    ),
)
