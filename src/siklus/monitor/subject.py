"""The subject: the version that is watched, and what it was like in training."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from siklus.bundle.read import Bundle, cached, open_bundle, read_provenance
from siklus.contract.columns import Contract
from siklus.ledgers.layouts import VersionLayout, layout_of
from siklus.project.paths import Paths
from siklus.registry.published import LAST_GOOD, PUBLISHED, found_policy
from siklus.stats.profile import Profile


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


def open_subject(bundle: Path, version: str) -> Subject:
    """BundleError as `open_bundle`."""
    opened = open_bundle(bundle, version=version)
    trained = datetime.fromisoformat(read_provenance(bundle).trained)
    reference = opened.profile()
    layout, _ = layout_of(version, opened.contract, reference)
    return Subject(
        version=version,
        bundle=opened,
        reference=reference,
        layout=layout,
        trained=trained.astimezone(),
    )


class Subjects:
    """Who is watched, opened anew only when it is another one."""

    def __init__(self, paths: Paths, *, pinned: Pinned | None = None) -> None:
        self._paths, self._pinned = paths, pinned
        self._known: tuple[tuple[Path, str], Subject] | None = None

    def current(self) -> Subject | None:
        """The champion of the traffic policy that servers here go by; None while there is none."""
        found = self._place()
        if found is None:
            return None
        if self._known is None or self._known[0] != found:
            self._known = (found, open_subject(*found))
        return self._known[1]

    def _place(self) -> tuple[Path, str] | None:
        if self._pinned is not None:
            return self._pinned.bundle, self._pinned.version
        run = self._paths.run
        policy = found_policy(run / PUBLISHED) or found_policy(run / LAST_GOOD)
        if policy is None:
            return None
        champion = policy.allotment.champion
        known = self._known and self._known[0]
        place = (self._paths.bundles / champion.digest, str(champion.version))
        if known == place or cached(champion.digest, self._paths.bundles) is not None:
            return place
        return None
