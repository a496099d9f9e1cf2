"""`siklus verify-skew`"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from siklus.bundle.read import Bundle, open_bundle
from siklus.cli.control import author, project_control
from siklus.cli.options import HERE, ProjectOption, opened, seconds_given
from siklus.cli.output import JsonFlag, command_app, print_json, results, table
from siklus.cli.registered import registry_of, resolved, tracking_of
from siklus.errors import ExportError, MonitorError, RegistryError
from siklus.monitor.skew.answers import Model
from siklus.monitor.skew.evidence import Difference
from siklus.monitor.skew.proof import Served, VersionSkew, verify_skew
from siklus.monitor.skew.training_door import Door, Form, door_of
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.records.query import query
from siklus.records.read import newest, records_between
from siklus.records.reading import PredictionRecord
from siklus.registry.journal import Journal
from siklus.registry.proofs import SKEW as NO_SKEW
from siklus.registry.proofs import Proof, entry_of
from siklus.registry.versions import Registry, Version
from siklus.stats.agreement import Floats, Parity
from siklus.table import FloatRows
from siklus.train.candidates import Question
from siklus.train.estimator_files import kept_estimator
from siklus.train.metric import metric_of
from siklus.train.own import import_own_from
from siklus.train.trials import predict

app = command_app()

SKEW = 1
WINDOW = "24h"
NOT_KEPT = "EX018"
_VERSIONS = """
SELECT version, count(*) FROM (FROM predictions UNION ALL FROM shadows)
WHERE time >= TIMESTAMP '{since}' AND time < TIMESTAMP '{until}' GROUP BY version
"""


@dataclass(frozen=True)
class Asked:
    """The records that are asked about, how a person calls them, and how many each version has."""

    called: str
    records: Iterable[PredictionRecord]
    rows: Mapping[str, int]

    def of(self, version: str) -> "Asked":
        rows = {version: self.rows[version]} if version in self.rows else {}
        return Asked(f"{self.called} by version {version}", self.records, rows)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What --json prints. ``form``: of the training file. ``not_compared``: rows of unknown versions."""

    found: bool
    asked: str
    form: Form
    versions: tuple[VersionSkew, ...]
    not_compared: dict[str, int]


@app.command()
def verify(
    window: Annotated[
        str | None,
        typer.Option(help="How far back: 90s, 10m, 7d …; 24h by default.", show_default=False),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(min=1, help="The newest rows instead, so many.", show_default=False),
    ] = None,
    which: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="A number, a stage or `latest`; all that answered by default.",
            show_default=False,
        ),
    ] = None,
    through: Annotated[
        Form | None,
        typer.Option(help="The training file's format; by default that of [data].", show_default=False),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Prove that training and serving see the same numbers: logged requests go through both, bit for bit.

    Each row is decoded as the server did, and as `siklus train` would if it came in a file; the model must
    give training's rows the answers that were logged. Exit code 1 when anything differs.
    """
    project_file = opened(project)
    layout = Layout(project_file.paths.records)
    if last is None:
        asked = rows_of(layout, window or WINDOW, now=datetime.now(UTC))
    elif window is None:
        asked = newest_rows(layout, last)
    else:
        raise typer.BadParameter("takes one of --window and --last")
    registry = registry_of(project_file)
    if which is not None:
        asked = asked.of(str(resolved(project_file, registry, which).number))
    if not asked.rows:
        raise MonitorError(
            "MO060", f"{asked.called}: no row was logged", expected="a longer --window, or --last 100"
        )
    served = served_versions(project_file, registry, asked.rows)
    door = door_of(project_file.settings.data)
    door = Door(through, door.time) if through else door
    versions = verify_skew(asked.records, served, door=door)
    report = Report(
        found=any(version.found for version in versions),
        asked=asked.called,
        form=door.form,
        versions=versions,
        not_compared={version: rows for version, rows in asked.rows.items() if version not in served},
    )
    journal(project_file, report, now=datetime.now(UTC))
    if as_json:
        print_json(report)
    else:
        show(report)
    return SKEW if report.found else 0


def journal(project: OpenProject, report: Report, *, now: datetime) -> None:
    """That it was shown, or what was found instead; RegistryError RG010 when the database fails."""
    proof = Proof(
        holds=not report.found,
        rows=sum(version.rows for version in report.versions),
        versions=tuple(version.version for version in report.versions),
    )
    with project_control(project) as control:
        entry = entry_of(NO_SKEW, proof, text=verdict(report), author=author(), now=now)
        Journal(control, project.settings.project.name).append(entry)


def newest_rows(layout: Layout, count: int) -> Asked:
    records = newest(layout, count)
    versions = [record.version for record in records]
    called = f"the last {len(records):,} answered rows"
    return Asked(called, records, {version: versions.count(version) for version in dict.fromkeys(versions)})


def rows_of(layout: Layout, window: str, *, now: datetime) -> Asked:
    """Those of the window that ends now; they are read as they are compared."""
    since = now - timedelta(seconds=seconds_given(window, option="--window"))
    plain = {"since": f"{since:%Y-%m-%d %H:%M:%S.%f}", "until": f"{now:%Y-%m-%d %H:%M:%S.%f}"}
    counted = query(layout, _VERSIONS.format(**plain)).rows
    rows = {str(version): int(str(count)) for version, count in counted}
    return Asked(f"the rows answered in the last {window}", records_between(layout, since, now), rows)


def served_versions(project: OpenProject, registry: Registry, rows: Mapping[str, int]) -> dict[str, Served]:
    """The bundles of those versions that are registered, with their trained models where they were kept.

    MonitorError MO061 when it is none of them.
    """
    served = {}
    for number in sorted(rows):
        try:
            version = registry.resolve(project.settings.project.name, number)
        except RegistryError:  # a bundle that was served from its folder has no number
            continue
        bundle = open_bundle(registry.fetch(version, project.paths.bundles), version=number)
        served[number] = Served(bundle, trained_model(project, version, bundle))
    if not served:
        raise MonitorError(
            "MO061",
            f"{sum(rows.values()):,} rows, by {', '.join(sorted(rows))}, which is not registered",
            expected="rows that a version of this project's registry has answered",
        )
    return served


def trained_model(project: OpenProject, version: Version, bundle: Bundle) -> Model | None:
    """What the bundle was made of, if it was trained and kept here."""
    import_own_from(project.paths.root)
    try:
        estimator = kept_estimator(tracking_of(project), version)
    except ExportError as exc:
        if exc.code != NOT_KEPT:
            raise
        return None
    settings = project.settings
    question = Question(contract=bundle.contract, metric=metric_of(settings), seed=settings.train.seed)
    return partial(_answers, estimator, question)


def _answers(estimator: object, question: Question, rows: FloatRows) -> Floats:
    return predict(estimator, rows, question)


def show(report: Report) -> None:
    """The answer in words, and what it rests on."""
    console = results()
    title = f"{report.asked[0].upper()}{report.asked[1:]}, as requests and as training data ({report.form})"
    headings = [
        "version",
        "rows",
        "same bits",
        "columns",
        "answers, beside the logged",
        "beside the trained model",
    ]
    rows = [_line(version) for version in report.versions]
    console.print(table(title, headings, rows))
    for version in report.versions:
        _say_hidden(console, version)
    for number, count in report.not_compared.items():
        said = f"Version {number} is not registered here: its {count:,} rows are not compared."
        console.print(f"\n{said}", markup=False)
    _show_evidence(console, report.versions)
    console.print(f"\n{verdict(report)}", markup=False)


def verdict(report: Report) -> str:
    """Yes or no in a sentence."""
    rows = sum(version.rows for version in report.versions)
    same = sum(version.identical for version in report.versions)
    if not report.found:
        answers = "" if any(version.hidden for version in report.versions) else ", and so are the answers"
        return f"No skew: all {rows:,} rows are the same float32 numbers, bit for bit{answers}."
    if same < rows:
        return f"Skew: {rows - same:,} of {rows:,} rows are not the same in training and in serving."
    return "Skew: the rows are the same, but the answers are not."


def _line(version: VersionSkew) -> list[str]:
    certified = version.certificate
    limit = f" (certified: {certified.max_difference:.2g})" if certified and version.trained else ""
    return [
        version.version,
        f"{version.rows:,}",
        f"{version.identical:,}",
        f"{len(version.columns)}",
        _distance(version.answers),
        _distance(version.trained) + limit,
    ]


def _distance(found: Parity | None) -> str:
    if found is None:
        return "not compared"
    other = f", {found.differing_classes:,} other classes" if found.differing_classes else ""
    beyond = "" if found.holds else f", {found.rows_beyond:,} beyond the tolerance"
    told = f"at most {found.max_difference:.2g} off" if found.max_difference else "the same"
    return f"{told}{beyond}{other}"


def _say_hidden(console: Console, version: VersionSkew) -> None:
    if version.hidden:
        names = ", ".join(version.hidden)
        said = (
            f"Version {version.version}: {names} cannot be compared, because the log never has sensitive "
            "cells as they were; nor can the answers."
        )
        console.print(f"\n{said}", markup=False)


def _show_evidence(console: Console, versions: Iterable[VersionSkew]) -> None:
    for version in versions:
        if version.cells:
            counted = ", ".join(f"{slot} ({cells:,})" for slot, cells in version.cells.items())
            console.print(f"\nVersion {version.version}: cells that differ: {counted}", markup=False)
            headings = ["prediction", "column", "request", "training", "as a request", "other way"]
            console.print(table("The first of them", headings, map(_difference, version.differences)))
        if version.refusals:
            refused = version.refused_by_serving, version.refused_by_training
            counts = f"{refused[0]:,} as requests, {refused[1]:,} in training"
            title = f"Version {version.version}: rows that are refused: {counts}"
            lines = [(r.prediction_id, r.by, r.column, f"{r.code} {r.message}") for r in version.refusals]
            console.print(table(f"\n{title}", ["prediction", "by", "column", "why"], lines))


def _difference(found: Difference) -> list[str]:
    other = "the quick way's" if found.way == "quick" else "training's"
    return [
        found.prediction_id,
        found.column,
        repr(found.request),
        repr(found.training),
        f"{found.served} {found.served_bits}",
        f"{other}: {found.other} {found.other_bits}",
    ]
