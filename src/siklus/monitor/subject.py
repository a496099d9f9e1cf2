"""The subject: the version that is watched, and what it was like in training."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from siklus.bundle.read import Bundle, cached, open_bundle
from siklus.contract.columns import Contract
from siklus.ledgers.layouts import VersionLayout, layout_of
from siklus.project.paths import Paths
from siklus.registry.published import LAST_GOOD, PUBLISHED, found_policy
from siklus.stats.profile import Profile

Place: TypeAlias = tuple[Path, str]  # a bundle, and the version that it is


@dataclass(frozen=True, kw_only=True)
class Subject:
    """``version`` is as records, counts and metrics have it; ``layout`` that of its counts."""

    version: str
    bundle: Bundle
    reference: Profile
    layout: VersionLayout
    trained: datetime

    @property
    def contract(self) -> Contract:
        return self.bundle.contract


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A bundle that a server answers with, whatever the traffic policy says."""

    bundle: Path
    version: str


def add_subject_options(parser: ArgumentParser) -> None:
    """Those of a process that looks at a project: where it is, and what is pinned there."""
    parser.add_argument("--project", type=Path, default=Path(), help="the project's folder")
    parser.add_argument("--bundle", type=Path, help="what is served, whatever the traffic policy says")
    parser.add_argument("--version", help="the version that it is counted under")


def pinned_by(given: Namespace) -> Pinned | None:
    return None if given.bundle is None else Pinned(bundle=given.bundle, version=given.version)


def open_subject(bundle: Path, version: str) -> Subject:
    """BundleError as `open_bundle`."""
    opened = open_bundle(bundle, version=version)
    reference = opened.profile()
    layout, _ = layout_of(version, opened.contract, reference)
    return Subject(
        version=version,
        bundle=opened,
        reference=reference,
        layout=layout,
        trained=opened.provenance().trained_at,
    )


class Subjects:
    """The versions that servers here go by, each opened once."""

    def __init__(self, paths: Paths, *, pinned: Pinned | None = None) -> None:
        self._paths, self._pinned = paths, pinned
        self._known: dict[Place, Subject] = {}

    def current(self) -> Subject | None:
        """The champion; None while there is none."""
        found = self._all()
        return found[0] if found else None

    def layouts(self) -> list[VersionLayout]:
        """Of all versions that answer or watch."""
        return [subject.layout for subject in self._all()]

    def _all(self) -> list[Subject]:
        """The champion first. Versions that are gone are forgotten: each holds a model."""
        places = list(self._places())
        self._known = {place: self._known.get(place) or open_subject(*place) for place in places}
        return [self._known[place] for place in places]

    def _places(self) -> Iterator[Place]:
        if self._pinned is not None:
            yield self._pinned.bundle, self._pinned.version
            return
        run = self._paths.run
        policy = found_policy(run / PUBLISHED) or found_policy(run / LAST_GOOD)
        for arm in () if policy is None else policy.allotment.everybody:
            place = (self._paths.bundles / arm.digest, str(arm.version))
            # What is not here yet, or damaged, cannot be opened; servers do not answer with it either.
            if place in self._known or cached(arm.digest, self._paths.bundles) is not None:
                yield place
