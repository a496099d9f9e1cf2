"""Where `siklus push` goes: the stores there, what is decided there, and what is said of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from siklus.automation.by_hand import ByHand, Change, ChangeKind, shares
from siklus.automation.telling import Telling
from siklus.cli.control import author
from siklus.cli.output import print_json, remarks, results, table
from siklus.cli.policies import published_policy
from siklus.project.file import OpenProject
from siklus.registry.control import Control, control_uri, open_control
from siklus.registry.journal import Entry, Journal, evidence_of
from siklus.registry.policy import Allotment, TrafficPolicy
from siklus.registry.push import Pushed
from siklus.registry.stages import Stage
from siklus.registry.traffic import NOTHING, Traffic
from siklus.registry.versions import Registry
from siklus.tracking.boundary import shown
from siklus.tracking.mlflow import Tracking, open_tracking

PUSH = "push"  # the journal's word for it


class PushReport(msgspec.Struct, frozen=True, kw_only=True):
    """``to``: the registry, without its password. ``traffic``: what is decided there, where that is known."""

    model: str
    to: str
    versions: tuple[Pushed, ...]
    traffic: TrafficPolicy | None = None
    remarks: tuple[str, ...] = ()


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's evidence."""

    versions: tuple[Pushed, ...]


@dataclass(frozen=True, kw_only=True)
class There:
    """The stores that are pushed to. ``control``: None where only a registry was named. ``is_own``: they are
    those of the project file."""

    project: OpenProject
    tracking: Tracking
    control: Control | None
    is_own: bool = False

    @property
    def registry(self) -> Registry:
        return Registry(self.tracking)

    @property
    def name(self) -> str:
        return self.project.settings.project.name

    def traffic(self) -> TrafficPolicy | None:
        return None if self.control is None else Traffic(self.control, self.name).current()

    def decide(
        self, allotment: Allotment, *, seen: TrafficPolicy | None, kind: ChangeKind
    ) -> TrafficPolicy | None:
        """Make it the traffic policy there, unless it is; None without a control database."""
        if self.control is None or (seen is not None and seen.allotment == allotment):
            return seen
        change = Change(
            kind=kind,
            allotment=allotment,
            by=author(),
            now=datetime.now(UTC),
            reason="siklus push",
            published=self._published(),
        )
        telling = Telling(self.control, self.project.settings)
        return ByHand(self.control, self.name, also=telling).decide(change, seen=seen)

    def _published(self) -> int:
        """The revision that servers go by already, where that can be known: numbers only grow."""
        policy = published_policy(self.project) if self.is_own else None
        return NOTHING if policy is None else policy.revision

    def stage(self, number: int, stage: Stage) -> None:
        """Give the version the stage, unless it has it."""
        if self.registry.resolve(self.name, str(number)).stage != stage:
            self.registry.promote(self.name, str(number), stage)

    def told(
        self, pushed: Sequence[Pushed], *, traffic: TrafficPolicy | None, remarks: Sequence[str]
    ) -> PushReport:
        """What became of these versions; what is new stands in the journal, where there is one."""
        new = tuple(each for each in pushed if each.is_new)
        if self.control is not None and new:
            numbers = ", ".join(str(each.there) for each in new)
            entry = Entry(
                time=datetime.now(UTC),
                kind=PUSH,
                subject=f"version {numbers}",
                author=author(),
                text=f"version {numbers} came by `siklus push`",
                evidence=evidence_of(Arrived(versions=new)),
            )
            Journal(self.control, self.name).append(entry)
        return PushReport(
            model=self.name,
            to=shown(self.tracking.uri),
            versions=tuple(pushed),
            traffic=traffic,
            remarks=tuple(remarks),
        )


@contextmanager
def stores_for(project: OpenProject, *, tracking_uri: str | None, control: str | None) -> Iterator[There]:
    """Those with these URLs; without a registry's, the project's own.

    TrackingError TK001 to TK004, RegistryError RG010 and RG013.
    """
    state, paths = project.settings.state, project.paths
    is_own = tracking_uri is None
    tracking = open_tracking(state.tracking_uri if is_own else tracking_uri, paths=paths)
    url = control_uri(control or (state.control if is_own else None), paths.root)
    if url is None and not is_own:
        yield There(project=project, tracking=tracking, control=None)
        return
    with open_control(url, file=paths.control_database) as opened:
        yield There(project=project, tracking=tracking, control=opened, is_own=is_own)


def remarks_on_artifacts(uri: str, artifacts: Path) -> Iterator[str]:
    """A database has no room for bundles: whoever serves from it must find them on this machine's disk."""
    if not uri.startswith("http"):
        yield f"{shown(uri)} keeps no artifacts: the bundles lie in {artifacts}, where others must reach them"


def show(report: PushReport, *, as_json: bool) -> None:
    for line in report.remarks:
        remarks().print(f"siklus: {line}", markup=False)
    if as_json:
        print_json(report)
        return
    rows = [
        (
            each.here or "",
            each.there,
            each.stage or "",
            _done(each),
            each.digest[:12],
        )
        for each in report.versions
    ]
    title = f"{report.model} in {report.to}"
    results().print(table(title, ["here", "there", "stage", "", "digest"], rows))
    if report.traffic is not None:
        told = shares(report.traffic.allotment)
        results().print(f"Traffic policy there, revision {report.traffic.revision}: {told}.", markup=False)


def _done(version: Pushed) -> str:
    if version.is_new:
        return "pushed"
    return "was there, is signed now" if version.signed else "was there"
