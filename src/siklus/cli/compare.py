"""`siklus compare`"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from siklus.bundle.read import Bundle
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.registered import opened_version
from siklus.contract.compare import Comparison as ContractComparison
from siklus.contract.compare import compare as compare_contracts
from siklus.contract.decode import decode_table, decode_target
from siklus.data.snapshot import open_snapshot
from siklus.data.split import split
from siklus.errors import DataError
from siklus.project.file import OpenProject
from siklus.registry.versions import Version
from siklus.stats.intervals import Estimate
from siklus.stats.paired import Difference
from siklus.train.champion import Comparison, Judges, SplitNote, against_champion
from siklus.train.metric import metric_of

app = command_app()


@dataclass(frozen=True, kw_only=True)
class Side:
    """A registered version with its opened bundle."""

    version: Version
    bundle: Bundle

    @property
    def metrics(self) -> dict[str, Estimate]:
        """As its own training measured them, each version on its own test rows."""
        evaluation: Mapping[str, Any] = self.bundle.document("evaluation.json").get("evaluation") or {}
        return msgspec.convert(evaluation.get("metrics", {}), type=dict[str, Estimate])


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A version: a number, a stage or `latest`.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Two versions beside each other: their metrics, their contracts, and both on the very same rows.

    The rows are those that judged the newer one; where it can be known, only those of them that the older
    one was not fitted on either.
    """
    project_file = opened(project)
    sides = [side_of(project_file, which) for which in (a, b)]
    older, newer = sorted(sides, key=lambda side: side.version.number)
    contracts = compare_contracts(older.bundle.contract, newer.bundle.contract)
    on_rows = on_the_same_rows(project_file, older, newer)
    said = verdict(on_rows, older=older.version.number, newer=newer.version.number)
    if as_json:
        print_json(
            {
                "versions": [side.version.number for side in sides],
                "metrics": {str(side.version.number): side.metrics for side in sides},
                "contract": contracts,
                "difference": on_rows.difference,
                "of": newer.version.number,
                "minus": older.version.number,
                "verdict": said,
            }
        )
    else:
        _show(sides, contracts, said)
    return 0


def side_of(project: OpenProject, which: str) -> Side:
    version, bundle = opened_version(project, which)
    return Side(version=version, bundle=bundle)


def on_the_same_rows(project: OpenProject, older: Side, newer: Side) -> Comparison:
    """The newer version's loss minus the older one's, on the rows that judged the newer one."""
    bundle, snapshots = newer.bundle, project.paths.snapshots
    digest = newer.version.data_digest
    if digest is None:
        return Comparison(difference=None, about=f"version {newer.version.number} names no snapshot")
    try:
        rows = open_snapshot(digest, snapshots)
    except DataError as exc:
        return Comparison(difference=None, about=exc.message)
    settings = project.settings
    noted = bundle.document("evaluation.json").get("split")
    note = SplitNote.of(settings.data) if noted is None else msgspec.convert(noted, type=SplitNote)
    target = decode_target(rows, bundle.contract)
    classes = bundle.contract.target.classes
    parts = split(
        rows,
        settings=note.settings,
        time=note.time,
        key=note.key,
        classes=None if classes is None else target,
    )
    test = rows.take(parts.test)
    answers = bundle.predict(decode_table(test, bundle.contract).accepted()).raw
    judges = Judges(
        table=test,
        target=target[parts.test],
        answers=np.asarray(answers, dtype=np.float64),
        classes=classes,
    )
    metric = metric_of(settings)
    return against_champion(judges, older.bundle, metric=metric, key=note.key, snapshots=snapshots)


def verdict(found: Comparison, *, older: int, newer: int) -> str:
    """The comparison in a sentence."""
    difference = found.difference
    if difference is None:
        return f"The two cannot be compared on the same rows: {found.about}."
    lower, higher = (newer, older) if difference.mean <= 0 else (older, newer)
    numbers = (
        f"mean loss ({difference.loss}) {abs(difference.mean):.4g} below that of version {higher}"
        f"{_interval(difference)}, on the same {difference.rows:,} rows; {found.about}."
    )
    if difference.p < 1 - difference.level:
        return f"Version {lower} is better: {numbers}"
    return f"Neither is significantly better. Version {lower} has a {numbers}"


def _interval(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return ""
    low, high = difference.low, difference.high
    low, high = (low, high) if difference.mean > 0 else (-high, -low)
    return f" ({100 * difference.level:g} % interval {low:.4g} to {high:.4g}, p = {difference.p:.3g})"


def _show(sides: list[Side], contracts: ContractComparison, said: str) -> None:
    console = results()
    a, b = sides
    headings = ["metric", *(_heading(side) for side in sides)]
    rows = [
        (name, _shown(a.metrics.get(name)), _shown(b.metrics.get(name)))
        for name in dict.fromkeys([*a.metrics, *b.metrics])
    ]
    console.print(table("\nEach on its own test rows (95 % interval)", headings, rows))
    console.print(f"\nThe contract, from the older to the newer: {contracts.verdict}.", markup=False)
    if contracts.changes:
        changes = [(change.verdict, change.column or "", change.message) for change in contracts.changes]
        console.print(table("", ["verdict", "column", "what changed"], changes))
    console.print(f"\n{said}", markup=False)


def _heading(side: Side) -> str:
    stage = f" ({side.version.stage})" if side.version.stage else ""
    return f"version {side.version.number}{stage}"


def _shown(found: Estimate | None) -> str:
    if found is None or found.value is None:
        return "" if found is None else "undefined"
    interval = "" if found.low is None else f" ({found.low:.4g} to {found.high:.4g})"
    return f"{found.value:.4g}{interval}"
