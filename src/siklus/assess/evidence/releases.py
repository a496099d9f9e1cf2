"""What registered versions say of how they were made: their provenance, search, evaluation, gates."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from siklus.assess.facts import FULL, HALF, Sighting, Trace
from siklus.bundle.papers import Provenance
from siklus.bundle.read import read_provenance
from siklus.contract.columns import Contract, parse_contract
from siklus.errors import SiklusError
from siklus.registry.versions import Version

MOST_BYTES = 64_000_000
LEAST_TRIALS = 5  # of the chosen kind of model, with different parameters: fewer search nothing
SIMPLEST = "dummy"  # answers the same to all rows; to beat it a model must have learnt something
LINEAR = "linear"
LEAVE_OUT = '$EDITOR contract.json   # move idle columns from "columns" to "ignored"'
BY_SLICE = " by "  # in the names of gates that hold in each slice


class _Trial(Struct, frozen=True):
    candidate: str
    parameters: dict[str, Any]
    seconds: float = 0.0


class _Search(Struct, frozen=True):
    candidate: str
    best_of_each: tuple[_Trial, ...] = ()
    trials: tuple[_Trial, ...] = ()


class _Weight(Struct, frozen=True):
    mean: float
    std: float


class _Evaluated(Struct, frozen=True):
    rows: int = 0
    slices: dict[str, Any] = {}
    importance: dict[str, _Weight] | None = None


class _Parity(Struct, frozen=True):
    rows: int
    max_difference: float
    holds: bool


class _Exported(Struct, frozen=True):
    parity: _Parity | None = None


class _Gate(Struct, frozen=True):
    name: str
    bound: str


class _Gated(Struct, frozen=True):
    passed: bool = False
    gates: tuple[_Gate, ...] = ()


class _Paper(Struct, frozen=True):
    """What of evaluation.json is asked for; a packaged model has less of it."""

    evaluation: _Evaluated | None = None
    search: _Search | None = None
    export: _Exported | None = None
    gates: _Gated | None = None


class Release(Struct, frozen=True, kw_only=True):
    """A registered version beside what its bundle says; None for what is not here or cannot be read."""

    version: Version
    provenance: Provenance | None = None
    contract: Contract | None = None
    paper: _Paper | None = None

    @property
    def name(self) -> str:
        return f"version {self.version.number}"

    @property
    def trained(self) -> datetime:
        return self.version.created if self.provenance is None else self.provenance.trained_at


def releases_of(versions: Iterable[Version], bundles: Path) -> list[Release]:
    """The newest first. Bundles are only read: whether they are intact, whoever serves them asks."""
    return [_release(version, bundles) for version in versions]


def made(releases: Sequence[Release], *, snapshots: Path) -> Iterator[Sighting]:
    """The signs of trainings. ``snapshots``: where rows are kept by their digests."""
    for release in releases:
        if release.provenance is not None and release.paper is not None:
            yield from _training(release, release.provenance, release.paper)
        if release.version.stage == "production":
            yield _seen("staged", release, "is in production")
    yield from _kept(releases[:1], snapshots)
    yield from _reproduced(releases)
    if len(releases) > 1:
        former = releases[1]
        yield Sighting("former-kept", Trace(kind="configured", said="can be brought back", where=former.name))
    times = [f"{seconds:.2g}" for release in releases if (seconds := _search_seconds(release)) is not None]
    if len(times) > 1:
        said = f"searches took {', '.join(times[4::-1])} s; nothing alarms when that grows"
        yield _seen("trainings-timed", releases[0], said, most=HALF)


def _release(version: Version, bundles: Path) -> Release:
    folder = bundles / (version.digest or "-")
    try:
        provenance = read_provenance(folder)
        contract = parse_contract((folder / "contract.json").read_bytes(), where=str(folder))
        with (folder / "evaluation.json").open("rb") as file:
            paper = msgspec.json.decode(file.read(MOST_BYTES), type=_Paper)
    except (OSError, SiklusError, msgspec.MsgspecError):
        return Release(version=version)
    return Release(version=version, provenance=provenance, contract=contract, paper=paper)


def _training(release: Release, provenance: Provenance, paper: _Paper) -> Iterator[Sighting]:
    search, gated = paper.search, paper.gates
    if search is not None:
        yield _seen(
            "trained", release, f"trained on {provenance.data_rows:,} rows, by {provenance.triggered_by}"
        )
        yield _seen("contract-held", release, f"all {provenance.data_rows:,} rows keep the contract")
        yield from _searched(release, search)
    if provenance.data_digest and provenance.seed is not None and release.version.run_id:
        run = release.version.run_id[:8]
        said = f"run {run}, rows {provenance.data_digest[:8]}, seed {provenance.seed}, "
        yield _seen("traced", release, f"{said}{len(provenance.environment)} packages")
    if provenance.git_commit and provenance.git_dirty is False:
        yield _seen("committed", release, f"of commit {provenance.git_commit[:10]}, with nothing changed")
    if gated is not None and gated.passed:
        bounds = [gate for gate in gated.gates if gate.name != "parity"]
        if bounds:
            yield _seen("gates-held", release, "; ".join(f"{gate.name} {gate.bound}" for gate in bounds[:3]))
        slices = [gate for gate in bounds if BY_SLICE in gate.name]
        if slices:
            yield _seen("slices-held", release, "; ".join(f"{gate.name} {gate.bound}" for gate in slices))
    parity = paper.export.parity if paper.export else None
    if parity is not None and parity.holds:
        said = f"{parity.rows:,} rows at most {parity.max_difference:.1g} off the trained model"
        yield _seen("parity-held", release, said)
    yield from _weighed(release, paper.evaluation)


def _searched(release: Release, search: _Search) -> Iterator[Sighting]:
    tried = [trial for trial in search.trials if trial.candidate == search.candidate]
    different = len({repr(sorted(trial.parameters.items())) for trial in tried})
    if different >= LEAST_TRIALS:
        yield _seen("tuned", release, f"{different} settings of {search.candidate} tried")
    others = [trial.candidate for trial in search.best_of_each if trial.candidate != search.candidate]
    simpler = LINEAR if LINEAR in others else SIMPLEST if search.candidate == LINEAR else ""
    if simpler in others:
        yield _seen("simpler-tried", release, f"{search.candidate} was chosen, {simpler} tried beside it")


def _weighed(release: Release, evaluated: _Evaluated | None) -> Iterator[Sighting]:
    weights = evaluated.importance if evaluated else None
    if not weights or release.contract is None:
        return
    unmeasured = [column.name for column in release.contract.columns if column.name not in weights]
    idle = [name for name, weight in weights.items() if weight.mean - weight.std <= 0]
    if unmeasured or idle:
        names = ", ".join((idle or unmeasured)[:5])
        what = "give the model nothing that can be measured" if idle else "were not measured"
        yield _seen("columns-weighed", release, f"{names} {what}", most=HALF, mend=LEAVE_OUT)
    else:
        yield _seen("columns-weighed", release, f"each of {len(weights)} columns makes the model better")


def _kept(newest: Sequence[Release], snapshots: Path) -> Iterator[Sighting]:
    for release in newest:
        digest = release.version.data_digest
        if digest and (snapshots / f"{digest}.parquet").is_file():
            said = f"its rows are kept (siklus data checkout {release.version.number})"
            yield Sighting("rows-kept", Trace(kind="configured", said=said, where=release.name))


def _reproduced(releases: Sequence[Release]) -> Iterator[Sighting]:
    """Two trainings of the same rows, seed and contract that came to the same metrics.

    Fits that took the very same times are one fit, whose step was reused: that would prove nothing.
    """
    for new, old in combinations(releases, 2):
        if new.provenance is None or old.provenance is None or new.contract != old.contract:
            continue
        same = (
            new.provenance.data_digest is not None
            and new.provenance.data_digest == old.provenance.data_digest
            and new.provenance.seed == old.provenance.seed
            and new.provenance.parameters == old.provenance.parameters
            and new.version.metrics == old.version.metrics != {}
        )
        if same and _times(new) != _times(old):
            yield _seen(
                "reproduced", new, f"the same rows gave {old.name}'s metrics again, to the last digit"
            )


def _times(release: Release) -> tuple[float, ...]:
    search = release.paper.search if release.paper else None
    return tuple(trial.seconds for trial in search.trials) if search else ()


def _search_seconds(release: Release) -> float | None:
    return sum(_times(release)) if _times(release) else None


def _seen(sign: str, release: Release, said: str, *, most: float = FULL, mend: str = "") -> Sighting:
    when, where = release.trained, release.name
    return Sighting(sign, Trace(kind="exercised", said=said, where=where, when=when, most=most, mend=mend))
