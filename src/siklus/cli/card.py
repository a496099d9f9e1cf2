"""`siklus card`"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from siklus import __version__
from siklus.bundle.read import Bundle, open_bundle
from siklus.cli.options import HERE, ProjectOption, opened
from siklus.cli.output import JsonFlag, command_app, print_json, results
from siklus.cli.registered import registry_of, resolved
from siklus.cli.release import BundleOption, OutOption, VersionArgument
from siklus.errors import MonitorError, RecordsError
from siklus.files import write_atomic
from siklus.monitor.pages.card_page import Body, CardPage, card_page
from siklus.monitor.quality.question import QualityQuestion, quality_report
from siklus.papers.card import Lived, Registered, Since, living_card, pictures
from siklus.papers.card_html import card_html
from siklus.papers.evidence import Evidence, Measured, evidence
from siklus.papers.verifying import signature_of
from siklus.project.file import OpenProject
from siklus.records.layout import Layout
from siklus.registry.publish import trusted_by

app = command_app()


@app.command()
def card(
    which: VersionArgument = None,
    bundle: BundleOption = None,
    html: Annotated[bool, typer.Option("--html", help="A page instead of Markdown.")] = False,
    out: OutOption = None,
    project: ProjectOption = HERE,
    as_json: JsonFlag = False,
) -> int:
    """Write a version's model card: what it is for, how good, its limits, and what production has shown.

    All of it comes from the sealed bundle, the registry and the prediction log; nothing is filled in by hand.
    """
    now = datetime.now(UTC)
    if bundle is not None:
        if which is not None:
            raise typer.BadParameter("VERSION or --bundle, not both")
        found = evidence(bundle)
        since = Since(signature=signature_of(bundle, keys=None).told)
    else:
        found, since = _of_version(opened(project), which, now=now)
    text = living_card(found, since)
    document = _page(found, text, now=now) if html else text
    if out is not None:
        write_atomic(out, document)
    if as_json:
        print_json(
            {"out": None if out is None else str(out), "digest": found.digest, "since": since, "card": text}
        )
    elif out is None:
        print(document, end="")
    else:
        results().print(f"→ {out}", markup=False)
    return 0


def _of_version(project: OpenProject, which: str | None, *, now: datetime) -> tuple[Evidence, Since]:
    registry = registry_of(project)
    version = resolved(project, registry, which)
    path = registry.fetch(version, project.paths.bundles)
    known = Registered(number=version.number, stage=version.stage, annotations=version.annotations)
    since = Since(
        registered=known,
        signature=signature_of(path, keys=trusted_by(project)).told,
        lived=_lived(project, open_bundle(path, version=str(version.number)), now=now),
    )
    return evidence(path, version=str(version.number)), since


def _lived(project: OpenProject, bundle: Bundle, *, now: datetime) -> Lived | None:
    """What the log here has of the version, as long as it keeps it."""
    layout = Layout(project.paths.records)
    if not layout.root.is_dir():
        return None
    question = QualityQuestion(since=None, until=now, by=("version",))
    try:
        report = quality_report(layout, question, project.settings, champion=bundle, bundle_of=lambda _: None)
    except (MonitorError, RecordsError):
        return None  # a card is none the worse for a log that nobody can read
    own = [part for part in report.groups.get("version", ()) if part.name == bundle.version]
    if not own:
        return None
    estimate = own[0].metrics.get(report.metric)
    return Lived(
        until=own[0].until,
        predictions=own[0].labels.predictions,
        labelled=own[0].labels.labelled,
        metric=report.metric,
        found=None
        if estimate is None
        else Measured(value=estimate.value, low=estimate.low, high=estimate.high),
    )


def _page(found: Evidence, text: str, *, now: datetime) -> str:
    page = CardPage(
        name=found.manifest.name,
        version=found.version,
        digest=found.digest,
        body=Body(card_html(text)),
        pictures=pictures(found.path),
    )
    return card_page(page, made=now, by=__version__)
