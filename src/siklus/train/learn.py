"""The steps that learn: ingest, check, split, prepare, search."""

import shutil
from pathlib import Path

import joblib
import numpy as np

from siklus.contract.check import check
from siklus.contract.decode import decode_table, decode_target
from siklus.data.snapshot import keep
from siklus.data.sources import Source
from siklus.data.split import split
from siklus.errors import RowsRefused, TrainError
from siklus.table import is_missing
from siklus.train.choose import best_of_each, choose
from siklus.train.folds import held_out
from siklus.train.memory import Memory
from siklus.train.results import (
    MATRIX_FILE,
    MODEL_FILE,
    PARTS_FILE,
    TARGET_FILE,
    Ingested,
    LeaderboardRow,
    Results,
    Searched,
    leave,
    save_array,
)
from siklus.train.search import Held, Trial, search
from siklus.train.setting import Setting
from siklus.train.trials import Bench, fit
from siklus.train.workers import Workers

MEMORY = "trials-"  # begins the name of what a search remembers, below the steps


def ingest(setting: Setting, source: Source, draft: Path) -> str:
    """Read the source, leave out rows without a target, and keep the rest by digest."""
    reading = source.read()
    target = setting.contract.target.name
    gone = is_missing(reading.table[target])
    table = reading.table.take(~gone) if gone.any() else reading.table
    if not len(table):
        raise TrainError(
            "TN006", f"no row has a target: {target!r} is missing in all", expected="labelled rows"
        )
    kept = keep(table, directory=setting.opened.paths.snapshots)
    found = Ingested(
        digest=kept.digest,
        rows=len(table),
        without_target=int(gone.sum()),
        source_rows=reading.sampled_from or len(reading.table),
        source=source.describe(),
    )
    leave(draft, found)
    sampled = f", a sample of {found.source_rows:,}" if reading.sampled_from else ""
    without = f", {found.without_target:,} without a target left out" if found.without_target else ""
    return f"{found.rows:,} rows × {len(table.names)} columns{sampled}{without}; snapshot {kept.digest[:12]}"


def check_contract(setting: Setting, results: Results, _: Path) -> str:
    """Every row keeps the contract, or nothing goes on."""
    report = check(results.table, setting.contract)
    if not report.passed:
        raise RowsRefused(report.problems, total=report.problem_count)
    warnings = (
        f", {len(report.warnings)} warnings (`siklus contract check` shows them)" if report.warnings else ""
    )
    return f"{report.rows:,} rows keep the contract{warnings}"


def split_rows(setting: Setting, results: Results, draft: Path) -> str:
    data = setting.opened.settings.data
    classes = results.table[setting.contract.target.name] if setting.classify else None
    parts = split(results.table, settings=data.split, time=data.time, key=data.key, classes=classes)
    np.savez(draft / PARTS_FILE, by=parts.by, train=parts.train, valid=parts.valid, test=parts.test)
    return f"by {parts.by}: train {len(parts.train):,}, valid {len(parts.valid):,}, test {len(parts.test):,}"


def prepare(setting: Setting, results: Results, draft: Path) -> str:
    """Decode all rows once, into files that every search process maps."""
    rows = decode_table(results.table, setting.contract).accepted()
    target = decode_target(results.table, setting.contract)
    save_array(draft / MATRIX_FILE, rows.matrix)
    save_array(draft / TARGET_FILE, target)
    missing = float(np.isnan(rows.matrix).mean())
    return f"{rows.matrix.shape[1]} float32 columns, {missing:.1%} of the cells missing"


def search_models(setting: Setting, results: Results, draft: Path) -> str:
    """Search, choose, and fit the chosen candidate on train and valid together."""
    settings = setting.opened.settings.train
    parts, target = results.parts, results.target
    held = held_out(
        parts.train,
        parts.valid,
        target,
        exchangeable=parts.by in ("random", "stratified"),
        classify=setting.classify,
    )
    trials = _searched(setting, results, held)
    board = best_of_each(trials, metric=setting.metric)
    complexity = {candidate.name: candidate.complexity for candidate in setting.candidates}
    choice = choose(
        board, held.targets, metric=setting.metric, complexity=complexity, level=settings.simplicity
    )
    rows = np.concatenate([parts.train, parts.valid])
    chosen = choice.trial
    root = setting.opened.paths.root
    model = fit(
        setting.question, chosen.candidate, chosen.parameters, results.matrix[rows], target[rows], root
    )
    joblib.dump(model, draft / MODEL_FILE)
    leave(
        draft,
        Searched(
            metric=setting.metric,
            candidate=chosen.candidate,
            parameters=dict(chosen.parameters),
            why=choice.why,
            best_of_each=[_row(trial) for trial in board],
            trials=[_row(trial) for trial in trials],
        ),
    )
    # Outcomes only serve to resume a search that was interrupted, this one or another.
    for memory in setting.opened.paths.steps.glob(f"{MEMORY}*"):
        shutil.rmtree(memory, ignore_errors=True)
    return f"{len(trials)} trials; {choice.why}"


def _searched(setting: Setting, results: Results, held: Held) -> list[Trial]:
    paths, settings = setting.opened.paths, setting.opened.settings.train
    prepared = results.directories["prepare"]
    bench = Bench(matrix=prepared / MATRIX_FILE, target=prepared / TARGET_FILE, root=paths.root)
    memory = Memory(folder=paths.steps / f"{MEMORY}{prepared.name.rpartition('-')[2]}", root=paths.root)
    with Workers(bench, jobs=settings.jobs, memory=memory) as workers:
        return search(
            setting.question,
            held,
            setting.candidates,
            settings=settings,
            workers=workers,
            listen=setting.listen,
        )


def _row(trial: Trial) -> LeaderboardRow:
    return LeaderboardRow(
        number=trial.number,
        candidate=trial.candidate,
        parameters=dict(trial.parameters),
        score=trial.score,
        seconds=round(trial.seconds, 3),
        why=trial.why,
    )
